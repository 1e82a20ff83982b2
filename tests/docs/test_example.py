"""The example's workflow, played by people: whatever they do, and whenever the worker dies, a claim is paid once."""

from __future__ import annotations

import importlib.util
import itertools
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from signoff.errors import InvalidAnswer, Stale
from signoff.testing import TestEngine, answer, crash_everywhere, twice
from signoff.testing.engine import START

EXAMPLE = Path(__file__).parents[2] / "examples" / "react-approval"
CLAIMS: list[dict[str, Any]] = [json.loads(line) for line in (EXAMPLE / "claims.jsonl").read_text().splitlines()]
SMALL = next(claim for claim in CLAIMS if claim["currency"] == "EUR" and float(claim["total"]) <= 50)
LARGE = next(claim for claim in CLAIMS if claim["currency"] == "EUR" and float(claim["total"]) > 50)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module of the example, with a ledger of its own."""
    monkeypatch.setenv("SIGNOFF_EXAMPLE_DATA", str(tmp_path))
    spec = importlib.util.spec_from_file_location("example_workflow", EXAMPLE / "workflow.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["example_workflow"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["example_workflow"]


def ledger(example: ModuleType) -> list[str]:
    """Return the claims that were paid, each as often as it was."""
    with closing(sqlite3.connect(example.ledger_file())) as ledger:
        return [claim for (claim,) in ledger.execute("SELECT claim FROM reimbursements")]


async def test_nobody_is_asked_about_a_small_claim(example: ModuleType) -> None:
    async with TestEngine(example.app) as engine:
        run = await engine.start("expense", SMALL)
        assert (await run.result())["outcome"] == "paid"
        assert await run.rows("input") == []
    assert ledger(example) == [SMALL["id"]]


async def test_who_declines_says_why(example: ModuleType) -> None:
    async with TestEngine(example.app) as engine:
        alice = engine.person("alice", groups=["finance"])
        run = await engine.start("expense", LARGE)
        with pytest.raises(InvalidAnswer) as refused:
            await alice.answers("approve", {"comment": "No."}, action="decline")
        assert refused.value.extra["errors"][0]["pointer"] == "/comment"
        await alice.answers("approve", {"comment": "No receipt."}, action="decline")
        receipt = await run.result()
    assert [receipt[name] for name in ("outcome", "decided_by", "comment")] == ["declined", "user:alice", "No receipt."]


async def test_a_claim_that_nobody_decides_expires(example: ModuleType) -> None:
    async with TestEngine(example.app) as engine:
        assert (await (await engine.start("expense", LARGE)).result())["outcome"] == "expired"
        assert engine.now == START + timedelta(days=3)


async def test_nobody_approves_the_claim_as_it_was_before_it_was_amended(example: ModuleType) -> None:
    async with TestEngine(example.app) as engine:
        alice = engine.person("alice", groups=["finance"])
        run = await engine.start("expense", LARGE)
        tab = await alice.sees("approve")
        await run.send("claim.amended", LARGE | {"title": "Another title"})
        await engine.settled()
        with pytest.raises(Stale):
            await alice.answers(tab, None, action="approve")
        accepted = await alice.answers("approve", None, action="approve")
        assert accepted.row["show"]["claim"]["title"] == "Another title"
        assert (await run.result())["outcome"] == "paid"


async def test_a_claim_is_paid_once_whenever_the_worker_dies(example: ModuleType) -> None:
    claims = itertools.count()
    paid: list[str] = []

    async def approved(engine: TestEngine) -> None:
        claim = LARGE | {"id": f"claim-{next(claims)}"}
        alice = engine.person("alice", groups=["finance"])
        script = alice.will(twice(answer("approve", None, action="approve")), after="2d")
        run = await engine.start("expense", claim, run_id=claim["id"])
        receipt = await run.result()
        assert (receipt["outcome"], receipt["decided_by"]) == ("paid", "user:alice")
        assert [one.replayed for one in await script.outcome()] == [False, True]
        paid.append(claim["id"])

    assert await crash_everywhere(example.app, approved) >= 12
    assert ledger(example) == paid
