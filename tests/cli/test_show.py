"""What `signoff show` tells of a run."""

from __future__ import annotations

import json

import pytest

from signoff.cli import main
from signoff.service.engine import Engine
from signoff.stores.open import open_store
from signoff.workflow.entry import DecidedBy


@pytest.fixture
async def store(shared_url: str, monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> str:
    """A store with three runs: one was paused twice, one was paused and goes on, one is paused without a reason."""
    for name in ("STORE", "SERVER", "TOKEN"):
        monkeypatch.delenv(f"SIGNOFF_{name}", raising=False)
    url = shared_url
    engine = await Engine.open(open_store(url))
    root = DecidedBy("operator", "user:root")
    for run in ("r1", "r2", "r3"):
        await engine.runs.start("expense", 7, run_id=run)
    told: list[tuple[str, str, dict[str, str]]] = [
        ("pause", "r1", {"reason": "lunch"}),
        ("resume", "r1", {}),
        ("pause", "r1", {"reason": "the bank is down"}),
        ("pause", "r2", {"reason": "lunch"}),
        ("resume", "r2", {}),
        ("pause", "r3", {}),
    ]
    for verb, run, reason in told:
        await engine.runs.act(verb, run, root, **reason)
    await engine.close()
    return url


def test_who_has_paused_a_run_when_and_why(store: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "r1", "--store", store]) == 0
    [told] = [line for line in capfd.readouterr().out.splitlines() if line.startswith("Paused")]
    assert told.endswith(" by user:root: the bank is down")
    assert told.startswith("Paused    20")
    assert main(["show", "r1", "--json", "--store", store]) == 0
    pause = json.loads(capfd.readouterr().out)["paused"]
    assert (pause["by"], pause["reason"]) == ({"kind": "operator", "id": "user:root"}, "the bank is down")


def test_a_pause_needs_no_reason_and_one_that_is_over_is_not_told(
    store: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "r3", "--store", store]) == 0
    [told] = [line for line in capfd.readouterr().out.splitlines() if line.startswith("Paused")]
    assert told.endswith(" by user:root")
    assert main(["show", "r2", "--json", "--store", store]) == 0
    assert json.loads(capfd.readouterr().out)["paused"] is None
