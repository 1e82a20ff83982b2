"""What an append moves lies apart from the rest of a head, and the end of a stream's life moves with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from signoff.stores.change import Committed
from signoff.stores.sqlite.connection import connect, prepare, statements
from signoff.stores.sqlite.statements import migrations
from signoff.streams.expiry import end, instant
from signoff.streams.stream import Fork, Head, ProducerMark, Write
from signoff.testing.store_contract.laws import change, done, family, head, own, run, start, tails
from tests.service.streams.scene import opened
from tests.stores.blind import blind
from tests.stores.sqlite.test_plain_appends import append

MARK = ProducerMark("p", 1, 2)
OLD = (
    head("plain", version=7, tail=3, last_seq="s", touched_at=400, base=1, compacted=True, refs=2),
    head("closed", version=8, tail=1, closed=True, closed_by=MARK, fork=Fork("plain", "i1", 1, 1)),
    head("sliding", version=9, tail=2, touched_at=1_000, ttl_s=33),
    head("dated", version=3, tail=1, touched_at=2_000, expires_at="1970-01-01T00:00:30Z"),
    head("gone", version=4, tail=1, touched_at=1_000, ttl_s=1, deleted=True, refs=1),
    head("gone too", version=5, tail=1, expires_at="1970-01-01T00:00:02Z", deleted=True, refs=1),
    head("inbox/a", version=2, tail=2, engine=True, created_at=0),
)


def columns(one: Head) -> dict[str, Any]:
    """Return a head as version 6 of the schema had it."""
    moving = {"version": one.version, "tail": one.tail, "last_seq": one.last_seq, "touched_at": one.touched_at}
    names = ("path", "incarnation", "base", "content_type", "closed", "engine", "created_at", "ttl_s", "expires_at")
    found = moving | {name: getattr(one, name) for name in (*names, "refs", "deleted", "compacted")}
    if (mark := one.closed_by) is not None:
        found |= {"closed_by_producer": mark.producer_id, "closed_by_epoch": mark.epoch, "closed_by_seq": mark.seq}
    if (fork := one.fork) is not None:
        found |= {"fork_path": fork.path, "fork_incarnation": fork.incarnation}
        found |= {"fork_at": fork.at, "fork_depth": fork.depth}
    return found | {"ends_at": None if one.expires_at is None else instant(one.expires_at)}


def write_old_file(path: Path) -> None:
    """Write a file of version 6, in which each stream has one batch for each unit."""
    connection = connect(path)
    for script in migrations()[:6]:
        for statement in statements(script):
            connection.execute(statement)
    batch = 0
    for number, one in enumerate(OLD, 1):
        previous = None
        for position in range(one.base, one.tail):
            batch += 1
            values = (batch, number, position, position + 1, previous, b"%d" % position)
            connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", values)
            previous = batch
        row = columns(one) | {"id": number, "last_batch": previous, "stretch": 1024}
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO streams ({names}) VALUES ({marks})", tuple(row.values()))
    connection.execute("PRAGMA application_id = 0x5369676E")
    connection.execute("PRAGMA user_version = 6")
    connection.close()


async def test_an_older_file_reads_the_same_and_goes_on(tmp_path: Path) -> None:
    write_old_file(tmp_path / "f.db")
    connection = connect(tmp_path / "f.db")
    prepare(connection, tmp_path / "f.db")
    ends = dict(connection.execute("SELECT path, ends_at FROM streams"))
    connection.close()
    assert ends == {one.path: end(one) for one in OLD}

    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        for one in OLD:
            found = await store.read(one.path, 0, 1 << 20)
            assert found is not None
            assert found[0] == one
            assert [batch.data for batch in found[1]] == [b"%d" % start for start in range(one.base, one.tail)]
        listed = [one.path for one in await store.list_streams("", limit=9)]
        assert listed == sorted(one.path for one in OLD if not one.deleted)
        assert await store.ended_streams(now=36_061, limit=9) == ["dated"]
        assert await store.ended_streams(now=36_062, limit=9) == ["dated", "sliding"]
        for one in (OLD[0], OLD[2]):
            moved, change = append(one, b"new")
            await done(store, change)
            found = await store.read(one.path, one.tail - 1, 1 << 20)
            assert found is not None
            assert found[0] == moved
            assert [batch.data for batch in found[1]] == [b"%d" % (one.tail - 1), b"new"]
        assert await store.ended_streams(now=36_062, limit=9) == ["dated"]
        await done(store, blind("inbox/a", b"new"))
        assert await tails(store, "inbox/a") == {"inbox/a": (3, False)}


async def test_of_two_who_write_a_stream_of_the_engine_each_moves_what_is_its_own(tmp_path: Path) -> None:
    """An application's fork moves its references; whether it has ended, and how far it goes, is its subject's."""
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        await done(store, start("r1"))
        state = await store.load_stream("runs/r1")
        assert state is not None
        forked = state.head.changed(version=9, refs=1)
        close = change(run("r1", version=2), appends=(own("runs/r1", b"2", close=True),))
        for changes in ([close, family(Write(forked, state.head.version, 1))],):
            assert [type(outcome) for outcome in await store.commit(changes)] == [Committed, Committed]
        assert await tails(store, "runs/r1") == {"runs/r1": (2, True)}
        state = await store.load_stream("runs/r1")
        assert state is not None
        assert (state.head.version, state.head.refs, state.head.closed) == (9, 1, True)
