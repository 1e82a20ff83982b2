"""What the laws are written with: how a store is made, and short ways to say what is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from signoff.stores.base import LoadedSubject, PartsWanted, StreamTail, WorkflowStore
from signoff.stores.change import (
    Change,
    Committed,
    FamilyWrite,
    Name,
    Outcome,
    OwnAppend,
    Part,
    Post,
    Rejected,
    StreamDelete,
    Subject,
    SubjectDelete,
    SubjectWrite,
    new_mark,
)
from signoff.streams import json_mode
from signoff.streams.stream import JSON, Head, ProducerMark, Write

Scenario = Callable[[WorkflowStore], Awaitable[None]]
ScenarioOfTwo = Callable[[WorkflowStore, WorkflowStore], Awaitable[None]]


class Laws:
    """A group of laws about a store.

    Attributes:
        shared: two stores that are made for one folder have the same data, as two processes would. False: every store
            has its own, which is gone with it; the laws then ask for nothing more.
    """

    shared = True

    def new_store(self, folder: Path) -> WorkflowStore:
        """Make a store whose data, if it outlives the process, is in `folder`: always the same data for one folder."""
        raise NotImplementedError

    def hold(self, folder: Path, scenario: Scenario) -> None:
        """Play a scenario on an open store."""

        async def play() -> None:
            store = self.new_store(folder)
            await store.open()
            try:
                await scenario(store)
            finally:
                await store.close()

        asyncio.run(play())

    def hold_two(self, folder: Path, scenario: ScenarioOfTwo) -> None:
        """Play a scenario on two open stores on the same data; where every store has its own, see that it does."""

        async def play_both(first: WorkflowStore) -> None:
            second = self.new_store(folder)
            await second.open()
            try:
                if self.shared:
                    await scenario(first, second)
                else:
                    await done(first, start("r1"))
                    assert await load(second, "r1") is None
            finally:
                await second.close()

        self.hold(folder, play_both)


def run(run_id: str = "r1", **members: Any) -> Subject:
    """Make the record of a run; of queue `expense`, with nothing to do, unless said otherwise."""
    values: dict[str, Any] = {"version": 1, "state": b"{}", "sort": 1_000, "queue": "expense", "updated_at": 1_000}
    return Subject(Name("run", run_id), **(values | members))


def journal(run_id: str) -> str:
    """Return the path of one stream of a run's own; the path of the other is `runs/{run_id}`."""
    return f"runs/{run_id}/journal"


def own(path: str, *messages: bytes, close: bool = False) -> OwnAppend:
    """Append messages to a stream of the subject's own."""
    return OwnAppend(path, b",".join(messages), len(messages), close)


def start(run_id: str = "r1", **members: Any) -> Change:
    """Start a run: its record, and the first message of its two streams."""
    appends = (own(journal(run_id), b'{"type":"run.started"}'), own(f"runs/{run_id}", b'{"type":"run"}'))
    return Change(SubjectWrite(run(run_id, **members), 0, appends=appends), mark=new_mark())


def advance(run_id: str, version: int, *, epoch: int | None = None, release: bool = False, **members: Any) -> Change:
    """Move a run on from a version to the next, with a message for each of its two streams."""
    members = {"version": version + 1, "updated_at": 1_000 + version} | members
    appends = (own(journal(run_id), b'{"n":%d}' % version), own(f"runs/{run_id}", b'{"row":%d}' % version))
    write = SubjectWrite(run(run_id, **members), version, appends=appends, epoch=epoch, release=release)
    return Change(write, mark=new_mark())


def change(subject: Subject, expect: int | None = None, *posts: Post, **members: Any) -> Change:
    """Write a record, on the version before its own unless said otherwise, with whatever else is named."""
    expected = subject.version - 1 if expect is None else expect
    return Change(SubjectWrite(subject, expected, **members), posts, new_mark())


def grow(path: str, version: int, *messages: bytes, close: bool = False) -> Change:
    """Append to the one stream of a subject that has its name; its version counts from 0, where there is none."""
    return change(run(path, version=version + 1), appends=(own(path, *messages, close=close),))


def send(sender: str, version: int, path: str, *messages: bytes) -> Change:
    """Write a sender's record with a post."""
    return change(run(sender, version=version + 1), version, Post(path, b",".join(messages), len(messages)))


def delete(run_id: str, expect: int, *posts: Post) -> Change:
    """Delete a run."""
    return Change(SubjectDelete(Name("run", run_id), expect), posts, new_mark())


def part(key: str = "a:0", **members: Any) -> Part:
    """Make a part of kind `request`, of which nothing concerns anybody unless said otherwise."""
    values: dict[str, Any] = {"kind": "request", "key": key, "state": b"{}", "sort": 7}
    return Part(**(values | members))


def head(path: str = "notes", **members: Any) -> Head:
    """Make the head of an application's stream, as it is after its creation."""
    values: dict[str, Any] = {"incarnation": "i1", "version": 1, "tail": 0, "content_type": JSON, "created_at": 5}
    return Head.of(path, **(values | members))


def family(*writes: Write | StreamDelete) -> Change:
    """Write to streams that stem from one another."""
    return Change(FamilyWrite(writes), mark=new_mark())


def write(head: Head, data: bytes = b"", producer: ProducerMark | None = None) -> Change:
    """Write to an application's stream."""
    start = head.tail - len(json_mode.split(data) if head.json else data)
    return family(Write(head, head.version - 1, start, data, producer))


async def commit(store: WorkflowStore, change: Change) -> Outcome | Rejected:
    """Commit one Change."""
    [outcome] = await store.commit([change])
    return outcome


async def together(store: WorkflowStore, changes: Iterable[Change]) -> list[Outcome | Rejected]:
    """Commit Changes in groups as large as the store likes them."""
    waiting, outcomes = list(changes), []
    for first in range(0, len(waiting), store.lanes.group):
        outcomes += await store.commit(waiting[first : first + store.lanes.group])
    return outcomes


async def done(store: WorkflowStore, *changes: Change) -> list[Committed]:
    """Commit Changes, one commit each, that must succeed."""
    outcomes = []
    for one in changes:
        outcome = await commit(store, one)
        assert isinstance(outcome, Committed), outcome
        outcomes.append(outcome)
    return outcomes


async def settle(store: WorkflowStore) -> None:
    """Place what waits for being placed."""
    while await store.place():
        pass
    assert await store.unplaced() == 0


async def load(store: WorkflowStore, run_id: str = "r1") -> LoadedSubject | None:
    """Load a run with its parts of kind `request`."""
    return await store.load(Name("run", run_id), PartsWanted("request"))


async def record(store: WorkflowStore, run_id: str = "r1") -> Subject:
    """Load a run's record, which must be there."""
    loaded = await store.load(Name("run", run_id))
    assert loaded is not None, f"no run {run_id}"
    return loaded.subject


def bare(subject: Subject) -> Subject:
    """Return a record without what is the store's own in it, as it was written."""
    return replace(subject, streams=(), epoch=0, lease_owner=None, lease_until=None, lost=0)


async def known(store: WorkflowStore, path: str = "notes") -> Head:
    """Load the head of a stream, which must be there."""
    loaded = await store.load_stream(path)
    assert loaded is not None, f"no stream {path}"
    return loaded.head


async def tails(store: WorkflowStore, *paths: str) -> dict[str, tuple[int, bool]]:
    """Return tails, and whether closed, of those of the streams that exist."""
    found: dict[str, StreamTail] = await store.find_streams(paths)
    return {path: (one.tail, one.closed) for path, one in found.items()}


async def text(store: WorkflowStore, path: str, start: int = 0) -> bytes:
    """Read a JSON stream as one comma-joined text."""
    found = await store.read(path, start, 1 << 30)
    assert found is not None, f"no stream {path}"
    return b",".join(batch.data for batch in found[1])
