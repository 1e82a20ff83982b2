"""`signoff db copy`: move all that a store holds into another."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from signoff.cli import options, output
from signoff.cli.misuse import Misuse
from signoff.cli.target import run_here
from signoff.clock import SystemClock
from signoff.service.copying import StoreCopying
from signoff.stores.base import WorkflowStore
from signoff.stores.open import open_store, store_name

_MANY: Final = {
    "run": "runs",
    "subscription": "subscriptions",
    "webhook-key": "webhook keys",
    "worker": "announcements of workers",
    "input": "requests",
    "ledger": "ledger entries",
    "wait": "waits",
    "stream": "streams",
    "batch": "batches of streams",
    "producer": "producers",
    "row": "live rows",
}
"""What there are many of, in words, in the order in which it is told."""


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The store to copy; nobody may work on it.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="A store that holds nothing, or a part of this copy.")],
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read both once more, and compare all that they hold.")
    ] = False,
    json: options.Json = False,
) -> int:
    """Copy a store into another: runs, streams, offsets, subscriptions and all else. Goes on where it was stopped."""
    if any(url.partition(":")[0] == "memory" for url in (source, target)):
        raise Misuse("memory: is in one process alone, and gone with it; there is nothing to copy from or to.")
    return run_here(_copy(source, target, verify=verify, json=json))


async def _copy(source: str, target: str, *, verify: bool, json: bool) -> int:
    async with AsyncExitStack() as open_stores:
        stores: list[WorkflowStore] = []
        for store in (open_store(source, create=False), open_store(target)):
            await store.open()
            open_stores.push_async_callback(store.close)
            stores.append(store)
        copying = StoreCopying(stores[0], stores[1], name=store_name(source), clock=SystemClock())
        with _progress() as bar:
            await _shown(bar, "Looking at the source", None, copying.begin)
            size = copying.inventory.size
            await _shown(bar, "Going on" if copying.resumed else "Copying", size, copying.copy)
            # What was copied before an interruption was not seen by this process.
            checked = verify or copying.resumed
            if checked:
                await _shown(bar, "Comparing", size, copying.verify)
            await copying.finish()
    _report(copying, checked=checked, json=json)
    return 0


def _progress() -> Progress:
    """Return what draws a bar on stderr, if that is a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())


async def _shown(
    bar: Progress, what: str, total: int | None, work: Callable[[Callable[[int], None]], Awaitable[None]]
) -> None:
    task = bar.add_task(what, total=total)
    await work(lambda done: bar.update(task, completed=done))
    bar.update(task, total=total if total is not None else bar.tasks[task].completed)


def _report(copying: StoreCopying, *, checked: bool, json: bool) -> None:
    found = copying.inventory
    if json:
        told: dict[str, Any] = {"records": dict(found.counts), "bytes": found.size}
        output.as_json({**told, "resumed": copying.resumed, "verified": checked})
        return
    names = [name for name in _MANY if found.counts[name]]
    names += sorted(name for name in found.counts if name not in _MANY)
    output.table(("", ""), [(_MANY.get(name, name), found.counts[name]) for name in names])
    said = "Copied, and compared: both hold the same." if checked else "Copied."
    output.line(f"{said} Start servers and workers on the target now; the source is as it was.")
