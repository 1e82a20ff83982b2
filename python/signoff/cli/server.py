"""`signoff server`: streams and API alone, without workflow code."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from signoff.cli import options
from signoff.cli.misuse import Misuse
from signoff.cli.parent_line import ParentLine
from signoff.cli.running import HttpPart, announce, listen, log_to_stderr, run_to_end, until_stopped
from signoff.cli.serving import Serving, serves, store_url
from signoff.server.config import ServerConfig
from signoff.service.engine import Engine
from signoff.stores.open import is_private, open_store


@serves
def server(
    *,
    store: options.Store = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, max=512, help="So many processes serve, on one address.")
    ] = 1,
    serving: Serving,
) -> None:
    """Serve streams and the API; workers run elsewhere."""
    url, config = store_url(store), serving.config()
    if (parent := ParentLine.inherited()) is not None:
        _serve(url, config, serving, parent)
    elif workers == 1:
        _serve(url, config, serving, None)
    else:
        _serve_by_several(workers, url, config, serving)


def _serve(url: str, config: ServerConfig, serving: Serving, parent: ParentLine | None) -> None:
    """Serve in this process, on an address of its own or that of the process which started it."""

    if parent and parent.number > 1:
        # What is to be said of the file that all of them open, the first says.
        logging.getLogger("signoff.stores.sqlite.private").setLevel(logging.ERROR)

    async def main() -> None:
        listening = parent.listening if parent else listen(serving.host, serving.port, config)
        ready: Callable[[], None] = parent.serves if parent else lambda: announce(listening)
        engine = await Engine.open(open_store(url), retention_ms=serving.retention)
        try:
            http = HttpPart(engine, config, listening, access_log=serving.access_log, ready=ready)
            if parent is None:
                await until_stopped(http)
            else:
                parent.on_leave(http.leave)
                await until_stopped(http, parent)
        finally:
            await engine.close()

    run_to_end(main())


def _serve_by_several(count: int, url: str, config: ServerConfig, serving: Serving) -> None:
    """Bind the address and look after the processes that serve on it."""
    if is_private(url):
        raise Misuse(f"--workers {count}: {url} is one process's own; take a file, such as sqlite:///signoff.db.")

    if os.name == "nt":
        raise Misuse(f"--workers {count}: Windows cannot have several processes on one address.")
    from signoff.cli.processes import Supervisor  # noqa: PLC0415 - only who has several needs it

    log_to_stderr()
    listening = listen(serving.host, serving.port, config)
    command = [sys.executable, "-m", "signoff", *sys.argv[1:]]
    code = asyncio.run(Supervisor(count, listening, command, lambda: announce(listening)).run())
    if code:
        raise typer.Exit(code)
