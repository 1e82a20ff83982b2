"""Workers die and freeze while they judge answers: each answer gets one verdict all the same, and none is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from signoff.errors import InvalidAnswer
from signoff.workflow.input.decide import Accepted
from tests.runtime.scene import scene

PROGRAM = textwrap.dedent(
    """
    import asyncio, os, signal, sys, time
    from pathlib import Path
    from pydantic import BaseModel
    from signoff import App, Context, Refused
    from signoff.runtime.worker import Worker
    from signoff.service.engine import Engine
    from signoff.stores.open import open_store

    url, phase, how, folder = sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])
    app = App()

    class Page(BaseModel):
        email: str

    def fall(at):
        if at == phase:
            (folder / "fell").touch()
            os.kill(os.getpid(), getattr(signal, how))

    def judge(page):
        with (folder / "calls").open("a") as file:
            file.write(page.email + "\\n")
        if page.email.startswith("taken"):
            raise Refused({"/email": "already taken"})
        return Page(email=page.email.upper())

    async def in_loop(page):
        fall("async")
        while phase == "wait":
            await asyncio.sleep(0.01)
        return judge(page)

    def in_thread(page):
        fall("thread")
        return judge(page)

    @app.workflow(expose=("output",))
    async def loop(ctx: Context) -> str:
        return (await ctx.await_input("page", Page, title="Who?", to=["group:finance"], validate=in_loop)).value.email

    @app.workflow(expose=("output",))
    async def thread(ctx: Context) -> str:
        return (await ctx.await_input("page", Page, title="Who?", to=["group:finance"], validate=in_thread)).value.email

    async def main():
        engine = await Engine.open(open_store(url))
        commit, claim = engine.store.commit, engine.store.claim

        async def committed(changes):
            verdict = any(b'"input.answered"' in one.data or b'"input.refused"' in one.data
                          for change in changes for one in getattr(change.write, "appends", ()))
            if verdict:
                fall("before")
            outcomes = await commit(changes)
            if verdict:
                fall("after")
            return outcomes

        async def claimed(*values, **options):
            found = await claim(*values, **options)
            if found and (folder / "asked").exists():
                fall("claimed")
            return found

        engine.store.commit, engine.store.claim = committed, claimed
        await Worker(app, engine, lease_ms=1_500, poll_ms=50).run()

    asyncio.run(main())
    """
)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "worker.py"
    path.write_text(PROGRAM)
    return path


@contextmanager
def worker(program: Path, url: str, phase: str = "none", how: str = "SIGKILL") -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, str(program), url, phase, how, str(program.parent)])
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSTOP"])
@pytest.mark.parametrize("phase", ["claimed", "async", "thread", "before", "after"])
async def test_a_worker_lost_in_any_phase_of_a_validator_costs_no_answer(
    tmp_path: Path, shared_url: str, program: Path, phase: str, how: str
) -> None:
    async with scene(shared_url) as on:
        workflow = "loop" if phase == "async" else "thread"
        run = await on.start(workflow)
        with worker(program, shared_url, phase, how) as first:
            row = await on.asks(run, "page:0")
            await on.reaches(run, "waiting")
            (tmp_path / "asked").touch()
            waiting = asyncio.create_task(on.answer(row, {"email": "a@example.com"}, submission="one", wait_s=60))
            async with asyncio.timeout(30):
                while not (tmp_path / "fell").exists():
                    await asyncio.sleep(0.01)
            with worker(program, shared_url):
                accepted = await waiting
                assert (await on.reaches(run, "completed"))["output"] == "A@EXAMPLE.COM"
                if how == "SIGSTOP":
                    os.kill(first.pid, signal.SIGCONT)
                    await asyncio.sleep(0.3)  # it comes back, and what it has to say counts no more
                again = await on.answer(row, {"email": "a@example.com"}, submission="one")
        assert (accepted.row["status"], again.row, again.offset) == ("answered", accepted.row, accepted.offset)
        types = [entry["type"] for entry in await on.entries(run) if entry["type"].startswith("input.")]
        assert types == ["input.requested", "input.submitted", "input.answered"]


async def test_a_refusal_outlives_the_worker_and_the_server(tmp_path: Path, shared_url: str, program: Path) -> None:
    async with scene(shared_url) as on:
        run = await on.start("thread")
        with worker(program, shared_url):
            row = await on.asks(run, "page:0")
            with pytest.raises(InvalidAnswer) as first:
                await on.answer(row, {"email": "taken"}, submission="one", wait_s=60)
    async with scene(shared_url) as on:
        with pytest.raises(InvalidAnswer) as again:
            await on.answer(row, {"email": "taken"}, submission="one")
        assert again.value.extra["errors"] == first.value.extra["errors"]
    assert (tmp_path / "calls").read_text().splitlines() == ["taken"]


async def test_of_200_that_wait_for_verdicts_none_is_lost_with_both_workers(
    tmp_path: Path, shared_url: str, program: Path
) -> None:
    async with scene(shared_url) as on:
        runs = [await on.start("loop") for _ in range(200)]
        with worker(program, shared_url, "wait") as one, worker(program, shared_url, "wait") as other:
            rows = [await on.asks(run, "page:0") for run in runs]

            async def answer(n: int) -> Accepted | InvalidAnswer:
                email = f"{'taken' if n % 2 else 'free'}{n}"
                try:
                    return await on.answer(rows[n], {"email": email}, submission=f"s{n}", wait_s=120)
                except InvalidAnswer as refused:
                    return refused

            waiting = [asyncio.create_task(answer(n)) for n in range(200)]
            async with asyncio.timeout(60):
                while {row["status"] for row in (await on.engine.inputs.list(limit=200)).items} != {"validating"}:
                    await asyncio.sleep(0.05)
            assert not any(task.done() for task in waiting)
            one.kill()
            other.kill()
        began = time.monotonic()
        with worker(program, shared_url), worker(program, shared_url):
            outcomes = await asyncio.gather(*waiting)
        assert time.monotonic() - began < 60
    for n, outcome in enumerate(outcomes):
        if n % 2:
            assert isinstance(outcome, InvalidAnswer)
            assert outcome.extra["errors"] == [{"pointer": "/email", "message": "already taken"}]
        else:
            assert isinstance(outcome, Accepted)
            assert outcome.row["status"] == "answered"


async def test_an_answer_that_costs_worker_after_worker_is_given_back(
    tmp_path: Path, shared_url: str, program: Path
) -> None:
    async with scene(shared_url) as on:
        run = await on.start("thread")
        row = {}
        waiting: asyncio.Task[Accepted] | None = None
        for _ in range(2):
            with worker(program, shared_url, "thread") as dying:
                if waiting is None:
                    row = await on.asks(run, "page:0")
                    waiting = asyncio.create_task(on.answer(row, {"email": "a"}, submission="one", wait_s=60))
                async with asyncio.timeout(30):
                    while dying.poll() is None:
                        await asyncio.sleep(0.01)
        assert waiting is not None
        with worker(program, shared_url):
            with pytest.raises(Exception, match="could not be checked"):
                await waiting
            [returned] = await on.entries(run, "input.returned")
            assert "died or frozen" in returned["reason"]
            await on.answer(row, {"email": "b"}, submission="two", wait_s=60)
            await on.reaches(run, "completed")
