from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sqlite3
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from signoff import Context, NotAllowedInWorkflow
from tests.workflow.drive import Drive, work


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
