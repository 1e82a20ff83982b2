"""Several processes write at once: nobody is lost in a deadlock, and a lost connection leaves no guess."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from signoff.errors import OutcomeUnknown, StoreUnavailable
from signoff.stores.change import Committed, Conflict, Post, Rejected
from signoff.stores.open import open_store
from signoff.stores.postgres.locked import Locked
from signoff.stores.postgres.store import PostgresStore
from signoff.testing.store_contract.laws import (
    advance,
    change,
    done,
    head,
    record,
    run,
    send,
    settle,
    start,
    text,
    write,
)
from tests.stores.postgres.conftest import Ask, OpenStore, end_session

_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


async def test_groups_in_opposite_order_meet_no_deadlock(opened: OpenStore, ask: Ask) -> None:
    """Two processes that write the same subjects, each in its own order, take turns."""
    one, other = await opened(), await opened()
    ids = [f"r{number}" for number in range(20)]
    await one.commit([start(run_id) for run_id in ids])
    [before] = await ask(_DEADLOCKS)
    for version in range(1, 15):
        groups = [[advance(run_id, version) for run_id in order] for order in (ids, ids[::-1])]
        outcomes = await asyncio.gather(one.commit(groups[0]), other.commit(groups[1]))
        for first, second in zip(outcomes[0], reversed(outcomes[1]), strict=True):
            assert {type(first), type(second)} == {Committed, Conflict}
    assert [before] == await ask(_DEADLOCKS)


async def test_a_group_of_steps_is_written_at_once_and_a_conflict_is_one_s_alone(opened: OpenStore) -> None:
    """What is in order is written with all it appends, whatever its neighbours expect, twice to one record too."""
    store = await opened()
    ids = [f"r{number}" for number in range(4)]
    await store.commit([start(run_id, ready=True) for run_id in ids])
    assert len(await store.claim("w", ["expense"], now=0, lease_ms=10**9, limit=9)) == 4
    assert {type(one) for one in await store.commit([advance(run_id, 1, epoch=1) for run_id in ids])} == {Committed}
    [before] = [await record(store, "r1")]
    group = [advance("r0", 2, epoch=1), advance("r1", 2, epoch=9), advance("r2", 7, epoch=1), advance("r3", 2, epoch=1)]
    first, lost, late, last = await store.commit(group)
    assert (lost, late) == (Conflict("epoch", "r1"), Conflict("version", "r2"))
    for outcome, run_id in ((first, "r0"), (last, "r3")):
        assert isinstance(outcome, Committed)
        assert outcome.batches[f"runs/{run_id}"] == (2, 3, b'{"row":2}')
        assert await text(store, f"runs/{run_id}") == b'{"type":"run"},{"row":1},{"row":2}'
    assert await record(store, "r1") == before
    assert await text(store, "runs/r2") == b'{"type":"run"},{"row":1}'
    twice = await store.commit([advance("r0", 3, epoch=1), advance("r0", 4, epoch=1), advance("r3", 3, epoch=1)])
    assert {type(one) for one in twice} == {Committed}
    assert (await record(store, "r0")).version == 5


async def test_steps_and_answers_in_opposite_order_meet_no_deadlock(opened: OpenStore, ask: Ask) -> None:
    """A worker and a server, of which one writes with a lease and the other without."""
    worker, server = await opened(), await opened()
    ids = [f"r{number}" for number in range(20)]
    await worker.commit([start(run_id, ready=True) for run_id in ids])
    assert len(await worker.claim("w", ["expense"], now=0, lease_ms=10**9, limit=20)) == 20
    [before] = await ask(_DEADLOCKS)
    for version in range(1, 15):
        steps = worker.commit([advance(run_id, version, epoch=1) for run_id in ids])
        answers = server.commit([advance(run_id, version) for run_id in ids[::-1]])
        outcomes = await asyncio.gather(steps, answers)
        for first, second in zip(outcomes[0], reversed(outcomes[1]), strict=True):
            assert {type(first), type(second)} == {Committed, Conflict}
    assert [before] == await ask(_DEADLOCKS)


async def test_a_server_that_was_read_only_for_a_while_is_written_to_again(opened: OpenStore, ask: Ask) -> None:
    """A session keeps what it began with; so none that may not write is kept."""
    store = await opened(application_name="while")
    await done(store, start("r1"))
    name = (await record(store)).name
    [[database]] = await ask("SELECT current_database()")

    async def fail() -> None:
        with pytest.raises(StoreUnavailable, match="read-only"):
            await store.commit([advance("r1", 1)])
        with pytest.raises(StoreUnavailable, match="read-only"):
            await store.renew("w", {name: 1}, until=1)
        with pytest.raises(StoreUnavailable, match="read-only"):
            await store.claim("w", ["flow"], now=1, lease_ms=1, limit=1)

    await ask(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    try:
        for [pid] in await ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'while'"):
            await end_session(ask, pid)
        with pytest.raises(StoreUnavailable):  # on a connection of before, or not, as soon as its end is heard of
            await store.commit([advance("r1", 1)])
        await fail()
    finally:
        await ask(f"ALTER DATABASE {database} RESET default_transaction_read_only")
    await done(store, advance("r1", 1))
    assert await store.renew("w", {name: 1}, until=1) == {name}


async def test_streams_are_made_together_in_one_call_and_appended_to_in_one(
    opened: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a look before: what was made here, or written in the long way, is remembered."""
    store = await opened()
    await done(store, write(head("first", tail=1), b"1"))  # numbers for new streams are at hand
    calls: list[str] = []

    async def counted(connection: Any, statement: str, *values: Any) -> Any:
        calls.append(statement)
        return await _fetch(connection, statement, *values)

    monkeypatch.setattr(asyncpg.Connection, "fetch", counted)
    heads = [head(f"notes/{n}", tail=1) for n in range(20)]
    made = [write(one, b"%d" % n) for n, one in enumerate(heads)]
    assert await store.commit(made) == [Committed({})] * 20
    assert len(calls) == 1
    assert await store.commit([write(one.changed(version=2, tail=2), b"x") for one in heads]) == [Committed({})] * 20
    assert len(calls) == 2
    await done(store, write(heads[0].changed(version=3, tail=2, ttl_s=60)))
    assert len(calls) > 3
    calls.clear()
    await done(store, write(heads[0].changed(version=4, tail=3, ttl_s=60), b"3"))
    assert len(calls) == 1
    monkeypatch.undo()
    assert (await text(store, "notes/0"), await text(store, "notes/7")) == (b"0,x,3", b"7,x")
    assert await store.find([made[7], write(head("never", tail=1), b"1")]) == [True, False]


async def test_who_makes_what_another_makes_is_refused_and_others_beside_it_are_not(opened: OpenStore) -> None:
    one, other = await opened(), await opened()
    for number in range(20):
        paths = [f"notes/{number}/{letter}" for letter in "abcdef"]
        changes = [
            [write(head(path, tail=1), name) for path in order]
            for name, order in ((b"1", paths[:4]), (b"2", paths[:1:-1]))
        ]
        first, second = await asyncio.gather(one.commit(changes[0]), other.commit(changes[1]))
        for path, (by_one, by_other) in zip(paths[2:4], zip(first[2:], second[:1:-1], strict=True), strict=True):
            assert {type(by_one), type(by_other)} == {Committed, Conflict}
            assert await text(one, path) == (b"1" if isinstance(by_one, Committed) else b"2")
        assert [type(outcome) for outcome in (*first[:2], *second[:2])] == [Committed] * 4


async def test_new_subjects_in_opposite_order_meet_no_deadlock(opened: OpenStore, ask: Ask) -> None:
    """Of two who make the same, in whatever order, each name is made once."""
    one, other = await opened(), await opened()
    [before] = await ask(_DEADLOCKS)
    for number in range(10):
        ids = [f"{number}:{each}" for each in range(10)]
        groups = [[start(run_id) for run_id in order] for order in (ids, ids[::-1])]
        outcomes = await asyncio.gather(one.commit(groups[0]), other.commit(groups[1]))
        for first, second in zip(outcomes[0], reversed(outcomes[1]), strict=True):
            assert {type(first), type(second)} == {Committed, Conflict}
    assert [before] == await ask(_DEADLOCKS)


async def test_posts_in_opposite_order_meet_no_deadlock(opened: OpenStore, ask: Ask) -> None:
    """They are recorded beside each other, and one at a time places them."""
    one, other = await opened(), await opened()
    [before] = await ask(_DEADLOCKS)
    inboxes = [Post(f"inbox/{name}", b"1", 1) for name in "abcd"]

    async def sends(store: PostgresStore, sender: str, posts: list[Post]) -> None:
        for version in range(10):
            await done(store, change(run(sender, version=version + 1), version, *posts))
            await store.place()

    await asyncio.gather(sends(one, "x", inboxes), sends(other, "y", inboxes[::-1]))
    await settle(one)
    assert [before] == await ask(_DEADLOCKS)
    for post in inboxes:
        assert await text(one, post.path) == b",".join([b"1"] * 20)


async def test_lanes_write_side_by_side(opened: OpenStore, ask: Ask) -> None:
    """What one waits for, a lock say, does not keep another one; calls about one subject keep their order."""
    store = await opened(lanes="2")
    await done(store, start("held"), start("free"))
    url = store.url.partition("&schema=")
    locker = await asyncpg.connect(url[0])
    async with locker.transaction():
        await locker.execute(f"SELECT 1 FROM {url[2].split('&')[0]}.subjects WHERE name = 'held' FOR UPDATE")
        held = [asyncio.ensure_future(store.commit([advance("held", version)])) for version in (1, 2)]
        for version in range(1, 5):
            await done(store, advance("free", version))
        assert not any(one.done() for one in held)
    await locker.close()
    assert [type(one) for outcomes in await asyncio.gather(*held) for one in outcomes] == [Committed, Committed]
    assert (await record(store, "held")).version == 3


async def test_what_others_wrote_meanwhile_is_noticed(opened: OpenStore) -> None:
    """What is remembered is no more than a guess: one that is wrong costs another look, never a wrong outcome."""
    one, other = await opened(), await opened()
    await done(one, start("r1"), write(head(tail=1), b"1"))
    await done(other, advance("r1", 1), write(head(version=2, tail=2), b"2"))
    outcomes = await one.commit([advance("r1", 1), write(head(version=2, tail=2), b"x"), start("r2")])
    assert outcomes == [Conflict("version", "r1"), Conflict("version", "notes"), outcomes[2]]
    assert isinstance(outcomes[2], Committed)
    await done(one, advance("r1", 2), write(head(version=3, tail=3), b"3"))
    assert await text(other, "notes") == b"1,2,3"


async def test_what_postgresql_cannot_keep_is_rejected_in_words(opened: OpenStore) -> None:
    """A text with NUL, which is Unicode and yet no text to it; its neighbours are written."""
    store = await opened()
    outcomes = await store.commit(
        [start("a"), start("b\x00"), change(run("c", terms=("t",))), send("d", 0, "i\x00", b"1")]
    )
    assert [type(one) for one in outcomes] == [Committed, Rejected, Committed, Rejected]
    assert isinstance(outcomes[1], Rejected)
    assert "cannot keep" in outcomes[1].error.detail
    path = "p" * 8_000 + "".join(map(chr, range(0x4E00, 0x5E00)))  # longer than an index of its takes
    [outcome] = await store.commit([write(head(path))])
    assert isinstance(outcome, Rejected)


# -- lost connections --------------------------------------------------------------------------------------------------


class Cut:
    """A connection that is ended by the server in the middle of what it does.

    Args:
        when: part of the statement, before or after which.
    """

    def __init__(self, ask: Ask, when: str, *, after: bool) -> None:
        self.ask, self.when, self.after = ask, when, after
        self.done = False

    async def fetch(self, connection: Any, statement: str, *values: Any) -> Any:
        if self.done or self.when not in statement:
            return await _fetch(connection, statement, *values)
        self.done = True
        pid = connection.get_server_pid()
        found = await _fetch(connection, statement, *values) if self.after else None
        await end_session(self.ask, pid)
        if self.after:
            await _fetch(connection, "SELECT 1")
        return found if self.after else await _fetch(connection, statement, *values)


_fetch = asyncpg.Connection.fetch


@pytest.mark.parametrize("after", [False, True])
async def test_a_lost_answer_is_found_out(
    opened: OpenStore, ask: Ask, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Whether the commit arrived before the connection was lost, or not; what follows goes on a new connection."""
    store = await opened()
    await done(store, start("r1"))
    for version, changes in enumerate(([advance("r1", 1)], [advance("r1", 2), start("r2")]), 1):
        cut = Cut(ask, "_v1(", after=after)
        with monkeypatch.context() as patched:
            patched.setattr(asyncpg.Connection, "fetch", lambda c, s, *v, cut=cut: cut.fetch(c, s, *v))
            with pytest.raises(OutcomeUnknown):
                await store.commit(changes)
        assert await store.find(changes) == [after] * len(changes)
        assert (await record(store)).version == version + after
        if not after:
            assert [type(one) for one in await store.commit(changes)] == [Committed] * len(changes)


async def test_what_was_lost_on_its_way_never_arrives_after_it_was_denied(opened: OpenStore, ask: Ask) -> None:
    """The server may still have a commit before it, whose sender is gone: it is refused once somebody has looked."""
    store = await opened()
    await done(store, start("r1"))
    late = advance("r1", 1)
    session = 12345
    store._context.lost.add(session)
    assert await store.find([late]) == [False]
    async with store._reader.connection() as connection:
        with pytest.raises(asyncpg.PostgresError, match="given up"):
            await Locked(connection, store._context, session, iter([1, 2])).run([late])
    assert (await record(store)).version == 1


async def test_who_looks_waits_for_what_is_under_way(opened: OpenStore, ask: Ask) -> None:
    """A commit that has begun when its connection is lost may still be kept: nobody denies it before it has ended."""
    store = await opened()
    await done(store, start("r1"))
    lost = advance("r1", 1)
    session = 999
    async with store._reader.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await Locked(connection, store._context, session, iter(range(9))).run([lost])
        store._context.lost.add(session)
        looking = asyncio.ensure_future(store.find([lost]))
        async with asyncio.timeout(30):
            while not await ask("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                assert not looking.done()
        await transaction.commit()
    assert await looking == [True]


async def test_a_server_that_is_away_is_named() -> None:
    """In one line, without the password, and with what to do."""
    store = open_store("postgresql://me:secret@127.0.0.1:1/claims")
    with pytest.raises(StoreUnavailable, match="nothing listens there") as caught:
        await store.open()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
