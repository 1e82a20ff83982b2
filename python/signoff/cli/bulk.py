"""Many runs at once: what every command for a verb on one run takes beside the run's id.

The members of `Chosen` are the argument RUN, `--all` and the filters of `signoff list`; `verbs.py` gives them to each
command. `act_on_many` says how many runs that is, asks, goes ahead a few at a time, and tells what was refused.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from signoff.cli import options, output
from signoff.cli.misuse import Misuse
from signoff.cli.target import Target, connect, run_here
from signoff.client import SignoffClient
from signoff.counts import counted
from signoff.errors import SignoffError

Act = Callable[[SignoffClient, str], Awaitable[Any]]

AT_ONCE: Final = 16
"""How many runs are acted on at a time."""

_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The runs a command is about: one, or all that filters take."""

    run: Annotated[str | None, typer.Argument(help="The run's id; not with --all.", show_default=False)] = None
    every: Annotated[bool, typer.Option("--all", help="Every run that the filters take, instead of one.")] = False
    workflow: options.Workflow = None
    status: options.Statuses = None
    tag: options.Tags = None
    older_than: options.OlderThan = None
    yes: options.Yes = False

    @property
    def one(self) -> str | None:
        """Return the id of the one run; None: all that the filters take.

        Raises:
            Misuse: neither a run nor `--all` is given, or both, or filters for one run.
        """
        filtered = self.workflow or self.status or self.tag or self.older_than is not None
        if self.run is None:
            if not self.every:
                raise Misuse(
                    "Name a run, or say --all for every run; --workflow, --status, --tag and --older-than narrow that."
                )
            return None
        if self.every or filtered:
            raise Misuse("Name a run, or say --all, which filters may narrow; not both.")
        return self.run


def act_on_many(
    target: Target, chosen: Chosen, verb: str, act: Act, *, unless_given: Collection[str], json: bool = False
) -> int:
    """Act on all runs that were chosen; return the exit code: 1 if any was refused.

    Args:
        target: where they are.
        verb: for people, as in `terminate 3 runs`.
        act: acts on one.
        unless_given: the statuses in which that can be done, where no `--status` is given.
        json: print what became of it as JSON.

    Raises:
        Misuse: nobody can be asked, and there is no `--yes`.
    """
    status = tuple(chosen.status or unless_given)

    async def run() -> int:
        async with connect(target) as client:
            found = await _find(client, chosen, status)
            if not found:
                return _report(verb, 0, [], json=json)
            if not agreed(f"This will {verb} {counted(len(found), 'run')}.", yes=chosen.yes):
                return 1
            refused = await _act(client, found, act)
            return _report(verb, len(found), refused, json=json)

    return run_here(run())


def agreed(said: str, *, yes: bool) -> bool:
    """Say what is about to happen, and ask whether it shall; `yes`: it shall.

    Raises:
        Misuse: nobody can be asked.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise Misuse(f"{said} Say --yes to do it without being asked; nothing was changed.")
    output.note(said)
    return typer.confirm("Go on?", err=True)


class Progress:
    """A count on stderr, if that is a terminal."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._done = 0
        self._shown = sys.stderr.isatty()

    def step(self, count: int = 1) -> None:
        """Count what is done."""
        self._done += count
        if self._shown:
            end = "\n" if self._done >= self._most else ""
            print(f"\r{self._done}/{self._most}", end=end, file=sys.stderr, flush=True)


def before(age_ms: int) -> datetime:
    """Return the time that was so many milliseconds ago."""
    return datetime.now(UTC) - timedelta(milliseconds=age_ms)


async def _find(client: SignoffClient, chosen: Chosen, status: Sequence[str]) -> list[str]:
    found: list[str] = []
    cursor = None
    created_before = None if chosen.older_than is None else before(chosen.older_than)
    while True:
        page = await client.list(
            workflow=chosen.workflow,
            status=status,
            tag=chosen.tag or (),
            created_before=created_before,
            cursor=cursor,
            limit=_PAGE,
        )
        found += [run["id"] for run in page["runs"]]
        cursor = page["cursor"]
        if cursor is None:
            return found


async def _act(client: SignoffClient, found: Sequence[str], act: Act) -> list[tuple[str, SignoffError]]:
    """Act on runs, a few at a time; return what was refused. Trouble that is not about one run ends it."""
    waiting = iter(found)
    progress = Progress(len(found))
    refused: list[tuple[str, SignoffError]] = []

    async def work() -> None:
        for run_id in waiting:
            try:
                await act(client, run_id)
            except SignoffError as error:
                if error.status >= 500:
                    raise
                refused.append((run_id, error))
            progress.step()

    workers = [asyncio.create_task(work()) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return refused


def _report(verb: str, count: int, refused: Sequence[tuple[str, SignoffError]], *, json: bool) -> int:
    for run_id, error in refused:
        output.note(f"{run_id}: {error.detail}")
    if json:
        told = [{"run": run_id, "code": error.code, "detail": error.detail} for run_id, error in refused]
        output.as_json({"done": count - len(refused), "refused": told})
    elif not count:
        output.line(f"There is no run to {verb}.")
    else:
        rest = f"; {len(refused)} refused" if refused else ""
        output.line(f"{verb}: {counted(count - len(refused), 'run')} done{rest}.")
    return int(bool(refused))
