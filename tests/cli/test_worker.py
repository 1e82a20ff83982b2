"""A worker without a server."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import run, running
from tests.servers import fresh_url


def test_a_worker_on_a_store_of_its_own_warns(folder: Path) -> None:
    with running(folder, "worker", "flow:app", "--store", "memory:") as worker:
        _, errors = worker.stop()
    assert "nobody can start a run in it" in errors


def test_a_worker_says_what_it_works_on_without_the_password(folder: Path) -> None:
    """What it says goes into a log that others read."""
    url = fresh_url("postgres", folder)
    with running(folder, "worker", "flow:app", "--store", url.replace("@", ":s%2Fecret@", 1)) as worker:
        _, errors = worker.stop()
    assert worker.line.endswith(f" from {url}")
    assert "ecret" not in worker.line + errors


def test_a_worker_bounds_what_steps_write(folder: Path) -> None:
    (folder / "flow.py").write_text(
        """
from signoff import App, Context, current_step

app = App()

def build() -> None:
    with current_step().output("log", format="text") as log:
        log.write("too long")

@app.workflow
async def ci(ctx: Context) -> None:
    await ctx.step("build", build)
"""
    )
    url = f"sqlite:///{folder}/ci.db"
    with running(folder, "worker", "flow:app", "--store", url, "--max-output", "7"):
        ended = run(folder, "start", "ci", "--run-id", "r1", "--wait", "--store", url)
    assert ended.returncode == 3
    assert (
        "The output runs/r1/out/log has 0 bytes, and one has at most 7: 8 bytes more were not written." in ended.stderr
    )
