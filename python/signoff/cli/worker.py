"""`signoff worker`: run workflows from a store, without HTTP."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from signoff.cli import options, output
from signoff.cli.load import load_app
from signoff.cli.running import WorkerPart, run_to_end, until_stopped
from signoff.cli.serving import store_url
from signoff.runtime.worker import ACTIVATION_S, LEASE_MS, Worker
from signoff.server.app import function_notifier
from signoff.service.engine import Engine
from signoff.service.output_lengths import MOST_BYTES
from signoff.stores.open import is_private, open_store
from signoff.stores.server_url import shown_url


def worker(
    app: Annotated[str, typer.Argument(metavar="MODULE:APP", help="Where the application is, e.g. workflow:app.")],
    *,
    store: options.Store = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=10_000, help="How many runs are driven at a time.")
    ] = 128,
    activation_limit: options.ActivationLimit = ACTIVATION_S,
    max_output: options.MaxOutput = MOST_BYTES,
    lease: Annotated[
        float,
        typer.Option(
            "--lease",
            metavar="SECONDS",
            min=1,
            max=3600,
            help="How long others wait for a sign of life of it before they take its runs.",
        ),
    ] = LEASE_MS / 1000,
) -> None:
    """Run an application's workflows."""
    url = store_url(store)
    application = load_app(app)
    if is_private(url):
        output.note("memory: is this process's own: nobody can start a run in it. Take a file, or use `signoff dev`.")

    async def main() -> None:
        engine = await Engine.open(open_store(url), output_bytes=max_output)
        try:
            made = Worker(
                application,
                engine,
                concurrency=concurrency,
                activation_s=activation_limit,
                lease_ms=round(1000 * lease),
            )
            part = WorkerPart(made, function_notifier(engine, application))
            output.line(f"Signoff works on {', '.join(sorted(application.names())) or 'nothing'} from {shown_url(url)}")
            sys.stdout.flush()
            await until_stopped(part)
        finally:
            await engine.close()

    run_to_end(main())
