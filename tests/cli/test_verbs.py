"""What operators do to runs, straight on a store of each kind that several processes share."""

from __future__ import annotations

import json
from typing import Any

import pytest

from signoff import App, Context
from signoff.cli import main
from tests.runtime.scene import scene, working


def app_of_three() -> App:
    """Return workflows that ask, that fail, and that wait."""
    app = App()

    def check(amount: int) -> int:
        return amount

    @app.workflow
    async def expense(ctx: Context, amount: int) -> bool:
        await ctx.step("check", check, amount)
        decision = await ctx.await_input("approve", bool, title="Approve?", to=["group:finance"])
        return decision.value

    @app.workflow
    async def fails(ctx: Context) -> None:
        raise ValueError("no such account")

    @app.workflow
    async def waits(ctx: Context) -> None:
        await ctx.await_event("go", type=dict)

    return app


@pytest.fixture
async def store(shared_url: str, monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> str:
    """A store with runs that ask (a1, a2), that have failed (f1), and that wait (w1); no worker is left."""
    for name in ("STORE", "SERVER", "TOKEN"):
        monkeypatch.delenv(f"SIGNOFF_{name}", raising=False)
    async with scene(shared_url) as on, working(app_of_three(), on):
        for run in ("a1", "a2"):
            await on.asks(await on.start("expense", 7, run_id=run, tags=["eu"]), "approve:0")
        await on.reaches(await on.start("fails", run_id="f1"), "failed")
        await on.reaches(await on.start("waits", run_id="w1"), "waiting")
    return shared_url


class Told:
    """The command line on a store."""

    def __init__(self, store: str, capfd: pytest.CaptureFixture[str]) -> None:
        self._store = store
        self._capfd = capfd

    def text(self, *arguments: str, code: int = 0) -> str:
        """Run a command; return what it printed, on stdout or as an error."""
        assert main([*arguments, "--store", self._store]) == code, self._capfd.readouterr()
        said = self._capfd.readouterr()
        return said.err if code else said.out

    def json(self, *arguments: str) -> Any:
        """Run a command with `--json`."""
        return json.loads(self.text(*arguments, "--json"))

    def types(self, run: str) -> list[str]:
        """Return the types of a run's entries."""
        return [entry["type"] for entry in self.json("show", run, "--history")["entries"]]


@pytest.fixture
def on(store: str, capfd: pytest.CaptureFixture[str]) -> Told:
    return Told(store, capfd)


def test_runs_are_listed_and_shown(on: Told) -> None:
    assert {row["id"]: row["status"] for row in on.json("list")["runs"]} == {
        "a1": "waiting",
        "a2": "waiting",
        "f1": "failed",
        "w1": "waiting",
    }
    assert [row["id"] for row in on.json("list", "--status", "failed")["runs"]] == ["f1"]
    assert {row["id"] for row in on.json("list", "--tag", "eu")["runs"]} == {"a1", "a2"}
    assert [row["id"] for row in on.json("list", "--limit", "1")["runs"]] == ["w1"]
    assert "no such account" in on.text("show", "f1")
    assert on.json("show", "a1")["inputs"][0]["status"] == "pending"
    assert "'none'" in on.text("show", "none", code=1)


def test_a_request_is_answered_once(on: Told) -> None:
    assert {row["run_id"] for row in on.json("inputs")["inputs"]} == {"a1", "a2"}
    on.text("answer", "a1", "approve:0", "--value", "true")
    assert on.json("show", "a1")["inputs"] == []
    assert "already decided" in on.text("answer", "a1", "approve:0", "--value", "false", code=1)
    assert on.types("a1").count("input.answered") == 1


def test_runs_are_cancelled_retried_and_rewound(on: Told) -> None:
    assert "w1" in on.text("cancel", "w1", "--reason", "a mistake")
    assert on.types("w1")[-1] == "run.cancel_requested"
    assert "f1" in on.text("retry", "f1")
    assert on.json("show", "f1")["run"]["status"] == "running"
    assert "a2" in on.text("rewind", "a2", "check:0")
    assert on.types("a2")[-1] == "run.rewound"
    assert on.json("show", "a2")["inputs"] == []
    assert "has not asked for 'pay:7'" in on.text("rewind", "a1", "pay:7", code=1)


def test_the_doctor_finds_a_store_that_is_well(on: Told) -> None:
    found = {one["check"]: one["level"] for one in on.json("doctor")["findings"]}
    assert "wrong" not in found.values()
    assert found["workers"] == "note"
    assert found["failed"] == "note"
