"""A store is moved into another: nothing is lost, nobody works on half of it, and everything goes on afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from signoff import App, Context
from signoff.clock import ManualClock, SystemClock
from signoff.errors import StoreError, StoreUnavailable
from signoff.service import copying as module
from signoff.service import ed25519
from signoff.service.audit import Audit
from signoff.service.copying import NOTES, Inventory, StoreCopying
from signoff.service.engine import Engine
from signoff.service.kinds import Kind, free_record, put_record
from signoff.stores.base import WorkflowStore
from signoff.stores.copies import Record
from signoff.stores.open import open_store
from signoff.streams import offset
from signoff.streams.stream import Branch, Payload, ProducerMark
from signoff.testing.store_contract.filled import comparable, dumped, everything, fill
from signoff.testing.store_contract.laws import done, head, known, start, write
from signoff.workflow import bundle
from tests.runtime.scene import Scene, person, working
from tests.servers import BACKENDS, fresh_url

PAIRS = [
    *((one, "sqlite") for one in BACKENDS),
    *(("sqlite", one) for one in BACKENDS if one != "sqlite"),
    ("postgres", "redis"),
    ("redis", "postgres"),
]


@dataclass
class Pair:
    """Two stores, closed; one is to be copied into the other."""

    source: WorkflowStore
    target: WorkflowStore

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open both."""
        await self.source.open()
        await self.target.open()
        try:
            yield
        finally:
            await self.source.close()
            await self.target.close()

    def copying(self, name: str = "here") -> StoreCopying:
        """Begin to copy, or go on."""
        return StoreCopying(self.source, self.target, name=name, clock=SystemClock())

    async def copy(self) -> Inventory:
        """Copy and compare all of it."""
        async with self.open():
            copying = self.copying()
            await copying.begin()
            await copying.copy()
            await copying.verify()
            await copying.finish()
            return copying.inventory


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    return _pair(tmp_path, *request.param)


@pytest.fixture
def files(tmp_path: Path) -> Pair:
    return _pair(tmp_path, "sqlite", "sqlite")


def _pair(folder: Path, source: str, target: str) -> Pair:
    for name in ("source", "target"):
        (folder / name).mkdir()
    return Pair(open_store(fresh_url(source, folder / "source")), open_store(fresh_url(target, folder / "target")))


async def test_the_copy_answers_as_the_source_does_and_the_source_is_as_it_was(pair: Pair) -> None:
    async with pair.open():
        await fill(pair.source)
        before = await everything(pair.source)
    inventory = await pair.copy()
    async with pair.open():
        assert await everything(pair.target) == before == await everything(pair.source)
        assert comparable(await dumped(pair.target)) == comparable(await dumped(pair.source))
        assert await pair.target.load_stream(NOTES) is None
    assert (inventory.counts["run"], inventory.counts["request"], inventory.counts["stream"]) == (7, 3, 18)


app = App()


@app.workflow
async def expense(ctx: Context, amount: int) -> list[Any]:
    checked = await ctx.step("check", lambda: amount)
    first = await ctx.await_input("approve", str, title="Pay?", to=["group:finance"])
    await ctx.sleep("1ms")
    return [checked, first.value]


async def _evidence(engine: Engine, run_id: str) -> bytes:
    """Return the evidence bundle of a run, as of one time."""
    return await Audit(engine.store, engine.committer, ManualClock()).export(run_id)


async def test_runs_go_on_after_the_move_and_offsets_of_browsers_hold(pair: Pair) -> None:
    engine = await Engine.open(pair.source)
    on = Scene(engine)
    async with working(app, on):
        asked = [await on.asks(await on.start("expense", n, run_id=f"r{n}"), "approve:0") for n in range(3)]
        await on.answer(asked[0], "yes", submission="s0", who=person("alice", "finance"))
        await on.reaches("r0", "completed")
    message = Payload("application/json", b'{"n":1}', 1)
    await engine.streams.create("chat/1", message)
    await engine.streams.append("chat/1", message, producer=ProducerMark("p", 0, 0))
    await engine.streams.create("chat/2", Payload("application/json", b"", 0), fork=Branch("chat/1"))
    await on.placed()
    paths = ("runs/r1", "inbox/group:finance", "chat/1", "chat/2", "workflows/expense")
    heads = {path: await engine.streams.head(path) for path in paths}
    history = await on.entries("r1")
    evidence = [await _evidence(engine, run_id) for run_id in ("r0", "r1")]
    await engine.close()
    await pair.copy()
    engine = await Engine.open(pair.target)
    on = Scene(engine)
    try:
        assert [await _evidence(engine, run_id) for run_id in ("r0", "r1")] == evidence
        for path in paths:
            assert await engine.streams.head(path) == heads[path], "a reader goes on at its offset, by its ETag"
            chunk = await engine.streams.read(path, offset.encode(heads[path].tail))
            assert (chunk.data, chunk.start) == (b"", heads[path].tail)
        assert await on.entries("r1") == history
        again = await on.answer(asked[0], "yes", submission="s0", who=person("alice", "finance"))
        assert again.replayed
        async with working(app, on):
            for n in (1, 2):
                await on.answer(asked[n], "yes", who=person("alice", "finance"))
                await on.reaches(f"r{n}", "completed")
                assert [entry["output"] for entry in await on.entries(f"r{n}", "run.completed")] == [[n, "yes"]]
        assert (await on.entries("r1"))[: len(history)] == history
        proven = bundle.verify(await _evidence(engine, "r1"), ed25519.is_good)
        assert (proven.entries, proven.hashed_from) == (len(await on.entries("r1")), 0)
        chunk = await engine.streams.read("runs/r1", offset.encode(heads["runs/r1"].tail))
        assert b'"completed"' in chunk.data
        repeated = await engine.streams.append("chat/1", message, producer=ProducerMark("p", 0, 0))
        assert (repeated.new, repeated.head.tail) == (False, 2)
        assert (await engine.streams.append("chat/1", message, producer=ProducerMark("p", 0, 1))).head.tail == 3
    finally:
        await engine.close()


class Crash(Exception):
    """The end of the process that copies."""


class Crashing:
    """A store that ends its user's process after so many pieces were restored, or so many notes written."""

    def __init__(self, store: WorkflowStore, *, restores: int = 1 << 30, commits: int = 1 << 30) -> None:
        self._store = store
        self._restores = restores
        self._commits = commits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def restore(self, records: Sequence[Record]) -> None:
        await self._store.restore(records)
        self._restores -= 1
        if self._restores < 0:
            raise Crash

    async def commit(self, changes: Any) -> Any:
        self._commits -= 1
        if self._commits < 0:
            raise Crash
        outcomes = await self._store.commit(changes)
        if self._commits == 0:
            raise Crash
        return outcomes


async def test_a_copy_that_was_ended_anywhere_is_gone_on_with(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", 2_500)
    async with pair.open():
        await fill(pair.source)
        before = await everything(pair.source)
        crashes = 0
        target = pair.target
        while True:
            kinds: list[dict[str, int]] = [{"restores": 0}, {"restores": 1}, {"commits": 1}, {"commits": 2}]
            pair.target = Crashing(target, **kinds[crashes % 4])
            copying = pair.copying()
            try:
                await copying.begin()
                await copying.copy()
                await copying.verify()
                await copying.finish()
            except Crash:
                crashes += 1
                with pytest.raises(StoreError, match="being filled"):
                    await StoreCopying(target, target, name="x", clock=SystemClock()).begin()
                continue
            break
        assert crashes >= 4
        assert copying.resumed
        assert await everything(target) == before
        assert await target.load_stream(NOTES) is None
        pair.target = target


async def test_nobody_works_on_half_a_store(pair: Pair) -> None:
    async with pair.open():
        await fill(pair.source)
        await pair.copying().begin()
    with pytest.raises(StoreError, match="being filled by `signoff db copy` from here, and not all is there yet"):
        await Engine.open(pair.target)
    await pair.copy()
    await (await Engine.open(pair.target)).close()


async def test_a_target_that_holds_something_else_is_left_alone(pair: Pair) -> None:
    async with pair.open():
        await done(pair.source, start("r1"))
        await done(pair.target, write(head(tail=1), b"1"))
        before = await everything(pair.target)
        with pytest.raises(StoreError, match="holds something already"):
            await pair.copying().begin()
        assert await everything(pair.target) == before


async def test_a_copy_of_another_source_is_not_gone_on_with(files: Pair) -> None:
    async with files.open():
        await done(files.source, start("r1"))
        await files.copying("there").begin()
        with pytest.raises(StoreError, match="a part of a copy of there"):
            await files.copying("here").begin()
        await files.copying("there").begin()


async def test_a_source_somebody_works_on_is_not_copied(pair: Pair) -> None:
    clock = ManualClock(1_000_000)
    announced = free_record(Kind.WORKER, "busy", b'{"workflows":["expense"]}', due_at=1_015_000)
    async with pair.open():
        await done(pair.source, start("r1", ready=True), put_record(announced))
        assert await pair.source.claim("busy", ["expense"], now=1_000_000, lease_ms=15_000, limit=1)
        copying = StoreCopying(pair.source, pair.target, name="here", clock=clock)
        with pytest.raises(
            StoreError, match=r"on the source: (run r1 is held by busy|worker busy has announced itself), "
        ):
            await copying.begin()
        clock.advance(15_000)
        await copying.begin()
        await copying.copy()
        await copying.verify()


async def test_a_source_that_changes_meanwhile_is_found_out(files: Pair) -> None:
    async with files.open():
        await done(files.source, start("r1"))
        copying = files.copying()
        await copying.begin()
        await done(files.source, start("r2"))
        with pytest.raises(StoreError, match=r"has changed while it was copied \(batch: 2 in the source, 4 in the"):
            await copying.copy()
        again = files.copying()
        await again.begin()
        assert again.resumed
        await again.copy()
        await again.verify()


async def test_what_is_not_the_same_is_told(files: Pair) -> None:
    async with files.open():
        await fill(files.source)
        copying = files.copying()
        await copying.begin()
        await copying.copy()
        at = await known(files.target)
        await done(files.target, write(at.changed(version=at.version + 1, tail=at.tail + 1), b"9"))
        with pytest.raises(StoreError, match=r"batch: 20 in the source, 21 in the target; stream: 18 in both, but not"):
            await copying.verify()


async def test_progress_is_told(files: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", 1_000)
    async with files.open():
        await fill(files.source)
        told: list[list[int]] = [[], [], []]
        copying = files.copying()
        for work, heard in zip((copying.begin, copying.copy, copying.verify), told, strict=True):
            await work(heard.append)
        for heard in told:
            assert heard == sorted(heard)
            assert heard[-1] == copying.inventory.size
            assert len(heard) > 5


async def test_an_empty_store_is_copied(pair: Pair) -> None:
    inventory = await pair.copy()
    assert (dict(inventory.counts), inventory.size) == ({}, 0)


async def test_trouble_with_a_store_is_told_as_such(files: Pair) -> None:
    with pytest.raises(StoreUnavailable):
        await files.copying().begin()
