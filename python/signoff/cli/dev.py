"""`signoff dev`: server, worker and page in one process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from signoff.cli import options
from signoff.cli.load import load_app
from signoff.cli.misuse import Misuse
from signoff.cli.reload import start_again_on_changes
from signoff.cli.running import HttpPart, WorkerPart, announce, listen, run_to_end, until_stopped
from signoff.cli.serving import Serving, serves
from signoff.runtime.worker import ACTIVATION_S, Worker
from signoff.server.app import function_notifier
from signoff.service.engine import Engine
from signoff.service.output_lengths import MOST_BYTES
from signoff.stores.open import open_store

LEASE_MS = 5_000
"""Shorter than a worker's usual lease: after a kill -9 there is nobody else to go on, and somebody watches."""


@serves
def dev(
    app: Annotated[str, typer.Argument(metavar="MODULE:APP", help="Where the application is, e.g. workflow:app.")],
    *,
    store: Annotated[
        str | None, typer.Option("--store", metavar="URL", help="Keep data there; or SIGNOFF_STORE.")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="DIR", help="Keep data in this folder; .signoff unless given.")
    ] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Start again whenever code in this folder changes.")] = False,
    activation_limit: options.ActivationLimit = ACTIVATION_S,
    max_output: options.MaxOutput = MOST_BYTES,
    serving: Serving,
) -> None:
    """Run server, worker and page in one process."""
    if reload:
        start_again_on_changes()
        return
    url = _url(store, data)
    config = serving.config()
    application = load_app(app)

    async def main() -> None:
        listening = listen(serving.host, serving.port, config)
        engine = await Engine.open(
            open_store(url),
            workflows=application.names(),
            app=application,
            retention_ms=serving.retention,
            output_bytes=max_output,
        )
        try:
            http = HttpPart(engine, config, listening, access_log=serving.access_log, ready=lambda: announce(listening))
            worker = Worker(application, engine, lease_ms=LEASE_MS, activation_s=activation_limit)
            await until_stopped(http, WorkerPart(worker, function_notifier(engine, application)))
        finally:
            await engine.close()

    run_to_end(main())


def _url(store: str | None, data: str | None) -> str:
    if store is not None and data is not None:
        raise Misuse("--store and --data exclude each other.")
    chosen = store or (None if data else os.environ.get("SIGNOFF_STORE"))
    if chosen:
        return chosen
    return f"sqlite:///{Path(data or '.signoff').absolute() / 'signoff.db'}"
