"""What operators may do to a request for input."""

from __future__ import annotations

import pytest

from signoff import Context
from signoff.errors import AlreadyDecided, Expired, InputNotFound, InputWithdrawn, Withdrawn
from signoff.workflow.decision import AppendEntries
from signoff.workflow.input.act import REQUEST_VERBS, withdraw
from signoff.workflow.input.entries import InputAnswered, InputExpired, InputRecalled, InputRequested
from signoff.workflow.input.entries import InputWithdrawn as Ended
from signoff.workflow.input.evidence import shown_to
from signoff.workflow.input.verb import decide_on
from tests.workflow.drive import Drive
from tests.workflow.input.requests import ALICE, LOCAL, SCHEMA
from tests.workflow.loaded import loaded, written

ASKED = InputRequested(1_000, "approve:0", {"title": "Approve?", "schema": SCHEMA}, ("group:finance",))
ENDS = {
    AlreadyDecided: InputAnswered(1_500, "approve:0", "s1", "d", "submit", {"ok": True}, ALICE.by),
    Expired: InputExpired(1_500, "approve:0"),
    Withdrawn: Ended(1_500, "approve:0", "moot"),
}


def test_what_is_withdrawn_is_told_with_its_reason() -> None:
    run = loaded(ASKED)
    decision = decide_on(REQUEST_VERBS[0], run, "approve:0", 2_000, body={"reason": "moot"}, who=LOCAL)
    assert isinstance(decision, AppendEntries)
    shown = shown_to(run.view.inputs["approve:0"], LOCAL.via)
    assert decision.entries == (InputRecalled(2_000, "approve:0", "moot", LOCAL.by, shown),)
    row, of_run = written(run, decision)
    assert (row["status"], row["reason"], row["decided_by"]["kind"]) == ("withdrawn", "moot", "operator")
    assert of_run["status"] == "running"


@pytest.mark.parametrize("refusal", ENDS)
def test_what_is_decided_stays(refusal: type[AlreadyDecided]) -> None:
    run = loaded(ASKED, ENDS[refusal])
    with pytest.raises(refusal):
        withdraw(run, run.view.inputs["approve:0"], {"reason": "moot"}, LOCAL, 2_000)
    with pytest.raises(InputNotFound):
        decide_on(REQUEST_VERBS[0], run, "other:0", 2_000, body={"reason": "moot"}, who=LOCAL)


def test_the_code_is_told() -> None:
    async def flow(ctx: Context) -> str:
        try:
            await ctx.await_input("approve", bool, title="Approve?")
        except InputWithdrawn as error:
            return str(error)
        return "answered"

    drive = Drive(flow)
    drive.tell(InputRecalled(2_000, "approve:0", "asked by mistake", LOCAL.by))
    assert drive.output == "The request approve:0 was withdrawn: asked by mistake."
