"""A step that is a transaction: what it executed is kept exactly if its result is."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
import textwrap
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from signoff import App, Context, Retry, Transaction, current_step
from signoff.runtime.local import run_port
from signoff.runtime.port import Appended, JournalAppend
from signoff.service.kinds import Kind, free_record, put_record
from signoff.stores.sqlite import loans
from signoff.workflow import codec
from signoff.workflow.entry import DecidedBy
from signoff.workflow.step.entries import StepCompleted, StepScheduled
from tests.runtime.scene import Scene, scene, stage
from tests.servers import fresh_url

ONCE = Retry(attempts=1)
OPERATOR = DecidedBy("operator", "local")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return fresh_url("sqlite", tmp_path)


@pytest.fixture(params=["sqlite", "postgres"])
def sql_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh store, once a database with SQL; tables of the test are gone with it."""
    url = fresh_url(request.param, tmp_path)
    if request.param == "sqlite":
        return url
    [schema] = parse_qs(urlsplit(url).query)["schema"]
    return f"{url}&search_path={schema}"


LEDGER = "CREATE TABLE IF NOT EXISTS ledger (step TEXT, cents INTEGER)"


async def book(tx: Transaction, cents: int) -> int:
    await tx.execute(LEDGER)
    values = "?, ?" if tx.native is None else "$1, $2"
    await tx.execute(f"INSERT INTO ledger VALUES ({values})", current_step().key, cents)
    [row] = await tx.fetch("SELECT sum(cents) AS total FROM ledger")
    return int(row["total"])


async def booked(on: Scene) -> list[int]:
    return sorted(row["cents"] for row in await rows(on, "ledger") or ())


async def rows(on: Scene, table: str) -> list[dict[str, Any]] | None:
    """Return what a table holds; None: there is none."""
    async with on.engine.store.transaction() as tx:
        try:
            return [dict(row) for row in await tx.fetch(f"SELECT * FROM {table}")]
        except Exception as error:
            if not re.search(r"no such table|does not exist", str(error)):
                raise
            return None


async def failed(on: Scene) -> str:
    """Run the flow, which fails; return what operators are told."""
    run_id = await on.start("flow")
    await on.reaches(run_id, "failed")
    [entry] = await on.entries(run_id, "run.failed")
    return str(entry["error"]["message"])


def app_of(body: Any) -> App:
    app = App()

    @app.workflow(name="flow", expose=("output",))
    async def flow(ctx: Context) -> Any:
        return await body(ctx)

    return app


async def test_statements_and_the_result_are_kept_together(sql_url: str) -> None:
    async def body(ctx: Context) -> Any:
        return [await ctx.transaction("book", book, cents) for cents in (100, 250)]

    async with stage(app_of(body), sql_url) as on:
        row = await on.reaches(await on.start("flow"), "completed")
        assert row["output"] == [100, 350]
        assert await booked(on) == [100, 250]


async def test_many_runs_and_branches_at_once_book_each_once(sql_url: str) -> None:
    async def body(ctx: Context) -> Any:
        plain = [ctx.step("plain", asyncio.sleep, 0) for _ in range(3)]
        await asyncio.gather(*(ctx.transaction("book", book, 1) for _ in range(4)), *plain)

    async with stage(app_of(body), sql_url) as on:
        async with on.engine.store.transaction() as tx:
            await tx.execute(LEDGER)  # PostgreSQL refuses some of those who make one table at once
            await tx.commit(put_record(free_record(Kind.PROBE, "made", b"")))
        ids = [await on.start("flow") for _ in range(10)]
        for run_id in ids:
            await on.reaches(run_id, "completed")
        assert await booked(on) == [1] * 40


async def test_a_failed_attempt_leaves_nothing_behind(sql_url: str) -> None:
    async def fails_first(tx: Transaction) -> str:
        await book(tx, 100 * current_step().attempt)
        if current_step().attempt == 1:
            raise OSError("the first attempt")
        return "second"

    async def body(ctx: Context) -> Any:
        return await ctx.options(retry=Retry(attempts=2, first="0s")).transaction("book", fails_first)

    async with stage(app_of(body), sql_url) as on:
        row = await on.reaches(await on.start("flow"), "completed")
        assert row["output"] == "second"
        assert await booked(on) == [200]


async def test_what_the_database_refuses_at_the_end_is_a_failed_attempt(sql_url: str) -> None:
    async def dangling(tx: Transaction) -> None:
        await tx.execute("CREATE TABLE people (id INTEGER PRIMARY KEY)")
        await tx.execute("CREATE TABLE pets (who INTEGER REFERENCES people DEFERRABLE INITIALLY DEFERRED)")
        await tx.execute("INSERT INTO pets VALUES (7)")

    async def body(ctx: Context) -> Any:
        return await ctx.options(retry=ONCE).transaction("adopt", dangling)

    async with stage(app_of(body), sql_url) as on:
        why = await failed(on)
        assert "foreign key" in why.lower()
        assert await rows(on, "people") is None


async def test_an_error_that_is_caught_within_does_not_keep_the_rest(tmp_path: Path) -> None:
    """PostgreSQL undoes a transaction of which a statement failed, whoever catches the error: the attempt failed."""

    async def careless(tx: Transaction) -> str:
        with contextlib.suppress(Exception):
            await tx.execute("SELECT 1 / 0")
        return "kept"

    async def body(ctx: Context) -> Any:
        return await ctx.options(retry=ONCE).transaction("careless", careless)

    async with stage(app_of(body), fresh_url("postgres", tmp_path)) as on:
        assert "failed statement" in await failed(on)


async def test_a_run_that_ends_meanwhile_undoes_the_statements(sql_url: str) -> None:
    async with scene(sql_url) as on:
        port = run_port(on.engine)
        run_id = await on.start("flow")
        [claimed] = await port.claim("w1", ["flow"], lease_ms=60_000, limit=1)
        part = await port.load(claimed.lease, 0)
        assert part is not None
        scheduled = StepScheduled(claimed.created_at, "book:0")
        asked: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        port.append(JournalAppend(claimed.lease, len(part.entries), [scheduled]), asked.set_result)
        assert isinstance(await asked, Appended)
        ended = StepCompleted(claimed.created_at, "book:0", 1, codec.encode(1))
        await on.engine.runs.act("terminate", run_id, OPERATOR)
        async with port.transaction(claimed.lease) as tx:
            await tx.execute("CREATE TABLE ledger (step TEXT, cents INTEGER)")
            assert not await tx.complete(ended)
        assert await booked(on) == []
        assert (await on.entries(run_id))[-1]["type"] != "step.completed"


PROGRAM = textwrap.dedent(
    """
    import asyncio, os, signal, sys
    from pathlib import Path
    from signoff import App, Context, Transaction, current_step
    from signoff.runtime.worker import Worker
    from signoff.service.engine import Engine
    from signoff.stores.open import open_store

    url, left = sys.argv[1], Path(sys.argv[2])
    app = App()

    def die_once(where: str) -> None:
        if not (left / where).exists():
            (left / where).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    async def book(tx: Transaction) -> int:
        await tx.execute("CREATE TABLE IF NOT EXISTS ledger (cents INTEGER)")
        await tx.execute("INSERT INTO ledger VALUES (7)")
        die_once("within")
        return 7

    async def after() -> None:
        die_once("after")

    @app.workflow(expose=("output",))
    async def flow(ctx: Context) -> int:
        cents = await ctx.transaction("book", book)
        await ctx.step("after", after)
        return cents

    async def main():
        engine = await Engine.open(open_store(url))
        await Worker(app, engine, lease_ms=500, poll_ms=50).run()

    asyncio.run(main())
    """
)


async def test_a_process_that_dies_within_or_after_it_has_booked_once(sql_url: str, tmp_path: Path) -> None:
    async with scene(sql_url) as on:
        run_id = await on.start("flow")
        command = [sys.executable, "-c", PROGRAM, sql_url, str(tmp_path)]
        for _ in ("within", "after"):
            died = await asyncio.create_subprocess_exec(*command)
            assert await died.wait() == -signal.SIGKILL
        last = await asyncio.create_subprocess_exec(*command)
        try:
            row = await on.reaches(run_id, "completed")
        finally:
            last.kill()
            await last.wait()
        assert row["output"] == 7
        assert await booked(on) == [7]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM subjects",
        "UPDATE streams SET path = path",
        "COMMIT",
        "ROLLBACK",
        "ATTACH 'other.db' AS other",
        "PRAGMA synchronous = OFF",
        "DROP TABLE batches",
        "ALTER TABLE parts ADD COLUMN mine",
        "CREATE TRIGGER mine AFTER INSERT ON batches BEGIN SELECT 1; END",
    ],
)
async def test_the_store_s_own_is_out_of_reach(sqlite_url: str, statement: str) -> None:
    async def reaches_in(tx: Transaction) -> None:
        await book(tx, 1)
        await tx.execute(statement)

    async def body(ctx: Context) -> Any:
        await ctx.options(retry=ONCE).transaction("in", reaches_in)

    async with stage(app_of(body), sqlite_url) as on:
        why = await failed(on)
        assert "not authorized" in why
        assert await booked(on) == []


async def test_one_that_takes_too_long_is_undone_and_others_go_on(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loans, "LIMIT_S", 0.2)

    async def waits_for_the_engine(tx: Transaction, on: Scene) -> None:
        await book(tx, 1)
        await on.start("other")

    scenes: list[Scene] = []

    async def body(ctx: Context) -> Any:
        await ctx.options(retry=ONCE).transaction("book", waits_for_the_engine, scenes[0])

    app = app_of(body)

    @app.workflow(name="other")
    async def other(ctx: Context) -> None:
        return None

    async with stage(app, sqlite_url) as on:
        scenes.append(on)
        why = await failed(on)
        assert "took longer than" in why
        assert await booked(on) == []


async def test_memory_has_no_sql_and_says_so_once() -> None:
    async def body(ctx: Context) -> Any:
        await ctx.transaction("book", book, 1)

    async with stage(app_of(body), "memory:") as on:
        why = await failed(on)
        assert "has no SQL" in why
        assert "after 1 attempt:" in why


async def test_it_takes_async_functions_only(sqlite_url: str) -> None:
    def plain(tx: Transaction) -> None:
        pass

    async def body(ctx: Context) -> Any:
        await ctx.transaction("book", plain)  # type: ignore[arg-type]

    async with stage(app_of(body), sqlite_url) as on:
        why = await failed(on)
        assert "takes an async function" in why
