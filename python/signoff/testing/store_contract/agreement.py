"""The law that a store does what a plain model does, whatever is written in whatever company."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, given, settings

from signoff.stores.base import Listing, OwnedPart, Page, PartsWanted, StreamTail, WorkflowStore
from signoff.stores.change import Change, Committed, Conflict, Outcome, Rejected, Subject
from signoff.streams import expiry
from signoff.testing.store_contract.laws import Laws, settle
from signoff.testing.store_contract.model import UNKNOWN, Model, ModelStream
from signoff.testing.store_contract.scripts import (
    NAMES,
    PATHS,
    QUEUES,
    SHARED,
    Lease,
    Move,
    Script,
    Spoil,
    concrete,
    scripts,
)

LEASE_MS: Final = 2

# Agreement needs no disk: where there is a folder in memory, files are kept there.
IN_MEMORY: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a new folder in it for each example

_LISTINGS: Final = [
    Listing(kind, any_of, all_of, oldest_first=oldest_first)
    for kind in ("run", "hook", "ask", "vote")
    for any_of, all_of in ((None, ()), (("x",), ()), (("x", "y"), ()), (None, ("y",)), (("x",), ("y",)))
    for oldest_first in (False, True)
]


class AgreementLaws(Laws):
    """What holds for every script."""

    @settings(
        max_examples=100,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(script=scripts)
    def test_a_store_does_what_the_model_does(self, script: Script) -> None:
        """Changes end as `compare` says, claims take what is due, and what is readable is what was written."""
        with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
            self.hold(Path(folder), lambda store: _run(store, script))


async def _run(store: WorkflowStore, script: Script) -> None:
    play = ScriptPlay()
    await play.play(store, script)
    await play.check(store)
    await play.check_outcomes(store)


class ScriptPlay:
    """Scripts on their way through a store and a model."""

    def __init__(self) -> None:
        self._model = Model(LEASE_MS)
        self._numbers = 0
        self._ended: list[tuple[Change, bool]] = []
        self._versions: set[tuple[str, int]] = set()

    async def play(self, store: WorkflowStore, script: Script) -> None:
        """Play a script, on from what was played before."""
        for step in script:
            if isinstance(step, Lease):
                await self._lease(store, step)
            else:
                await self._group(store, step)

    async def check(self, store: WorkflowStore) -> None:
        """Look at everything."""
        await self._check_subjects(store)
        await self._check_listings(store)
        for path in PATHS:
            await self._check_stream(store, path)
        await self._check_paths(store)
        await self._check_due(store)

    async def check_outcomes(self, store: WorkflowStore) -> None:
        """Ask what became of each Change."""
        found = await store.find([change for change, _ in self._ended])
        for (change, committed), there in zip(self._ended, found, strict=True):
            assert there in (committed, None), change

    async def _group(self, store: WorkflowStore, moves: Iterable[Move]) -> None:
        changes: list[Change] = []
        expected: list[Outcome | None] = []
        heads = {path: self._model.stream(path) for path in SHARED}
        placed = {path: head.tail for path, head in heads.items() if head is not None}
        for move in moves:
            self._numbers += 1
            change = concrete(move, self._model, self._numbers, placed)
            if change is not None and len(changes) < store.lanes.group:
                changes.append(change)
                expected.append(None if isinstance(move, Spoil) else self._model.commit(change))
        outcomes = await store.commit(changes)
        assert len(outcomes) == len(changes)
        for change, wanted, outcome in zip(changes, expected, outcomes, strict=True):
            self._ended.append((change, isinstance(outcome, Committed)))
            if wanted is None:
                assert isinstance(outcome, Rejected), change
            elif isinstance(wanted, Conflict):
                assert outcome == wanted, change
            else:
                assert isinstance(outcome, Committed), (change, outcome)
                own = {path: batch for path, batch in outcome.batches.items() if path not in SHARED}
                assert own == wanted.batches, change
        await settle(store)
        await self._learn(store)

    async def _lease(self, store: WorkflowStore, step: Lease) -> None:
        leases = {name: kept.record.epoch for name, kept in self._model.subjects.items()}
        match step.what:
            case "claim":
                taken = await store.claim(step.owner, QUEUES, now=step.now, lease_ms=LEASE_MS, limit=9)
                assert {one.name: one for one in taken} == self._model.claim(step.owner, QUEUES, step.now)
                assert len(taken) == len({one.name for one in taken})
            case "renew":
                lost = await store.renew(step.owner, leases, until=step.now, along=step.along)
                assert lost == self._model.renew(step.owner, leases, step.now, step.along)
            case _:
                await store.release(step.owner, leases)
                self._model.release(step.owner, leases)

    async def _learn(self, store: WorkflowStore) -> None:
        """Learn what is the store's to choose: versions and incarnations of streams, and the order of posts."""
        for path, kept in self._model.streams.items():
            loaded = await store.load_stream(path)
            assert loaded is not None, path
            if kept.head.version == UNKNOWN:
                assert (path, loaded.head.version) not in self._versions
                kept.head = kept.head.changed(version=loaded.head.version)
            if not kept.head.incarnation:
                kept.head = kept.head.changed(incarnation=loaded.head.incarnation)
            assert loaded.head == kept.head
            self._versions.add((path, kept.head.version))
            if path in SHARED:
                there = await _units(store, path)
                wanted = {position: kept.units[position] for position in there}
                assert sorted(there.values()) == sorted(wanted.values())
                assert _by_sender(there) == _by_sender(wanted)
                kept.units |= there

    # -- what can be seen --------------------------------------------------------------------------------------------

    async def _check_subjects(self, store: WorkflowStore) -> None:
        for name in NAMES:
            loaded = await store.load(name, PartsWanted("ask"), PartsWanted("vote", open=True))
            kept = self._model.subjects.get(name)
            if kept is None:
                assert loaded is None
                continue
            parts = [part for _, part in kept.parts.values()]
            assert loaded is not None
            assert loaded.subject == kept.record
            assert list(loaded.of("ask")) == [part for part in parts if part.kind == "ask"]
            assert list(loaded.of("vote")) == [part for part in parts if part.kind == "vote" and part.open]

    async def _check_listings(self, store: WorkflowStore) -> None:
        for where in _LISTINGS:
            subjects: list[Subject] = []
            parts: list[OwnedPart] = []
            cursor: str | None = ""
            while cursor is not None:
                page: Page[Subject] = await store.list_subjects(where, limit=2, cursor=cursor or None)
                subjects, cursor = [*subjects, *page.items], page.cursor
            cursor = ""
            while cursor is not None:
                owned: Page[OwnedPart] = await store.list_parts(where, limit=2, cursor=cursor or None)
                parts, cursor = [*parts, *owned.items], owned.cursor
            assert subjects == self._model.listed(where), where
            assert parts == self._model.listed_parts(where), where

    async def _check_stream(self, store: WorkflowStore, path: str) -> None:
        loaded, started = await store.load_stream(path, "p"), await store.read_start(path, 1 << 20)
        kept = self._model.streams.get(path)
        if kept is None:
            assert (loaded, started) == (None, None)
            assert await store.read(path, 0, 1 << 20) is None
            return
        assert loaded is not None
        assert started is not None
        assert (loaded.head, loaded.producer) == (kept.head, kept.producers.get("p"))
        assert await _units(store, path) == _readable(kept)
        rows = sorted(kept.rows.values(), key=lambda row: row.position)
        assert (started.head, sorted(started.rows)) == (kept.head, sorted(row.message for row in rows))
        assert await store.rows_bytes(path) == sum(len(row.message) for row in rows)

    async def _check_paths(self, store: WorkflowStore) -> None:
        heads = [kept.head for kept in self._model.streams.values() if not kept.head.deleted]
        there = {head.path: StreamTail(head.path, head.incarnation, head.tail, head.closed) for head in heads}
        assert await store.find_streams(PATHS) == there
        assert await store.list_streams("", limit=99) == [there[path] for path in sorted(there)]
        ends = sorted((end, head.path) for head in heads if (end := expiry.end(head)) is not None)
        assert await store.ended_streams(now=5_000, limit=99) == [path for end, path in ends if end <= 5_000]

    async def _check_due(self, store: WorkflowStore) -> None:
        for queue in QUEUES:
            for now in (0, 2, 99):
                due = await store.due(queue, now=now, limit=9)
                assert {one.name: one for one in due} == self._model.due(queue, now)
            assert await store.next_due([queue]) == self._model.next_due([queue])
        assert await store.next_due(QUEUES) == self._model.next_due(QUEUES)
        assert await store.unplaced() == 0


async def _units(store: WorkflowStore, path: str) -> dict[int, bytes]:
    """Read the messages of a stream, by their positions, from where it keeps them."""
    found = await store.read(path, 0, 1 << 20)
    assert found is not None, path
    units: dict[int, bytes] = {}
    for batch in found[1]:
        messages = batch.data.split(b",")
        assert len(messages) == batch.end - batch.start
        units |= enumerate(messages, batch.start)
    return {position: message for position, message in units.items() if position >= found[0].base}


def _readable(kept: ModelStream) -> dict[int, bytes]:
    return {position: message for position, message in kept.units.items() if position >= kept.head.base}


def _by_sender(units: dict[int, bytes]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for _, message in sorted(units.items()):
        found.setdefault(message.split(b":")[0], []).append(message)
    return found
