"""`signoff mcp`: an MCP server over a Signoff server or a store, for agents that have to ask people."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer
import uvicorn

from signoff.cli import output
from signoff.cli.misuse import Misuse
from signoff.cli.running import address, listen, log_to_stderr
from signoff.cli.target import Target, aimed, connect, run_here
from signoff.client import DEFAULT_URL
from signoff.mcp import asks
from signoff.runtime.worker import Worker
from signoff.server.config import ServerConfig
from signoff.service.engine import Engine
from signoff.stores.open import is_private, open_store

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

LEASE_MS = 5_000
"""As of `signoff dev`: whoever starts it again after a kill -9 wants it to go on soon."""


@aimed
def mcp(
    *,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="PRINCIPAL", help="Whom to ask unless the agent names somebody. May be repeated."),
    ] = None,
    run_url: Annotated[
        str | None,
        typer.Option(
            "--run-url",
            metavar="URL",
            help="Where people see a run, with {run_id} in it; the run in the HTTP API unless given.",
        ),
    ] = None,
    links: Annotated[
        bool,
        typer.Option(
            "--links",
            help="Hand out links by which the one person who is asked decides; needs the grant run:link:*. "
            "Whoever has a link decides in that person's name: the agent, too.",
        ),
    ] = False,
    http: Annotated[
        int | None,
        typer.Option(
            "--http",
            metavar="PORT",
            min=0,
            max=65535,
            help="Serve streamable HTTP at 127.0.0.1:PORT/mcp; 0 picks a free port.",
        ),
    ] = None,
    target: Target,
) -> None:
    """Let agents start runs and ask people, over MCP on stdin and stdout."""
    try:
        from signoff.mcp.tools import Tools  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Misuse(f"`signoff mcp` needs {error.name!r}. Install it: pip install 'signoff[mcp]'") from error
    where = run_url or f"{(target.server or DEFAULT_URL).rstrip('/')}/v1/runs/{{run_id}}"
    if "{run_id}" not in where:
        raise Misuse(f"--run-url must have {{run_id}} in it, as in https://app.example/runs/{{run_id}}, not {where!r}.")
    if links and target.store is not None:
        raise Misuse("--links goes with --server: the server signs them, and knows where people reach it.")
    if target.store is not None and is_private(target.store):
        raise Misuse("A store in memory is this process's own, and nobody could answer there. Take a file.")

    async def main() -> None:
        async with connect(target.creating()) as client, _asking(target.store):
            await _served(Tools(client, to=to or (), run_url=where, links=links).server(), http)

    log_to_stderr()
    with suppress(KeyboardInterrupt):
        run_here(main())


async def _served(server: MCPServer, port: int | None) -> None:
    if port is not None:
        listening = listen("127.0.0.1", port, ServerConfig())
        serving = uvicorn.Server(uvicorn.Config(server.streamable_http_app(stateless_http=True), log_config=None))
        output.line(f"Signoff speaks MCP at {address(listening)}/mcp")
        sys.stdout.flush()
        await serving.serve(sockets=[listening])
        return
    for number in (signal.SIGINT, signal.SIGTERM):  # a thread waits for stdin, and nothing here has to be put down
        signal.signal(number, signal.SIG_DFL)
    await server.run_stdio_async()


@asynccontextmanager
async def _asking(store: str | None) -> AsyncIterator[None]:
    """Run the workflow that asks people, where there is a store and perhaps no other worker that knows it."""
    if store is None:
        yield
        return
    engine = await Engine.open(open_store(store), app=asks)
    worker = Worker(asks, engine, lease_ms=LEASE_MS)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        await worker.drain()
        await asyncio.gather(task, return_exceptions=True)
        await engine.close()
