"""What type checkers make of the public API; a wrong line here is an error of mypy, not of pytest."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, assert_type

from pydantic import BaseModel

from signoff import Answer, App, Context, InputRequest, Retry, step
from tests.workflow.drive import Drive


class Decision(BaseModel):
    approved: bool


def check(amount: int, *, strict: bool = False) -> bool:
    return amount > 0


@step(retry=Retry(attempts=2))
async def fetch(currency: str) -> Decimal:
    return Decimal(1)


app = App()


@app.workflow
async def typed(ctx: Context, amount: int) -> str:
    assert_type(await ctx.step("check", check, amount), bool)
    assert_type(await ctx.step("check", check, amount, strict=True), bool)
    assert_type(await ctx.options(timeout="1s").step("rate", fetch, "EUR"), Decimal)
    both = await asyncio.gather(ctx.step("check", check, 1), ctx.step("rate", fetch, "EUR"))
    assert_type(both, tuple[bool, Decimal])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(ctx.step("rate", fetch, "EUR"))
    assert_type(task.result(), Decimal)
    request = assert_type(ctx.await_input("approve", Decision, title="?"), InputRequest[Decision])
    answer = assert_type(await request, Answer[Decision])
    assert_type(await ctx.await_event("paid", type=int), int)
    anything: Any = await ctx.await_event("paid")
    return f"{answer.value.approved} {anything}"


async def refused(ctx: Context) -> None:
    ctx.step("check", check, "one")  # type: ignore[call-overload]
    ctx.step("check", check)  # type: ignore[call-overload]
    ctx.step("rate", fetch, 1)  # type: ignore[call-overload]
    ctx.await_input("approve", Decision)  # type: ignore[call-overload]


def test_what_is_typed_also_runs() -> None:
    drive = Drive(typed, 1)
    for id_ in ("check:0", "check:1", "rate:0", "check:2", "rate:1", "rate:2"):
        drive.done(id_, True if id_.startswith("check") else "1")
    drive.answer("approve:0", {"approved": True})
    drive.event("paid", 1)
    drive.event("paid", 2)
    assert drive.output == "True 2"
    assert asyncio.iscoroutinefunction(refused)


ROOT = Path(__file__).parents[2]
SAMPLES = [str(Path(__file__).with_name(f"typed_{what}.py")) for what in ("answers", "tools")]


def _check(*command: str) -> str:
    paths = os.pathsep.join([str(ROOT / "python"), str(ROOT)])
    # Pyright says on stderr that there is a newer one.
    environment = os.environ | {"PYTHONPATH": paths, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return f"{done.stdout}{done.stderr}" or f"exit code {done.returncode}" if done.returncode else ""


def test_mypy_tells_answers_and_decisions_of_several_types_apart() -> None:
    assert _check("mypy", "--warn-unused-ignores", *SAMPLES) == ""


def test_pyright_agrees(tmp_path: Path) -> None:
    for sample in SAMPLES:  # it looks at nothing that is not below its settings
        shutil.copy(sample, tmp_path)
    settings = {
        "extraPaths": [str(ROOT / "python"), str(ROOT)],
        "typeCheckingMode": "standard",
        "reportUnnecessaryTypeIgnoreComment": "error",
        "enableTypeIgnoreComments": False,
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    (tmp_path / "wrong.py").write_text("from signoff import Rejected\n\nRejected(7, 7, 7)\n")
    said = _check("pyright", "--pythonpath", sys.executable, "--project", str(tmp_path))
    errors = [line.strip() for line in said.splitlines() if " - error: " in line]
    assert len(errors) == 3
    assert all("wrong.py" in error for error in errors), said
