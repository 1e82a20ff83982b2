"""What may be chosen at a request, as the code says it: names, or actions with types of their own."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from signoff import Action, Context, InvalidAnswer
from signoff.workflow import journal
from signoff.workflow.input.actions import LONGEST, Offered, offered, offered_apart
from signoff.workflow.input.entries import InputRequested, InputRevised
from signoff.workflow.input.schema import schema_of
from tests.workflow.drive import Drive


class Args(BaseModel):
    path: str

    @field_validator("path")
    @classmethod
    def _is_absolute(cls, path: str) -> str:
        if not path.startswith("/"):
            raise ValueError("must be absolute")
        return path


class Reason(BaseModel):
    reason: str


TYPED: dict[str, Any] = {"approve": None, "edit": Args, "reject": Action(Reason, confirm="Sure?"), "respond": str}


async def tool(ctx: Context) -> list[Any]:
    answer = await ctx.await_input("tool", actions=TYPED, title="Run it?")
    return [answer.action, answer.value.model_dump() if isinstance(answer.value, BaseModel) else answer.value]


def test_each_action_has_its_schema_and_only_what_is_not_as_usual_is_recorded() -> None:
    drive = Drive(tool)
    request = drive.journal[-1]
    assert isinstance(request, InputRequested)
    assert request.spec == {
        "title": "Run it?",
        "schema": {},
        "actions": ["approve", "edit", "reject", "respond"],
        "choices": {
            "approve": {"schema": None},
            "edit": {"schema": schema_of(Args)},
            "reject": {"schema": schema_of(Reason), "confirm": "Sure?"},
            "respond": {"schema": schema_of(str)},
        },
    }


@pytest.mark.parametrize(
    ("action", "value", "read"),
    [
        ("approve", None, None),
        ("edit", {"path": "/tmp/a"}, {"path": "/tmp/a"}),
        ("reject", {"reason": "no"}, {"reason": "no"}),
        ("respond", "later", "later"),
    ],
)
def test_an_answer_is_of_the_type_of_its_action(action: str, value: Any, read: Any) -> None:
    drive = Drive(tool)
    drive.answer("tool:0", value, action)
    assert drive.output == [action, read]


def test_what_only_the_type_refuses_is_said_with_its_place() -> None:
    async def flow(ctx: Context) -> Any:
        try:
            return await ctx.await_input("tool", actions=TYPED, title="Run it?")
        except InvalidAnswer as error:
            return error.extra["errors"]

    drive = Drive(flow)
    drive.answer("tool:0", {"path": "tmp"}, "edit")
    assert [error["pointer"] for error in drive.output] == ["/path"]


def test_an_answer_to_an_action_that_the_code_no_longer_has_is_plain() -> None:
    drive = Drive(tool)
    drive.answer("tool:0", {"path": 7}, "copy")
    assert drive.output == ["copy", {"path": 7}]


def test_going_back_is_not_checked_against_a_type() -> None:
    async def flow(ctx: Context) -> Any:
        answer = await ctx.await_input("page", actions={"next": Args, "back": None}, title="1")
        return [answer.action, answer.value]

    drive = Drive(flow)
    drive.answer("page:0", {"path": 7}, "back")
    assert drive.output == ["back", {"path": 7}]


def test_a_request_with_one_type_may_say_how_its_actions_are_shown() -> None:
    async def flow(ctx: Context) -> Any:
        actions = {"approve": Action(label="Pay"), "reject": None, "keep": Action(label="Keep", intent="neutral")}
        return (await ctx.await_input("pay", Reason, actions=actions, title="Pay?")).value

    drive = Drive(flow)
    request = drive.journal[-1]
    assert isinstance(request, InputRequested)
    assert request.spec == {
        "title": "Pay?",
        "schema": schema_of(Reason),
        "actions": ["approve", "reject", "keep"],
        "choices": {"approve": {"label": "Pay"}},
    }
    drive.answer("pay:0", None, "reject")
    assert drive.output is None


def test_names_alone_are_recorded_as_they_always_were() -> None:
    async def flow(ctx: Context) -> None:
        request = ctx.await_input("a", Reason, title="?", actions=("approve", "reject"), ui={"x": 1})
        request.revise(title="!", actions=["approve"], to=["user:a"])
        await request

    drive = Drive(flow)
    asked, revised = drive.journal[-2:]
    assert isinstance(asked, InputRequested)
    assert list(asked.spec) == ["title", "schema", "ui", "actions"]
    assert isinstance(revised, InputRevised)
    written = journal.to_json(revised)["changes"]
    assert list(written.items()) == [("title", "!"), ("actions", ["approve"]), ("to", ["user:a"])]


def test_a_revision_offers_some_of_the_actions_or_others() -> None:
    async def flow(ctx: Context) -> Any:
        request = ctx.await_input("tool", actions=TYPED, title="Run it?")
        request.revise(actions=["approve", "reject"])
        request.revise(actions=["approve", "edit"])
        request.revise(actions={"count": int})
        return (await request).value

    drive = Drive(flow)
    changes = [entry.changes for entry in drive.journal if isinstance(entry, InputRevised)]
    reject = {"schema": schema_of(Reason), "confirm": "Sure?"}
    assert changes == [
        {"actions": ["approve", "reject"], "choices": {"approve": {"schema": None}, "reject": reject}},
        {"actions": ["approve", "edit"], "choices": {"approve": {"schema": None}, "edit": {"schema": schema_of(Args)}}},
        {"actions": ["count"], "choices": {"count": {"schema": schema_of(int)}}},
    ]
    drive.answer("tool:0", 7, "count")
    assert drive.output == 7


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Action(Args, label=""), "label of an action is a text that is not empty"),
        (lambda: Action(Args, label="x" * (LONGEST["label"] + 1)), "100 characters at most, not 101"),
        (lambda: Action(Args, confirm="x" * (LONGEST["confirm"] + 1)), "1000 characters at most, not 1001"),
        (lambda: Action(Args, intent="good"), "positive, negative, neutral or None, not 'good'"),  # type: ignore[call-overload]
        (lambda: offered({"edit": Args}, Reason), "'edit' has a type of its own, and the request one for all"),
        (lambda: offered({"edit": Action(Args)}, Reason), "has a type of its own"),
        (lambda: offered("approve", Reason), "a list of texts, not the text 'approve'"),
        (lambda: offered_apart(["approve"]), "a type for all actions, or actions with types of their own"),
        (lambda: offered_apart({"edit": Args}).revised(["edit", "copy"]), "say that of 'copy'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@pytest.mark.parametrize("actions", [["approve"], {}, ("submit",)])
def test_a_request_without_any_type_is_refused(actions: Any) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.await_input("tool", title="?", actions=actions)

    assert Drive(flow).error.code in {"type_error", "value_error"}


def test_a_way_back_is_added_once() -> None:
    names = [offered(["next"], int).with_back(), offered_apart({"next": int}).with_back()]
    assert [one.names for one in names] == [["next", "back"], ["next", "back"]]
    assert names[1].choices["back"] == {"schema": None}
    assert names[1].with_back() is names[1]
    assert isinstance(names[0], Offered)
    assert names[0].choices == {}


def test_an_action_tells_of_itself() -> None:
    assert repr(Action(int, label="Count")) == "Action(<class 'int'>, label='Count', intent=None, confirm=None)"
