# ruff: noqa: PLW0108, DTZ002, DTZ011, PTH110, PTH202
from __future__ import annotations

import _thread
import asyncio
import importlib
import inspect
import logging
import os
import random
import secrets
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from random import randint as imported_randint
from random import shuffle as imported_shuffle
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, Field

from signoff import Context, NotAllowedInWorkflow
from tests.workflow.drive import Drive, asked, work

POOL = ThreadPoolExecutor(1)
VECTOR = [0.485987923, 181407, 611932063935, "b", [31, 65, 96], -0.058796621, [5, 2, 4, 1, 3, 0]]
VECTOR += ["69d5487e-f3be-4880-9817-c82788119382"]


async def opens_a_file(ctx: Context) -> None:
    Path(__file__).read_text()


async def sleeps(ctx: Context) -> None:
    time.sleep(0)


async def starts_a_process(ctx: Context) -> None:
    subprocess.run(["true"], check=False)


async def calls_the_shell(ctx: Context) -> None:
    os.system("true")


async def lists_a_folder(ctx: Context) -> None:
    list(Path().iterdir())


async def opens_a_database(ctx: Context) -> None:
    sqlite3.connect(":memory:")


REACHES: list[Callable[[], Any]] = [
    lambda: time.time(),
    lambda: time.time_ns(),
    lambda: time.monotonic(),
    lambda: time.perf_counter(),
    lambda: date.today(),
    lambda: datetime.today(),
    lambda: random.random(),
    lambda: random.getrandbits(8),
    lambda: random.seed(1),
    lambda: random.choice([1, 2]),
    lambda: imported_randint(1, 6),
    lambda: imported_shuffle([1, 2]),
    lambda: random.SystemRandom().random(),
    lambda: uuid.uuid1(),
    lambda: uuid.uuid4(),
    lambda: os.urandom(8),
    lambda: secrets.token_hex(),
    lambda: secrets.choice("ab"),
    lambda: Named(),
    lambda: os.environ["HOME"],
    lambda: os.environ.get("HOME"),
    lambda: os.getenv("HOME"),
    lambda: "HOME" in os.environ,
    lambda: os.environ.update(SIGNOFF_TEST="1"),
    lambda: Path(__file__).exists(),
    lambda: Path(__file__).stat(),
    lambda: os.path.getsize(__file__),
    lambda: os.path.exists(__file__),
    lambda: os.access(__file__, os.R_OK),
    lambda: Path.cwd(),
    lambda: os.getpid(),
    lambda: socket.gethostname(),
    lambda: socket.gethostbyname("localhost"),
    lambda: input("?"),
    lambda: threading.Thread(target=print).start(),
    lambda: threading.Timer(1, print).start(),
    lambda: _thread.start_new_thread(print, ()),
    lambda: POOL.submit(print),
    lambda: tempfile.mkdtemp(),
    lambda: list(Path().glob("*")),
    lambda: Path("x").touch(),
]


class Named(BaseModel):
    id: uuid.UUID = Field(default_factory=uuid.uuid4)


@pytest.mark.parametrize("reach", REACHES, ids=lambda reach: inspect.getsource(reach).strip())
def test_clocks_chance_threads_and_what_is_around_are_refused(reach: Callable[[], Any]) -> None:
    async def flow(ctx: Context) -> None:
        reach()

    error = Drive(flow).error
    assert error.code == NotAllowedInWorkflow.code, error
    assert "Workflow code cannot" in error.message


def test_what_a_run_may_use_instead_is_named() -> None:
    async def clock(ctx: Context) -> None:
        time.time()

    async def chance(ctx: Context) -> None:
        await ctx.step("pay", work, random.random())

    assert "ctx.now()" in Drive(clock).error.message
    assert "ctx.random()" in Drive(chance).error.message
    assert asked(Drive(chance).journal) == ["run.started", "run.failed"]


def test_the_refused_act_has_not_happened() -> None:
    before = random.getstate()

    async def flow(ctx: Context) -> None:
        random.seed(7)

    assert Drive(flow).error.code == NotAllowedInWorkflow.code
    assert random.getstate() == before


def test_other_threads_keep_clock_and_chance_while_a_machine_runs() -> None:
    inside, over = threading.Event(), threading.Event()
    found: list[Any] = []

    def beside() -> None:
        inside.wait(10)
        found.extend(
            (time.time() > 0, random.randint(1, 1), imported_randint(2, 2), os.environ.get("PATH") is not None)
        )
        found.extend((Path(__file__).exists(), uuid.uuid4().version))
        over.set()

    async def flow(ctx: Context) -> None:
        inside.set()
        over.wait(10)

    thread = threading.Thread(target=beside)
    thread.start()
    try:
        assert Drive(flow).output is None
    finally:
        thread.join()
    assert found == [True, 1, 2, True, True, 4]


def test_clocks_and_chance_are_in_their_place_again_afterwards() -> None:
    Drive(sleeps)
    before = (time.time, time.monotonic, random.random, type(random._inst))
    assert {type(one).__name__ for one in before[:3]} == {"builtin_function_or_method"}
    Drive(sleeps)
    assert (time.time, time.monotonic, random.random, type(random._inst)) == before


def test_a_clock_that_a_test_has_put_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 5.0)
    Drive(sleeps)
    assert time.time() == 5.0


def test_random_of_the_run_is_the_same_on_every_python() -> None:
    async def flow(ctx: Context) -> list[Any]:
        chance, items = ctx.random(), list(range(6))
        chance.shuffle(items)
        found = [round(chance.random(), 9), chance.randrange(10**6), chance.getrandbits(40), chance.choice("abcdef")]
        return [*found, chance.sample(range(99), 3), round(chance.gauss(0, 1), 9), items, str(ctx.uuid())]

    assert Drive(flow).output == VECTOR


@pytest.mark.parametrize(
    "flow", [opens_a_file, sleeps, starts_a_process, calls_the_shell, lists_a_folder, opens_a_database]
)
def test_reaching_into_the_world_is_refused(flow: Any) -> None:
    error = Drive(flow).error
    assert error.code == NotAllowedInWorkflow.code
    assert "ctx.step" in error.message


def test_the_error_can_be_caught_like_any_other() -> None:
    async def flow(ctx: Context) -> str:
        try:
            await asyncio.sleep(0)
            time.sleep(1)
        except NotAllowedInWorkflow as refused:
            return str(refused)
        return "slept"

    assert "time.sleep" in Drive(flow).output


def test_modules_can_be_imported_inside_a_workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_late.py").write_text("import json\nVALUE = json.loads('7')\n")
    monkeypatch.syspath_prepend(tmp_path)

    async def flow(ctx: Context) -> int:
        return int(importlib.import_module("imported_late").VALUE)

    try:
        assert Drive(flow).output == 7
    finally:
        sys.modules.pop("imported_late", None)


def test_tracebacks_logs_and_time_zones_work(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "log.txt", delay=True)
    logger = logging.getLogger("tests.guard")
    logger.addHandler(handler)

    async def flow(ctx: Context) -> str:
        ZoneInfo.clear_cache()
        ZoneInfo("Europe/Berlin")
        try:
            int("shown")
        except ValueError:
            logger.exception("seen")
            told = traceback.format_exc()
        return told

    try:
        assert "shown" in Drive(flow).output
        assert "seen" in (tmp_path / "log.txt").read_text()
    finally:
        logger.removeHandler(handler)
        handler.close()


def test_outside_of_workflow_code_nothing_is_refused() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step("a", work)

    drive = Drive(flow)
    assert Path(__file__).read_text()
    time.sleep(0)
    drive.done("a:0")
    assert drive.output is None
    assert list(Path(__file__).parent.iterdir())


def test_what_functions_of_os_can_do_is_still_known_once_a_machine_has_run() -> None:
    async def flow(ctx: Context) -> None:
        return None

    assert Drive(flow).output is None
    assert os.access in os.supports_effective_ids
    assert os.stat in os.supports_follow_symlinks
    assert os.stat in os.supports_dir_fd
    assert os.stat in os.supports_fd
