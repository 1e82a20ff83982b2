"""Steps that go the short way, as one statement, do what all others do; and what cannot go it goes the long way."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from signoff.errors import StoreUnavailable
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Change, Committed, Conflict, Name, Post
from signoff.stores.open import open_store
from signoff.testing.store_contract.agreement import AgreementLaws
from signoff.testing.store_contract.laws import advance, done, journal, record, start, tails, text
from tests.service.streams.scene import opened
from tests.stores.sqlite.file import rows
from tests.stores.sqlite.watched import Watched

R1 = Name("run", "r1")
R2 = Name("run", "r2")


def step(run_id: str, version: int, **members: Any) -> Change:
    """Move a run on, and tell of it in a listing."""
    change = advance(run_id, version, **members)
    return change._replace(posts=(Post("workflows/expense", b'"%s"' % run_id.encode(), 1),))


async def test_steps_of_several_runs_are_one_statement(tmp_path: Path, watched: type[Watched]) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        await done(store, start("r1"), start("r2"), step("r1", 1))
        watched.short = watched.long = 0
        changes = [step("r1", 2, wake_at=None), step("r2", 1, state=b'{"s":2}')]
        outcomes = await store.commit(changes)
        assert (watched.short, watched.long) == (1, 0)
        assert [isinstance(one, Committed) for one in outcomes] == [True, True]
        assert isinstance(outcomes[0], Committed)
        assert outcomes[0].batches[journal("r1")][:2] == (2, 3)
        assert outcomes[0].batches["workflows/expense"][:2] == (1, 2)
        assert await text(store, journal("r1")) == b'{"type":"run.started"},{"n":1},{"n":2}'
        assert await text(store, "workflows/expense") == b'"r1","r1","r2"'
        assert await tails(store, "runs/r2", journal("r2")) == {"runs/r2": (2, False), journal("r2"): (2, False)}
        assert (await record(store, "r2")).state == b'{"s":2}'
        assert await store.find(changes) == [True, True]


@pytest.mark.parametrize(
    "change",
    [
        step("r1", 1, terms=("other",)),
        step("r1", 1, ready=True),
        step("r1", 1, wake_at=7),
        step("r1", 1, queue=None),
        step("new", 1)._replace(),
    ],
)
async def test_what_indexes_hold_is_moved_on_the_long_way(
    tmp_path: Path, watched: type[Watched], change: Change
) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        await done(store, start("r1"), step("r1", 1)._replace(write=start("r2").write))
        watched.short = watched.long = 0
        await store.commit([change])
        assert (watched.short, watched.long) == (0, 1)


@pytest.mark.parametrize("effect", [True, False])
async def test_the_outcome_of_a_statement_whose_reply_is_lost_is_looked_up(
    tmp_path: Path, watched: type[Watched], effect: bool
) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        await done(store, start("r1"), step("r1", 1))
        held = rows(tmp_path / "f.db", "batches")
        watched.fault = effect
        if effect:
            assert [type(one) for one in await store.commit([step("r1", 2)])] == [Committed]
        else:
            with pytest.raises(StoreUnavailable, match=r"I/O error.*Nothing was written"):
                await store.commit([step("r1", 2)])
            await done(store, step("r1", 2))
        await done(store, step("r1", 3))
        assert (await record(store)).version == 4
        assert rows(tmp_path / "f.db", "batches") == held + 6


async def test_another_process_s_write_is_met_on_the_long_way(tmp_path: Path, watched: type[Watched]) -> None:
    async with (
        opened(f"sqlite:///{tmp_path}/f.db") as store,
        opened(f"sqlite:///{tmp_path}/f.db") as other,
    ):
        await done(store, start("r1"), start("r2"), step("r1", 1), step("r2", 1))
        await done(other, step("r1", 2))
        watched.short = watched.long = 0
        outcomes = await store.commit([step("r1", 2), step("r2", 2)])
        assert outcomes[0] == Conflict("version", "r1")
        assert isinstance(outcomes[1], Committed)
        assert (watched.short, watched.long) == (1, 1)
        assert await text(store, "workflows/expense") == b'"r1","r2","r1","r2"'


async def test_a_lease_that_another_process_took_or_gave_up_is_seen(tmp_path: Path, watched: type[Watched]) -> None:
    async with (
        opened(f"sqlite:///{tmp_path}/f.db") as store,
        opened(f"sqlite:///{tmp_path}/f.db") as other,
    ):
        await done(store, start("r1", ready=True), step("r1", 1, ready=True))
        [held] = await store.claim("w", ["expense"], now=0, lease_ms=100, limit=1)
        await done(store, step("r1", 2, epoch=held.epoch, ready=True))
        await other.release("w", {R1: held.epoch})
        watched.short = watched.long = 0
        # Without a lease nothing is due any more: what the other process made due may not stay so.
        await done(store, step("r1", 3))
        assert (watched.short, watched.long) == (1, 1)
        assert await store.next_due(["expense"]) is None
        await done(store, step("r1", 4, ready=True))
        [theirs] = await other.claim("v", ["expense"], now=5, lease_ms=100, limit=1)
        assert await store.commit([step("r1", 5, epoch=held.epoch)]) == [Conflict("epoch", "r1")]
        assert (await record(store)).lease_owner == "v"
        assert theirs.epoch == held.epoch + 1


class InTurn:
    """Two stores on one file, of which now one is asked and now the other."""

    def __init__(self, folder: Path) -> None:
        self._stores = [open_store(f"sqlite:///{folder}/signoff.db") for _ in range(2)]
        self._turn = cycle([0, 0, 1, 0, 1, 1, 1, 0])

    async def open(self) -> None:
        for store in self._stores:
            await store.open()

    async def close(self) -> None:
        for store in self._stores:
            await store.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stores[next(self._turn)], name)


class TestTwoConnections(AgreementLaws):
    """Two writers of one file do together what a model does alone."""

    def new_store(self, folder: Path) -> WorkflowStore:
        return InTurn(folder)
