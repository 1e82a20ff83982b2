"""What `pg_dump` has written is a whole store: restored on another server its offsets hold, and its runs go on."""

from __future__ import annotations

import subprocess
from pathlib import Path

from signoff import App, Context
from signoff.service.engine import Engine
from signoff.stores.open import open_store
from tests.runtime.scene import scene, working
from tests.servers import PostgresServer, fresh_url, postgres
from tests.servers.process import find_program

app = App()


@app.workflow(expose=("output",))
async def patient(ctx: Context) -> str:
    """Do something, wait for an event, and do something more."""
    first = await ctx.step("first", str.upper, "a")
    await ctx.await_event("go")
    return first + await ctx.step("second", str.upper, "b")


def program(name: str, *arguments: str) -> None:
    """Run a program of PostgreSQL."""
    subprocess.run([find_program(name), *arguments], check=True, capture_output=True, timeout=240)


async def test_a_dump_is_a_whole_store(own_postgres: PostgresServer, tmp_path: Path) -> None:
    """Into a server that was never used; who reads on from an offset misses nothing."""
    url = fresh_url("postgres", tmp_path)
    schema = url.partition("&schema=")[2]
    async with scene(url) as on, working(app, on):
        run = await on.start("patient")
        await on.reaches(run, "waiting")
        seen = await on.engine.store.read(f"runs/{run}", 0, 1 << 20)
        assert seen is not None
        dump = tmp_path / "signoff.dump"
        program("pg_dump", "--format=custom", f"--schema={schema}", f"--file={dump}", postgres().url())
    program("pg_restore", f"--dbname={own_postgres.url()}", str(dump))
    restored = own_postgres.url(schema=schema)
    store = open_store(restored)
    await store.open()
    assert await store.read(f"runs/{run}", 0, 1 << 20) == seen
    await store.close()
    async with scene(restored) as on, working(app, on):
        await on.engine.events.send(run, "go", id="1", payload=None)
        assert (await on.reaches(run, "completed"))["output"] == "AB"
        after = await on.engine.store.read(f"runs/{run}", seen[0].tail, 1 << 20)
        assert after is not None
        assert after[1][0].start == seen[0].tail
        assert isinstance(on.engine, Engine)
