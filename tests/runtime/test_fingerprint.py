from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from signoff import App, Context
from signoff.runtime.fingerprint import fingerprint

Body = Callable[[Context], Awaitable[Any]]


def made(body: Body, version: str = "1") -> str:
    app = App()

    @app.workflow(name="flow", version=version)
    async def flow(ctx: Context) -> Any:
        return await body(ctx)

    return fingerprint(app.get("flow"))


async def one(ctx: Context) -> int:
    return 1


async def two(ctx: Context) -> int:
    return 2


def waiting(topic: str) -> Body:
    async def wait(ctx: Context) -> Any:
        return await ctx.await_event(topic)

    return wait


def test_it_is_another_for_other_code_another_version_and_another_value_closed_over() -> None:
    assert made(one) == made(one)
    different = [made(one), made(two), made(one, "2"), made(waiting("a")), made(waiting("b"))]
    assert len(set(different)) == len(different)


SOURCE = """
import sys
from signoff import App, Context
from signoff.runtime.fingerprint import fingerprint

app = App()

def helper(kinds=frozenset({"a", "b", "c"})):
    return {0} in kinds

@app.workflow
async def flow(ctx: Context) -> bool:
    return helper({"x", "y", "z"}) and ctx.run_id in {"p", "q", "r"}

if __name__ != "__main__":
    sys.stdout.write(fingerprint(app.get("flow")))
"""


def test_it_is_the_same_wherever_the_code_lies_and_in_every_process(tmp_path: Path) -> None:
    seen = set()
    for name, seed, line in (("a", "1", ""), ("b", "2", ""), ("c", "2", "# mended\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(SOURCE + line)
        done = subprocess.run(
            [sys.executable, "-c", "import app"],
            cwd=tmp_path / name,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(["", *sys.path])},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        seen.add((line, done.stdout))
    assert len(seen) == 2
