"""`signoff prune`: delete runs that ended long ago, and keep their history if wanted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from signoff.cli import bulk, options, output
from signoff.cli.target import Target, aimed, connect, run_here
from signoff.client import SignoffClient
from signoff.counts import counted
from signoff.errors import JournalUnreadable, RunNotFound, SignoffError

_PAGE: Final = 500
_PIECE: Final = 50
"""Runs whose histories are written before they are deleted together."""


@aimed
def prune(
    *,
    older_than: Annotated[
        int,
        typer.Option("--older-than", metavar="DURATION", parser=options.period, help="Those that ended so long ago."),
    ],
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            callback=options.among("completed", "cancelled", "failed"),
            help="completed, cancelled or failed; repeated: any of them. The first two unless given.",
        ),
    ] = None,
    workflow: options.Workflow = None,
    tag: options.Tags = None,
    archive: Annotated[
        Path | None, typer.Option("--archive", metavar="DIR", help="Write each run's history there first.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
    yes: options.Yes = False,
    json: options.Json = False,
    target: Target,
) -> int:
    """Delete runs that ended long ago."""
    ended_before = bulk.before(older_than)
    where: dict[str, Any] = {
        "ended_before": ended_before,
        "status": tuple(status or ("completed", "cancelled")),
        "workflow": workflow,
        "tags": tuple(tag or ()),
    }

    async def run() -> int:
        async with connect(target) as client:
            found = await _find(client, where)
            if dry_run or not found:
                return _report(found, [], dry_run=dry_run, json=json)
            ended = output.local(ended_before.isoformat())
            if not bulk.agreed(f"This will delete {counted(len(found), 'run')} that ended before {ended}.", yes=yes):
                return 1
            return _report(found, await _delete(client, where, found, archive), dry_run=False, json=json)

    return run_here(run())


async def _find(client: SignoffClient, where: dict[str, Any]) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = await client.prune(**where, cursor=cursor, limit=_PAGE, dry_run=True)
        found += [run["id"] for run in page["runs"]]
        cursor = page["cursor"]
        if cursor is None:
            return found


async def _delete(
    client: SignoffClient, where: dict[str, Any], found: Sequence[str], archive: Path | None
) -> list[str]:
    """Delete runs in pieces, each after its histories are written; return the ids of those that were deleted."""
    progress = bulk.Progress(len(found))
    deleted: list[str] = []
    for start in range(0, len(found), _PIECE):
        piece = found[start : start + _PIECE]
        if archive is not None:
            piece = [run_id for run_id in piece if await _archived(client, run_id, archive)]
            await asyncio.to_thread(_settle, archive)
        page = await client.prune(**where, runs=piece)
        deleted += [run["id"] for run in page["runs"]]
        progress.step(len(found[start : start + _PIECE]))
    return deleted


async def _archived(client: SignoffClient, run_id: str, folder: Path) -> bool:
    """Write a run's history as `signoff show RUN --history --json` prints it; return False if the run is gone."""
    try:
        history = await client.history(run_id)
    except RunNotFound:
        return False
    except JournalUnreadable as error:
        output.note(f"{error.detail} It is not deleted.")
        return False
    try:
        await asyncio.to_thread(keep, folder, history)
    except OSError as error:
        raise SignoffError(
            f"The history of {run_id} cannot be written to {folder}: {error.strerror or error}. The run was not "
            "deleted; of every run that was, the history is there. Make room, and prune again."
        ) from error
    return True


def keep(folder: Path, history: dict[str, Any]) -> Path:
    """Write a history to a file of its own, whole or not at all; return the file.

    It is named after the run. A file of that name with another history, of an earlier run of that id, is left alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = orjson.dumps(history)
    file = folder / f"{history['run_id']}.json"
    if file.exists() and file.read_bytes() != data:
        began = datetime.fromtimestamp(history["entries"][0]["at"] / 1_000, UTC)
        file = folder / f"{history['run_id']}.{began:%Y%m%dT%H%M%S.%f}.json"
    new = folder / f".{file.name}.{os.getpid()}.new"
    try:
        with new.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
    return file


def _settle(folder: Path) -> None:
    """Have the names of what was written survive a loss of power: what follows is that the runs are deleted."""
    if not folder.is_dir():
        return  # there was nothing to write
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def _report(found: Sequence[str], deleted: Sequence[str], *, dry_run: bool, json: bool) -> int:
    if json:
        output.as_json({"found": list(found), "deleted": list(deleted)})
    elif not found:
        output.line("There is no run to delete.")
    elif dry_run:
        output.line(f"This would delete {counted(len(found), 'run')}.")
    else:
        left = len(found) - len(deleted)
        output.line(f"{counted(len(deleted), 'run')} deleted{f'; {left} no longer to be deleted' if left else ''}.")
    return 0
