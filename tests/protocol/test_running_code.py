"""What running code writes validates against the schemas: its journal, its rows, its listing, its inboxes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from signoff import App, Context, DecidedBy, PublicError, Retry
from signoff.errors import InputExpired as InputExpiredError
from signoff.workflow import codec, journal, nouns
from signoff.workflow.entry import Entry, Error
from signoff.workflow.event.entries import EventAbandoned, EventReceived, EventTimedOut
from signoff.workflow.failure import error_of
from signoff.workflow.input.entries import InputAnswered, InputExpired, InputWithdrawn
from signoff.workflow.machine import Machine
from signoff.workflow.projection import project
from signoff.workflow.run.entries import (
    CancelRequested,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunDescribed,
    RunFailed,
    RunRetried,
    RunRewound,
    RunStarted,
    RunUnblocked,
)
from signoff.workflow.step.entries import StepCompleted, StepFailed
from signoff.workflow.timer.entries import TimerCancelled, TimerFired
from signoff.workflow.view import View
from tests.protocol.material import SCHEMAS, complaints

app = App()


@dataclass
class Decision:
    """What a person says."""

    approved: bool
    limit: Decimal | None = None


def work(amount: int) -> Decimal:
    return Decimal(amount)


@app.workflow(expose=("input", "output"), tags=("eu",))
async def everything(ctx: Context, amount: int) -> dict[str, Any]:
    ctx.progress(None, "begun")
    ctx.publish("line", "l1", {"text": "Taxi"})
    rate, memo = await asyncio.gather(
        ctx.options(label="Rate", expose=True, retry=Retry(attempts=2)).step("rate", work, amount),
        ctx.step("memo", work, amount),
    )
    try:
        async with asyncio.timeout(5):
            await ctx.step("slow", work, 1)
    except TimeoutError:
        ctx.publish("line", "l1", None)
    await ctx.sleep(timedelta(seconds=2))
    event = await ctx.await_event("paid", timeout="1h", key="eur")
    ctx.patched("second-look")
    late = ctx.await_input("late", bool, title="Too late?", to=["user:bob"], deadline="1s")
    request = ctx.await_input(
        "approve",
        Decision,
        title="Approve?",
        description="**Really**",
        show={"rate": rate},
        ui={"a": 1},
        actions=["approve", "reject"],
        to=["group:finance"],
        forbid=["user:alice"],
        deadline="3d",
        expose=True,
    )
    await request.revise(show={"rate": memo}, to=["group:finance", "user:eve"], deadline=None, description=None)
    ctx.await_input("spare", int, title="Spare", to=["user:eve"]).withdraw("not needed")
    answer = await request
    try:
        await late
    except InputExpiredError:
        ctx.progress(1.0)
    return {"event": event, "limit": answer.value.limit, "by": answer.by.id}


ENTRIES: tuple[Any, ...] = tuple(nouns.entries().values())
PERSON = DecidedBy("person", "user:carol")
SOME = Error("value_error", "no", "builtins.ValueError")


def _story() -> list[Entry]:
    """Run the workflow to its end; return its journal."""
    definition = app.get("everything")
    machine = Machine(definition)
    digest = codec.digest(["everything", 120])
    fresh: Entry = RunStarted(
        0, "r1", "everything", "1", 120, "seed", digest, definition.tags, expose=definition.expose
    )
    told: list[Entry] = [
        StepFailed(10, "rate:0", 1, SOME, retry_at=1010),
        StepCompleted(11, "memo:0", 1, codec.encode(Decimal("1.5"))),
        StepCompleted(1020, "rate:0", 2, codec.encode(Decimal("1.25"))),
    ]
    entries: list[Entry] = []
    while True:
        entries += [fresh, *machine.advance([fresh])]
        if machine.outcome is not None:
            return entries
        fresh = told.pop(0) if told else _next(machine)


def _next(machine: Machine) -> Entry:
    """Return what the world answers to what is open: timers, then events, then people, then deadlines."""
    if machine.open_timers:
        timer, due = min(machine.open_timers.items(), key=lambda timer: timer[1])
        return TimerFired(due, timer)
    if machine.open_events:
        return EventReceived(12_000, "paid", "e1", {"n": 1}, "eur")
    if "approve:0" in machine.open_inputs:
        value = {"approved": True, "limit": "9.50"}
        return InputAnswered(20_000, "approve:0", "sub-1", "0" * 64, "approve", value, PERSON)
    return InputExpired(30_000, "late:0")


def _written(entries: list[Entry]) -> list[dict[str, Any]]:
    return [orjson.loads(orjson.dumps(journal.to_json(entry))) for entry in entries]


def test_the_journal_of_a_run() -> None:
    entries = _story()
    assert isinstance(entries[-1], RunCompleted)
    for written in _written(entries):
        assert complaints("journal-entry.json", written) == []


def test_its_rows() -> None:
    view = View()
    delta = project(view, _story(), 0)
    assert delta.close
    messages = [*delta.public, *delta.listing, *(message for _, message in delta.inboxes)]
    for message in map(orjson.loads, messages):
        assert complaints("state-message.json", message) == []
    shown = {orjson.loads(message)["type"] for message in delta.public}
    assert shown == {"run", "step", "input", "progress", "line"}


def test_other_ends() -> None:
    others: list[Entry] = [
        RunFailed(1, error_of(PublicError("The account is closed."))),
        RunCancelled(1, "why", SOME),
        CancelRequested(1, None, PERSON),
        CancelRequested(1, "why"),
        RunBlocked(1, SOME),
        RunRetried(1, PERSON),
        RunRetried(1, PERSON, 3, ("rate:0",)),
        RunRewound(1, 3, "rate:0", after=True, reason="why", by=PERSON),
        RunRewound(1, 3),
        RunUnblocked(1),
        RunDescribed(1, "2", tags=("a",), expose=("input",), input={"amount": 1}),
        EventTimedOut(1, "paid:0"),
        EventAbandoned(1, "paid:0"),
        TimerCancelled(1, "sleep:0"),
        StepFailed(1, "rate:0", 3, SOME),
        InputWithdrawn(1, "approve:0"),
    ]
    for written in _written(others):
        assert complaints("journal-entry.json", written) == []


def test_every_entry_type_has_a_schema_and_the_other_way_round() -> None:
    kinds = {cls.type for cls in ENTRIES}
    assert kinds == set(SCHEMAS["journal-entry.json"]["properties"]["type"]["enum"])


@pytest.mark.parametrize("kind", sorted(SCHEMAS["journal-entry.json"]["properties"]["type"]["enum"]))
def test_schemas_name_the_members_the_code_has(kind: str) -> None:
    classes: dict[str, Any] = {cls.type: cls for cls in ENTRIES}
    members = {member.name for member in fields(classes[kind])}
    described = set(SCHEMAS["journal-entry.json"]["$defs"][kind]["properties"]) - {"v", "type", "chain"}  # beside it
    assert members == described
