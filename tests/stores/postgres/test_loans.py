"""What a step's transaction on PostgreSQL may do, and what it may not."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from signoff.errors import OutcomeUnknown
from signoff.stores.change import Committed
from signoff.stores.postgres import loans
from signoff.stores.postgres.loans import PostgresTransaction
from signoff.testing.store_contract.laws import advance, done, record, start
from tests.stores.postgres.conftest import Ask, OpenStore, end_session


@pytest.mark.parametrize("statement", ["COMMIT", " rollback", "END;", "begin", "Start  Transaction", "ABORT"])
async def test_it_cannot_end_itself(opened: OpenStore, statement: str) -> None:
    """What would is refused, and it goes on."""
    store = await opened()
    async with store.transaction() as tx:
        with pytest.raises(ValueError, match="begins and ends with the step"):
            await tx.execute(statement)
        assert [dict(row) for row in await tx.fetch("SELECT 1 AS one")] == [{"one": 1}]
        assert isinstance(await tx.commit(start("r1")), Committed)


@pytest.mark.parametrize("statement", ["SET LOCAL transaction_read_only = on", "SET ROLE pg_monitor"])
async def test_what_its_statements_set_hinders_itself_alone(opened: OpenStore, statement: str) -> None:
    """It has failed, and is not tried for ever as if the store could not be reached."""
    store = await opened(pool="1")
    async with store.transaction() as tx:
        await tx.execute(statement)
        with pytest.raises(RuntimeError, match="after what its statements have set"):
            await tx.commit(start("r1"))
    await done(store, start("r1"))
    async with store.transaction() as tx:
        assert isinstance(await tx.commit(advance("r1", 1)), Committed)


async def test_it_leaves_nothing_to_the_next_one_on_its_connection(opened: OpenStore) -> None:
    """Which is some other run's: settings, locks, tables of the session and the like end with it."""
    store = await opened(pool="1")
    states = (
        "SHOW search_path",
        "SHOW lock_timeout",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objid = 42",
        "SELECT to_regclass('pg_temp.t')::text",
        "SELECT count(*) FROM pg_cursors",
        "SELECT count(*) FROM pg_listening_channels()",
    )

    async def state(tx: PostgresTransaction) -> list[Any]:
        return [dict(row) for statement in states for row in await tx.fetch(statement)]

    async with store.transaction() as tx:
        before, pid = await state(tx), await tx.fetch("SELECT pg_backend_pid()")
        await tx.execute("SET search_path TO elsewhere")
        await tx.execute("SET lock_timeout = 77")
        await tx.execute("SELECT pg_advisory_lock(42)")
        await tx.execute("CREATE TEMP TABLE t (n int)")
        await tx.execute("DECLARE c CURSOR WITH HOLD FOR SELECT 1")
        await tx.execute("LISTEN x")
        assert isinstance(await tx.commit(start("r1")), Committed)
    async with store.transaction() as tx:
        assert await tx.fetch("SELECT pg_backend_pid()") == pid
        assert await state(tx) == before


async def test_two_statements_in_one_are_refused(opened: OpenStore) -> None:
    """So none can hide behind another."""
    store = await opened()
    async with store.transaction() as tx:
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await tx.execute("SELECT 1; COMMIT")


async def test_what_was_ended_by_the_driver_s_connection_is_noticed(opened: OpenStore) -> None:
    """`native` is the driver's own; who ends the transaction by it has not recorded the step."""
    store = await opened()
    async with store.transaction() as tx:
        assert isinstance(tx.native, asyncpg.Connection)
        await tx.native.execute("COMMIT")
        await tx.native.execute("BEGIN")
        with pytest.raises(RuntimeError, match="has ended"):
            await tx.commit(start("r1"))
    await done(store, start("r1"))


async def test_values_and_counts(opened: OpenStore) -> None:
    """Values stand as $1; how many rows were changed is told."""
    store = await opened()
    async with store.transaction() as tx:
        await tx.execute("CREATE TEMP TABLE t (n bigint)")
        assert await tx.execute("INSERT INTO t SELECT generate_series(1, $1::bigint)", 5) == 5
        assert await tx.execute("DELETE FROM t WHERE n > $1", 3) == 2
        assert await tx.execute("SELECT 1") == 0
        assert [row["n"] for row in await tx.fetch("SELECT n FROM t ORDER BY n")] == [1, 2, 3]


async def test_what_does_not_hold_together_is_not_kept(opened: OpenStore) -> None:
    """A constraint that is checked at the end refuses the step with it, as the driver says it."""
    store = await opened()
    async with store.transaction() as tx:
        await tx.execute("CREATE TEMP TABLE a (id int PRIMARY KEY)")
        await tx.execute("CREATE TEMP TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED)")
        await tx.execute("INSERT INTO b VALUES (1)")
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await tx.commit(start("r1"))
    assert await store.load(start("r1").write.subject.name) is None  # type: ignore[union-attr]


async def test_one_that_takes_too_long_is_undone(opened: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so at its next statement."""
    store = await opened()
    monkeypatch.setattr(loans, "LIMIT_S", 0.05)
    async with store.transaction() as tx:
        await asyncio.sleep(0.1)
        with pytest.raises(TimeoutError, match="took longer"):
            await tx.execute("SELECT 1")
        with pytest.raises(TimeoutError, match="nothing of it was kept"):
            await tx.commit(start("r1"))


async def test_a_lost_commit_is_found_out(opened: OpenStore, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is unknown, never guessed, and then looked for."""
    store = await opened()
    await done(store, start("r1"))
    late = advance("r1", 1)
    async with store.transaction() as tx:
        pid = tx.native.get_server_pid()
        write = tx._write

        async def then_lost(change: object) -> object:
            outcome = await write(late)
            await end_session(ask, pid)
            return outcome

        monkeypatch.setattr(tx, "_write", then_lost)
        with pytest.raises(OutcomeUnknown):
            await tx.commit(late)
    assert await store.find([late]) == [False]
    assert (await record(store)).version == 1
