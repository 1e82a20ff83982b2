"""A store that is away for a while: what is said of it, and what becomes of attempts that were due."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

import pytest

from signoff import App, Context, Retry, Transaction, current_step
from signoff.clock import ManualClock
from signoff.runtime.observe import StoreTrouble
from tests.runtime.scene import Scene, scene, working
from tests.runtime.test_observe import NOON, Recorder
from tests.servers import PostgresServer, Proxy, RedisServer

NewProxy = Callable[[int], Proxy]

AT_ONCE = 20
ROUNDS = 4


@pytest.fixture(params=["postgres", "redis"])
def away(request: pytest.FixtureRequest, new_proxy: NewProxy) -> tuple[str, Proxy]:
    """The address of a store, and the proxy on the way there."""
    server = request.getfixturevalue(f"own_{request.param}")
    assert isinstance(server, PostgresServer | RedisServer)
    proxy = new_proxy(server.port)
    return (server.tcp_url if isinstance(server, PostgresServer) else server.url)(port=proxy.port), proxy


async def test_each_part_says_once_that_the_store_is_away_and_once_that_it_is_back(
    away: tuple[str, Proxy], caplog: pytest.LogCaptureFixture
) -> None:
    url, proxy = away
    app, began, gate = App(), asyncio.Semaphore(0), asyncio.Event()

    async def waits() -> None:
        began.release()
        await gate.wait()

    @app.workflow
    async def flow(ctx: Context) -> None:
        await ctx.options(retry=Retry(attempts=1)).step("waits", waits)

    told = Recorder()
    with caplog.at_level(logging.WARNING):
        async with scene(url) as on, working(app, on, observers=[told], poll_ms=50, lease_ms=60_000):
            runs = [await on.start("flow") for _ in range(4)]
            for _ in runs:
                await began.acquire()
            caplog.clear()
            proxy.refuse()
            gate.set()
            await told.told(StoreTrouble, 4 * ROUNDS)
            during = warnings(caplog)
            proxy.refuse(False)
            for run in runs:
                await on.reaches(run, "completed")
            assert await on.entries(runs[0], "step.failed") == []
            async with asyncio.timeout(20):
                while not {what for what, _ in during} <= said_over(caplog):
                    await asyncio.sleep(0.01)
    count = Counter(what for what, _ in during)
    assert {what for what, times in count.items() if times > 1} == set()
    assert "runs wait for the store, and look again" in count
    assert "the store cannot be asked for work" in count


def warnings(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return what was said so far: what cannot be done, and why."""
    said = (record.getMessage().partition(": ") for record in caplog.records)
    return [(what, why) for what, _, why in said if not what.startswith("over after")]


def said_over(caplog: pytest.LogCaptureFixture) -> set[str]:
    """Return what is over, as it was said."""
    said = (record.getMessage().partition(": ") for record in caplog.records)
    return {what for over, _, what in said if over.startswith("over after")}


async def booked(on: Scene) -> list[int]:
    async with on.engine.store.transaction() as tx:
        return sorted(int(row["n"]) for row in await tx.fetch("SELECT n FROM ledger"))


async def test_transactions_that_are_due_meanwhile_cost_no_attempt_and_are_tried_now_and_then(
    own_postgres: PostgresServer, new_proxy: NewProxy
) -> None:
    """Each for itself would ask for another round of all, and those for another."""
    proxy = new_proxy(own_postgres.port)
    own_postgres.sql("CREATE TABLE ledger (n int)")
    app, began, gate = App(), asyncio.Semaphore(0), asyncio.Event()

    async def book(tx: Transaction, n: int) -> None:
        assert current_step().attempt == 1
        await tx.execute("INSERT INTO ledger VALUES ($1)", n)
        began.release()
        await gate.wait()
        await tx.execute("SELECT 1")

    @app.workflow
    async def flow(ctx: Context) -> None:
        once = ctx.options(retry=Retry(attempts=1))
        await asyncio.gather(*(once.transaction("book", book, n) for n in range(AT_ONCE)))

    told = Recorder()
    url = own_postgres.tcp_url(port=proxy.port, pool=str(AT_ONCE + 2))
    clock = ManualClock(NOON)
    async with scene(url, clock) as on, working(app, on, observers=[told], lease_ms=60_000):
        run = await on.start("flow")
        for _ in range(AT_ONCE):
            await began.acquire()
        waiting = clock.waiting
        proxy.refuse()
        gate.set()
        for rounds in range(1, ROUNDS):
            troubles = await told.told(StoreTrouble, AT_ONCE * rounds)
            tries = Counter(trouble.what.partition(" could not be tried")[0] for trouble in troubles)
            assert tries == {f"the step book:{n}": rounds for n in range(AT_ONCE)}
            assert clock.waiting <= waiting + 2
            if rounds + 1 < ROUNDS:
                clock.advance(100 * 2 ** (rounds - 1))
        proxy.refuse(False)
        clock.advance(1_000)
        await on.reaches(run, "completed")
        assert await on.entries(run, "step.failed") == []
        assert await booked(on) == [*range(AT_ONCE)]
