"""Whom a reminder names once a request has been handed on."""

from __future__ import annotations

from typing import Any

from signoff import Context, Escalation, Reminder
from signoff.workflow.entry import DecidedBy
from signoff.workflow.handover.entries import InputAmended, InputDelegated, InputReassigned
from signoff.workflow.input.entries import InputEscalated
from tests.workflow.drive import ALICE, Drive

OPERATOR = DecidedBy("operator", "local")


def test_a_reminder_is_for_those_who_are_asked_now() -> None:
    def notify(reminder: Reminder) -> None:
        """Stand for a mail."""

    async def flow(ctx: Context) -> Any:
        later = [Escalation("5s", ["user:eve"])]
        times: dict[str, Any] = {"remind": ["1s", "2s", "3s", "6s"], "escalate": later, "on_remind": notify}
        return await ctx.await_input("a", int, title="Old?", to=["user:alice", "group:finance"], **times)

    drive = Drive(flow)

    def named(at: int) -> Any:
        for notification in drive.machine.due(at):
            drive.tell(notification)
        *_, last = drive.machine.open_steps.values()
        return last.args[0].title, last.args[0].to

    assert named(2_000) == ("Old?", ("user:alice", "group:finance"))
    drive.tell(InputDelegated(2_100, "a:0", "user:bob", "on leave", ALICE))
    assert named(3_000) == ("Old?", ("user:bob", "group:finance"))
    carol = DecidedBy("person", "user:carol")
    drive.tell(InputDelegated(3_100, "a:0", "user:dan", "on leave", carol, forbid=True))
    assert named(4_000) == ("Old?", ("user:bob", "group:finance", "user:dan"))
    drive.tell(InputReassigned(4_100, "a:0", ("user:chief",), "all away", OPERATOR))
    drive.tell(InputAmended(4_200, "a:0", {"title": "New?"}, "a typo", OPERATOR))
    drive.tell(InputEscalated(6_000, "a:0", 3, ("user:eve",)))
    assert named(7_000) == ("New?", ("user:chief", "user:eve"))
