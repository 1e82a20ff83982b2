"""Answers have the outcomes the vectors say: decided by the rules alone, and by the service over a real store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from signoff.clock import ManualClock
from signoff.errors import SignoffError
from signoff.runtime.local import LocalRunPort
from signoff.runtime.port import Appended, JournalAppend
from signoff.service.engine import Engine
from signoff.service.run_change import RunChange, RunSnapshot
from signoff.stores.open import open_store
from signoff.workflow import journal
from signoff.workflow.entry import DecidedBy, Entry
from signoff.workflow.input.decide import Accept, ExpireNow, Who, decide_answer
from signoff.workflow.input.entries import InputAnswered, InputExpired
from signoff.workflow.input.state import InputState, answer, expire, noted
from signoff.workflow.input.submission import parse_answer
from signoff.workflow.projection import refold
from signoff.workflow.validation.decide import is_judged
from signoff.workflow.view import View
from signoff.workflow.vote import count
from signoff.workflow.vote.entries import InputVoted
from tests.protocol.material import cases, complaints

ALL = cases("answers.json")
ALONE = [
    case
    for case in ALL
    if "earlier" not in case.values[0]
    and all(entry["type"] != "input.submitted" for entry in case.values[0]["history"])
]


def _who(described: dict[str, Any]) -> Who:
    return Who(frozenset(described["principals"]), DecidedBy(**described["by"]), described["operator"])


def _state(case: dict[str, Any]) -> InputState:
    view = View()
    refold(view, [journal.from_json(entry) for entry in case["history"]])
    state = view.inputs["approve:0"]
    assert state.row == case["row"]
    return state


def _written(case: dict[str, Any], state: InputState) -> tuple[dict[str, Any], list[str]]:
    """Return the row after an answer that may be recorded, by the transitions alone, and what is recorded."""
    request, who = parse_answer(case["body"]), _who(case["who"])
    alone = InputAnswered(
        case["now"], "approve:0", request.submission_id, "0" * 64, request.action, request.value, who.by
    )
    entries = count.entries_of(state, alone, asked=not who.principals.isdisjoint(state.to))
    for entry in entries:
        if isinstance(entry, InputVoted):
            state = count.voted(state, entry)
        else:
            if count.is_overruled(state, entry.votes, entry.by):
                state = noted(state, "overruled", entry.at, entry.by)
            state = answer(state, entry)
    return state.row, [entry.type for entry in entries]


def _names(recorded: str | list[str] | None) -> list[str]:
    return recorded if isinstance(recorded, list) else [recorded] if recorded else []


@pytest.mark.parametrize("case", ALONE)
def test_the_rules_alone(case: dict[str, Any]) -> None:
    expect, state = case["expect"], _state(case)
    decision = _decide(case, state)
    match decision:
        case Accept() if is_judged(state, parse_answer(case["body"])):
            assert expect["recorded"][0] == "input.submitted"
        case Accept():
            assert _written(case, state) == (case["row"] | expect["changed"], _names(expect["recorded"]))
        case ExpireNow():
            ended = state.schedule.ended("approve:0", case["now"])
            assert expect["recorded"] == ended.type
            after = expire(state, ended) if isinstance(ended, InputExpired) else answer(state, ended)
            assert after.row == case["row"] | expect["changed"]
        case refusal:
            assert (_code(refusal), refusal.status, expect["recorded"]) == (expect["code"], expect["status"], None)
            assert _pointers(refusal) == expect.get("pointers", [])


def _decide(case: dict[str, Any], state: InputState) -> Accept | ExpireNow | SignoffError:
    try:
        return decide_answer(state, parse_answer(case["body"]), _who(case["who"]), case["now"])
    except SignoffError as error:
        return error


def _code(error: SignoffError) -> str:
    return error.code if error.status != 400 else "bad_request"


def _pointers(error: SignoffError) -> list[str]:
    return sorted({complaint["pointer"] for complaint in error.extra.get("errors", ())})


@pytest.mark.parametrize("case", ALL)
async def test_the_service(case: dict[str, Any]) -> None:
    await _serve(case)


async def _serve(case: dict[str, Any]) -> None:
    expect, clock = case["expect"], ManualClock()
    engine = await Engine.open(open_store("memory:"), clock)
    try:
        entries = [journal.from_json(entry) for entry in case["history"]]
        write = RunChange(RunSnapshot(None, View()), entries, ready=False, wake_at=None)
        await engine.committer.commit(write.change)
        assert await engine.inputs.get("r1", "approve:0") == case["row"]
        if "earlier" in case:
            clock.advance(case["earlier"]["now"] - clock.now_ms())
            first = await _answer(engine, case["earlier"]["body"], case["earlier"]["who"])
            assert first["code"] == case["earlier"].get("refused")
        clock.advance(case["now"] - clock.now_ms())
        before = len(await engine.runs.history("r1"))

        if "verdict" in case:
            sending = asyncio.create_task(_answer(engine, case["body"], case["who"], wait_s=10))
            await _judge(engine, journal.from_json(case["verdict"]))
            outcome = await sending
        else:
            outcome = await _answer(engine, case["body"], case["who"])

        assert outcome["code"] == expect["code"]
        assert outcome["status"] == expect["status"]
        assert outcome["outcome"] == case["reply"]["body"].get("outcome")
        assert outcome["replayed"] == (expect["outcome"] == "replayed")
        assert outcome["pointers"] == expect.get("pointers", [])
        row = case["row"] | expect["changed"]
        if "row" in case["reply"]["body"]:
            assert outcome["row"] == row
        if expect["code"] is None:
            assert outcome["offset"] == case["reply"]["body"]["offset"]
            assert outcome["txid"] == case["reply"]["body"]["txid"]
        recorded = list(await engine.runs.history("r1"))[before:]
        if "denied" in expect:
            denied = recorded.pop()
            assert (denied["type"], denied["reason"]) == ("input.denied", expect["denied"])
            assert complaints("journal-entry.json", denied) == []
        assert [entry["type"] for entry in recorded] == _names(expect["recorded"])
        for entry in recorded:
            assert complaints("journal-entry.json", entry) == []
        now = await engine.inputs.get("r1", "approve:0")
        assert complaints("input-row.json", now) == []
        if expect["code"] != "submission_reused":
            assert now == row
    finally:
        await engine.close()


async def _judge(engine: Engine, verdict: Entry) -> None:
    """Write a verdict, as a worker does."""
    port = LocalRunPort(engine)
    async with asyncio.timeout(10):
        while (await engine.inputs.get("r1", "approve:0"))["status"] != "validating":
            await asyncio.sleep(0)
    [run] = await port.claim("w", ["expense"], lease_ms=1_000, limit=1)
    part = await port.load(run.lease, 0)
    assert part is not None
    written: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    port.append(JournalAppend(run.lease, len(part.entries), [verdict], release=True), written.set_result)
    assert isinstance(await written, Appended)


async def _answer(engine: Engine, body: Any, who: dict[str, Any], wait_s: float = 0) -> dict[str, Any]:
    try:
        accepted = await engine.inputs.answer("r1", "approve:0", parse_answer(body), _who(who), wait_s=wait_s)
    except SignoffError as error:
        return {
            "outcome": None,
            "code": _code(error),
            "status": error.status,
            "replayed": False,
            "row": error.extra.get("row"),
            "pointers": _pointers(error),
        }
    return {
        "outcome": accepted.outcome,
        "code": None,
        "status": 202 if accepted.validating else 200,
        "replayed": accepted.replayed,
        "row": accepted.row,
        "offset": accepted.offset,
        "txid": accepted.txid,
        "pointers": [],
    }
