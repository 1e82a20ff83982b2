"""Appends that go the short way, as one statement, do what all others do; and what cannot go it goes the long way."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from random import getrandbits
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.errors import StoreUnavailable
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Batch, Change, Committed, Conflict, FamilyWrite, Outcome, Rejected, StreamDelete
from signoff.stores.memory import MemoryStore
from signoff.stores.open import open_store
from signoff.stores.sqlite.plain_appends import SIZES
from signoff.streams.stream import Head, ProducerMark, Write
from signoff.testing.store_contract.laws import done, family, head, tails
from tests.service.streams.scene import opened
from tests.stores.blind import blind
from tests.stores.sqlite.file import rows
from tests.stores.sqlite.watched import Watched

PATHS = ("a", "b", "c")
LIVES = {"b": 1, "c": 0}
"""Seconds that some of them have to live."""


def append(before: Head, data: bytes = b"x", **more: Any) -> tuple[Head, Change]:
    """Return the head after an append, and the Change that makes it."""
    moved = before.moved(len(data), before.touched_at + 1, getrandbits(62))
    return moved, family(Write(moved, before.version, before.tail, data, **more))


@pytest.mark.parametrize("producers", [True, False])
@pytest.mark.parametrize("count", [1, 5, 31, SIZES[-1], SIZES[-1] + 1])
async def test_many_appends_are_one_statement(
    tmp_path: Path, watched: type[Watched], count: int, producers: bool
) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        heads = {path: head(path, version=1, tail=0) for path in PATHS}
        await done(store, *(family(Write(one, 0, 0)) for one in heads.values()))
        watched.short = watched.long = 0
        changes = []
        for number in range(count):
            path = PATHS[number % 3]
            mark = ProducerMark(f"p{number % 2}", 0, number) if producers else None
            heads[path], change = append(heads[path], b"%d" % (number % 10), producer=mark)
            changes.append(change)
        outcomes = await store.commit(changes)
        assert [type(one) for one in outcomes] == [Committed] * count
        assert (watched.short, watched.long) == ((1, 0) if count <= SIZES[-1] else (0, 1))
        for first, path in enumerate(PATHS):
            found = await store.read(path, 0, 1 << 20)
            assert found is not None
            assert found[0] == heads[path]
            assert b"".join(batch.data for batch in found[1]) == b"".join(
                b"%d" % (number % 10) for number in range(first, count, 3)
            )
            for name in (0, 1):
                state = await store.load_stream(path, f"p{name}")
                last = max((number for number in range(first, count, 3) if number % 2 == name), default=None)
                assert state is not None
                told = producers and last is not None
                assert state.producer == (ProducerMark(f"p{name}", 0, last or 0) if told else None)


@pytest.mark.parametrize("short", [True, False])
async def test_an_append_moves_the_end_of_a_stream_with_a_time_to_live(
    tmp_path: Path, watched: type[Watched], short: bool
) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        sliding = head("sliding", touched_at=1_000, ttl_s=16)
        dated = head("dated", touched_at=1_000, expires_at="1970-01-01T00:00:19Z")
        gone = head("gone", touched_at=1_000, ttl_s=1, deleted=True, refs=1)
        heads = [sliding, dated, gone, head("plain", touched_at=1_000)]
        await done(store, *(family(Write(one, 0, 0)) for one in heads))
        assert await store.ended_streams(now=18_000, limit=9) == ["sliding"]
        moved = [append(one._replace(touched_at=4_999)) for one in heads]
        changes = [change for _, change in moved]
        if not short:
            changes.append(blind("inbox/a", b"1"))
        watched.short = watched.long = 0
        assert {type(outcome) for outcome in await store.commit(changes)} == {Committed}
        assert (watched.short, watched.long) == ((1, 0) if short else (0, 1))
        assert await store.ended_streams(now=21_999, limit=9) == ["dated"]
        assert await store.ended_streams(now=22_000, limit=9) == ["dated", "sliding"]
        for one, _ in moved:
            state = await store.load_stream(one.path)
            assert state is not None
            assert state.head == one


async def test_an_append_at_no_time_is_refused_alone(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        one, two = head("a", touched_at=1, ttl_s=16), head("b", touched_at=1, ttl_s=16)
        await done(store, *(family(Write(each, 0, 0)) for each in (one, two)))
        moved, fine = append(one)
        wrong = two.moved(1, 2, 3).changed(touched_at="now")
        outcomes = await store.commit([fine, family(Write(wrong, two.version, 0, b"x"))])
        assert [type(outcome) for outcome in outcomes] == [Committed, Rejected]
        await done(store, append(moved)[1], append(two)[1])


async def test_what_is_too_much_for_one_statement_is_left_for_the_next(tmp_path: Path, watched: type[Watched]) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        one = head("a", version=1, tail=0)
        await done(store, family(Write(one, 0, 0)))
        watched.short = watched.long = 0
        changes = []
        for number in range(600):
            one, change = append(one, b"%d" % (number % 10))
            changes.append(change)
        for outcomes in await asyncio.gather(*(store.commit(changes[at : at + 100]) for at in range(0, 600, 100))):
            assert [type(outcome) for outcome in outcomes] == [Committed] * 100
        assert watched.long == 0
        assert 3 <= watched.short <= 6
        found = await store.read("a", 0, 1 << 20)
        assert found is not None
        assert b"".join(batch.data for batch in found[1]) == b"0123456789" * 60


async def test_another_process_s_write_is_met_on_the_long_way(tmp_path: Path, watched: type[Watched]) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        other = open_store(f"sqlite:///{tmp_path}/f.db")
        await other.open()
        one, two = head("a", version=1, tail=0), head("b", version=1, tail=0)
        await done(store, family(Write(one, 0, 0)), family(Write(two, 0, 0)))
        one, first = append(one)
        two, second = append(two)
        await done(store, first, second)
        theirs, foreign = append(one, b"theirs")
        await done(other, foreign)
        watched.short = watched.long = 0
        ahead, stale = append(one, b"stale")
        _, on_stale = append(ahead, b"more")
        two, fine = append(two, b"fine")
        outcomes = await store.commit([stale, fine, on_stale])
        assert outcomes[0] == outcomes[2] == Conflict("version", "a")
        assert isinstance(outcomes[1], Committed)
        assert (watched.short, watched.long) == (1, 1)
        _, after = append(theirs, b"after")
        await done(store, after)
        found = await store.read("a", 0, 1 << 20)
        assert found is not None
        assert [batch.data for batch in found[1]] == [b"x", b"theirs", b"after"]
        await other.close()


async def test_row_numbers_that_another_process_took_harm_nobody(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        other = open_store(f"sqlite:///{tmp_path}/f.db")
        await other.open()
        heads = {store: head("a", version=1, tail=0), other: head("b", version=1, tail=0)}
        for who, one in heads.items():
            await done(who, family(Write(one, 0, 0)))
        for turn in (store, other, other, store, store, other):
            heads[turn], change = append(heads[turn])
            await done(turn, change)
        assert rows(tmp_path / "f.db", "batches") == 6
        await other.close()


@pytest.mark.parametrize("effect", [True, False])
async def test_the_outcome_of_a_statement_whose_reply_is_lost_is_looked_up(
    tmp_path: Path, watched: type[Watched], effect: bool
) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        one = head("a", version=1, tail=0)
        await done(store, family(Write(one, 0, 0)))
        moved, change = append(one)
        watched.fault = effect
        if effect:
            assert [type(outcome) for outcome in await store.commit([change])] == [Committed]
        else:
            with pytest.raises(StoreUnavailable, match=r"I/O error.*Nothing was written"):
                await store.commit([change])
            await done(store, change)
        _, more = append(moved)
        await done(store, more)
        assert await tails(store, "a") == {"a": (2, False)}
        assert rows(tmp_path / "f.db", "batches") == 2


@dataclass(frozen=True)
class Act:
    """Say what to do to a stream, on its head or on an older one, and whether another process does it."""

    kind: str
    path: str
    stale: bool
    data: bytes
    producer: ProducerMark | None


acts = st.builds(
    Act,
    kind=st.sampled_from(["append"] * 6 + ["create", "close", "delete", "touch", "engine", "wrong"]),
    path=st.sampled_from(PATHS),
    stale=st.sampled_from([False] * 5 + [True]),
    data=st.sampled_from([b"1", b"22", b"x" * 70_000]),
    producer=st.none() | st.builds(ProducerMark, st.sampled_from("pq"), st.integers(0, 1), st.integers(0, 3)),
)
commits = st.lists(
    st.tuples(st.lists(acts, min_size=1, max_size=8), st.sampled_from([False] * 3 + [True])), max_size=12
)


class Teller:
    """Turn acts into Changes, as one who follows what becomes of them."""

    def __init__(self) -> None:
        self.heads: dict[str, list[Head]] = {}
        self.drawn = 100

    def change(self, act: Act) -> Change:
        """Return a Change, deciding on the newest head known, or on the one before."""
        if act.kind == "engine":
            return blind(f"inbox/{act.path}", b"1")
        known = self.heads.get(act.path, [])
        self.drawn += 1
        if act.kind == "create" or not known:
            new = head(act.path, version=self.drawn, tail=0, ttl_s=LIVES.get(act.path))
            return family(Write(new, 0, 0))
        before = known[-2] if act.stale and len(known) > 1 else known[-1]
        moved = before.moved(len(act.data), self.drawn, self.drawn)
        match act.kind:
            case "delete":
                return family(StreamDelete(act.path, before.version))
            case "close":
                moved = moved.changed(closed=True)
            case "touch":
                moved = before._replace(version=self.drawn, touched_at=self.drawn)
                return family(Write(moved, before.version, before.tail))
            case "wrong":
                return family(Write(moved, before.version, before.tail, "text"))  # type: ignore[arg-type]
        return family(Write(moved, before.version, before.tail, act.data, act.producer))

    def saw(self, change: Change, outcome: Outcome | Rejected) -> None:
        """Learn how a Change ended."""
        if isinstance(outcome, Committed):
            for write in change.write.streams if isinstance(change.write, FamilyWrite) else ():
                if isinstance(write, StreamDelete):
                    self.heads.pop(write.path, None)
                else:
                    self.heads.setdefault(write.head.path, []).append(write.head)


def told(act: Act, outcome: Outcome | Rejected) -> Any:
    """Return what stores agree on: which of two reasons a Change is refused for is the store's to say."""
    return "refused" if act.kind == "wrong" and not isinstance(outcome, Committed) else outcome


def one_batch(batches: Iterable[Batch]) -> Batch:
    """Return what follows each other as if it had come at once."""
    return reduce(lambda before, one: before.joined(one.end, one.data), batches)


async def look(store: WorkflowStore) -> list[Any]:
    """Return all that can be seen of the streams."""
    seen: list[Any] = []
    for path in (*PATHS, *(f"inbox/{path}" for path in PATHS)):
        found = await store.read(path, 0, 1 << 30)
        if found is None:
            seen.append(None)
        elif found[0].engine:  # what was posted in one commit, a store may keep together
            seen.append((found[0].changed(incarnation="-", version=0), one_batch(found[1])))
        else:
            seen.append((found[0].changed(incarnation="-"), found[1]))
        for name in "pq":
            state = await store.load_stream(path, name)
            seen.append(state and state.producer)
    seen += [await store.ended_streams(now=now, limit=9) for now in (0, *range(100, 300, 5), *range(1062, 1362, 5))]
    return seen


@settings(max_examples=120, deadline=None)
@given(commits)
async def test_two_connections_do_what_memory_does(script: list[tuple[list[Act], bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/f.db"
        memory, ours, theirs, teller = MemoryStore(), open_store(url), open_store(url), Teller()
        for store in (memory, ours, theirs):
            await store.open()
        for chosen, foreign in script:
            ahead = Teller()
            ahead.heads = {path: list(known) for path, known in teller.heads.items()}
            ahead.drawn = teller.drawn
            changes = []
            for act in chosen:
                changes.append(ahead.change(act))
                ahead.saw(changes[-1], Committed())  # decided on what will be, if nothing conflicts
            teller.drawn = ahead.drawn
            expected = await memory.commit(changes)
            found = await (theirs if foreign else ours).commit(changes)
            assert list(map(told, chosen, found)) == list(map(told, chosen, expected))
            for change, outcome in zip(changes, expected, strict=True):
                teller.saw(change, outcome)
        assert await look(ours) == await look(memory)
        for store in (ours, theirs):
            await store.close()
