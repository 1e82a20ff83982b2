"""Tools beside what else a request may have: secrets, validators, quorums, deadlines, policies that fail, evidence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, SecretStr

from signoff import (
    App,
    Approved,
    Context,
    Decided,
    Default,
    Edited,
    InputExpired,
    Quorum,
    Refused,
    Rejected,
    Responded,
    Submission,
    ToolDecision,
    approve,
    reject,
)
from signoff.errors import InvalidAnswer, UnsupportedValue
from signoff.service import ed25519
from signoff.testing import TestEngine, TestRun
from signoff.workflow import bundle

ALICE, BORA = "user:alice", "user:bora"


class Mail(BaseModel):
    to: str
    copies: int = 0


class Login(BaseModel):
    user: str
    password: SecretStr


def app_of(*proposals: Any, tool: str = "send", then: Callable[[Any], Any] = str, **options: Any) -> App:
    """Return an agent that wants to call a tool with each of these arguments, one after the other."""
    app = App()

    @app.workflow(expose=("output",))
    async def agent(ctx: Context) -> list[Any]:
        return [told(await ctx.approve_tool(tool, args, **({"to": [ALICE]} | options)), then) for args in proposals]

    return app


def told(decision: ToolDecision[Any], of_args: Callable[[Any], Any]) -> list[Any]:
    match decision:
        case Approved(args) | Edited(args):
            return [type(decision).__name__, of_args(args), decision.by.kind, decision.reason]
        case Rejected(said) | Responded(said):
            return [type(decision).__name__, said, decision.by.kind]


async def why(run: TestRun) -> str:
    """Return why a run has failed, which browsers do not see."""
    [entry] = await run.journal("run.failed")
    return str(entry["error"]["message"])


# -- several at once ---------------------------------------------------------------------------------------------------


async def test_two_requests_of_one_tool_at_once_are_decided_each_for_itself() -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def agent(ctx: Context) -> list[Any]:
        gates = [ctx.approve_tool("send", {"to": "a"}, to=[ALICE], remember=["run"]) for _ in range(2)]
        gates = [*gates, ctx.approve_tool("send:", {"to": "a"}, to=[ALICE], name="another", remember=["run"])]
        found = [await gate for gate in gates]
        return [
            type(one).__name__ for one in [*found, await ctx.approve_tool("send", {}, to=[ALICE], remember=["run"])]
        ]

    async with TestEngine(app) as engine:
        run, alice = await engine.start("agent"), engine.person(ALICE)
        await run.asks("tool.send:1")
        await alice.answers("tool.send:0", {"remember": "run"}, action="approve")
        await engine.settled()
        assert [one.key for one in await run.pending()] == ["tool.send:1", "another:0"], "who is asked already stays so"
        await alice.answers("another:0", action="reject")
        await alice.answers("tool.send:1", "did it myself", action="respond")
        assert await run.result() == ["Approved", "Responded", "Rejected", "Approved"]


# -- arguments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        {"to": object()},
        {"to": float("nan")},
        {"to": "\ud800"},
        {"to": 7},
        {"copies": 1},
        {"to": "a", "copies": "many"},
        {"to": SecretStr("a"), "copies": [SecretStr("b")]},
        Login(user="a", password=SecretStr("b")),
        '{"to": "a"}',
        ["a"],
        None,
    ],
)
async def test_what_a_tool_could_not_take_is_for_the_model_and_nobody_is_asked(args: Any) -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def agent(ctx: Context) -> str:
        try:
            return type(await ctx.approve_tool("send", args, args_type=Mail, to=[ALICE])).__name__
        except UnsupportedValue as error:
            return error.code

    async with TestEngine(app) as engine:
        run = await engine.start("agent")
        assert await run.result() == "unsupported_value"
        assert await run.journal("input.requested") == []


async def test_without_a_type_whatever_has_a_json_form_may_be_proposed() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    async with TestEngine(
        app_of({"at": at, "n": 2**80, "raw": b"\xff", "of": {1: (2,)}}, then=lambda args: args)
    ) as engine:
        run = await engine.start("agent")
        seen = await engine.person(ALICE).sees("tool.send")
        plain = {"at": "2026-01-02T00:00:00+00:00", "n": str(2**80), "raw": "/w==", "of": {"1": [2]}}
        assert seen.row["show"] == plain
        await engine.person(ALICE).answers(seen, action="approve")
        assert (await run.result())[0][1] == plain


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [{"user": "a", "password": "p4ss"}, {"user": "a", "password": SecretStr("p4ss")}])
async def test_secret_arguments_reach_the_tool_and_nobody_else(args: Any) -> None:
    def in_clear(login: Login) -> list[str]:
        assert isinstance(login, Login)
        return [login.user, "right" if login.password.get_secret_value() == "p4ss" else "wrong"]

    def policy(_tool: str, login: Login) -> None:
        assert login.password.get_secret_value() == "p4ss"

    options: Any = {"args_type": Login, "policy": policy, "output": "chat"}
    async with TestEngine(
        app_of(args, Login(user="a", password=SecretStr("p4ss")), then=in_clear, **options)
    ) as engine:
        run, alice = await engine.start("agent"), engine.person(ALICE)
        seen = await alice.sees("tool.send:0")
        assert seen.row["show"] == {"user": "a", "password": "**********"}
        assert seen.row["initial"] == {"user": "a"}
        with pytest.raises(InvalidAnswer) as refused:
            await alice.answers(seen, {"user": "b"}, action="edit")
        assert [error["pointer"] for error in refused.value.extra["errors"]] == ["/password"]
        await alice.answers(seen, action="approve")
        await alice.answers("tool.send:1", {"user": "b", "password": "p4ss"}, action="edit")
        assert [said[1] for said in await run.result()] == [["a", "right"], ["b", "right"]]
        shown = [await engine.services.streams.read(f"runs/{run.id}{part}") for part in ("", "/out/chat")]
        assert all(b"p4ss" not in stream.body for stream in shown)
        assert b"**********" in shown[1].body


async def test_arguments_that_differ_in_a_secret_are_not_the_same() -> None:
    same = [{"user": "a", "password": said} for said in ("one", "one", "two")]
    options: Any = {"args_type": Login, "remember": ["run"]}
    async with TestEngine(app_of(*same, then=lambda login: login.user, **options)) as engine:
        run, alice = await engine.start("agent"), engine.person(ALICE)
        await alice.answers("tool.send:0", {"remember": "run", "same_args": True}, action="approve")
        await alice.answers("tool.send:2", action="reject")
        assert [(said[0], said[2]) for said in await run.result()] == [
            ("Approved", "person"),
            ("Approved", "policy"),
            ("Rejected", "person"),
        ]


async def test_a_json_schema_says_what_is_secret_too_and_nothing_hides_one_unnamed() -> None:
    schema = {"type": "object", "properties": {"pin": {"type": "string", "writeOnly": True}}}
    async with TestEngine(app_of({"pin": "1234"}, then=lambda args: args["pin"][::-1], args_schema=schema)) as engine:
        run = await engine.start("agent")
        seen = await engine.person(ALICE).sees("tool.send")
        assert (seen.row["show"], seen.row["initial"]) == ({"pin": "**********"}, {})
        await engine.person(ALICE).answers(seen, action="approve")
        assert (await run.result())[0][1] == "4321"
    async with TestEngine(app_of({"pin": [SecretStr("1234")]})) as engine:
        run = await engine.start("agent")
        await run.reaches("failed")
        assert "needs an `args_type`" in (await why(run))


# -- validators, quorums, deadlines ------------------------------------------------------------------------------------


async def test_a_validator_judges_edits_alone_and_may_correct_them() -> None:
    judged: list[str] = []

    def validate(mail: Mail, sent: Submission) -> Mail | None:
        judged.append(sent.action)
        if mail.to == "nobody":
            raise Refused({"/to": "There is no such person."})
        return Mail(to=mail.to.lower()) if mail.to != mail.to.lower() else None

    options: Any = {"args_type": Mail, "validate": validate}
    async with TestEngine(app_of(*[{"to": "a"}] * 3, then=lambda mail: mail.to, **options)) as engine:
        run, alice = await engine.start("agent"), engine.person(ALICE)
        with pytest.raises(InvalidAnswer) as refused:
            await alice.answers("tool.send:0", {"to": "nobody"}, action="edit")
        assert refused.value.extra["errors"] == [{"pointer": "/to", "message": "There is no such person."}]
        await alice.answers("tool.send:0", {"to": "EVE"}, action="edit")
        await alice.answers("tool.send:1", action="approve")
        await alice.answers("tool.send:2", "not now", action="reject")
        assert [said[:2] for said in await run.result()] == [
            ["Edited", "eve"],
            ["Approved", "a"],
            ["Rejected", "not now"],
        ]
        assert judged == ["edit", "edit"]


async def test_several_people_decide_about_a_tool() -> None:
    options: Any = {"args_type": Mail, "to": [ALICE, BORA], "quorum": Quorum(2)}
    async with TestEngine(app_of(*[{"to": "a"}] * 3, then=lambda mail: mail.to, **options)) as engine:
        run, alice, bora = await engine.start("agent"), engine.person(ALICE), engine.person(BORA)
        seen = await alice.sees("tool.send")
        assert seen.row["actions"] == ["approve", "reject"]
        for n, action in enumerate(["approve", "reject"]):
            await alice.answers(f"tool.send:{n}", action=action)
            await bora.answers(f"tool.send:{n}", action=action)
        await alice.answers("tool.send:2", action="approve")
        await bora.answers("tool.send:2", "never", action="reject")
        assert [one.key for one in await run.pending()] == ["tool.send:2"], "they do not agree"
        await alice.answers("tool.send:2", "as bora says", action="reject")
        assert [said[:2] for said in await run.result()] == [
            ["Approved", "a"],
            ["Rejected", None],
            ["Rejected", "as bora says"],
        ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"remember": ["run"]}, "one of them cannot speak for all"),
        ({"actions": ["approve", "edit", "respond"]}, "leave out edit, respond"),
    ],
)
async def test_nobody_speaks_for_the_others_of_a_quorum(options: dict[str, Any], said: str) -> None:
    async with TestEngine(app_of({}, quorum=Quorum(2), **{"to": [ALICE, BORA]} | options)) as engine:
        run = await engine.start("agent")
        await run.reaches("failed")
        assert said in await why(run)


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        (Default("reject", "nobody has looked"), ["Rejected", "nobody has looked", "timeout"]),
        (Default("reject"), ["Rejected", None, "timeout"]),
        (Default("approve"), ["Approved", "to='a' copies=0", "timeout", None]),
        (Default("edit", Mail(to="b")), ["Edited", "to='b' copies=0", "timeout", None]),
        (Default("respond", "ask later"), ["Responded", "ask later", "timeout"]),
    ],
)
async def test_a_deadline_decides_about_a_tool(default: Default, expected: list[Any]) -> None:
    async with TestEngine(app_of({"to": "a"}, args_type=Mail, deadline="2h", default=default)) as engine:
        run = await engine.start("agent")
        assert await run.result() == [expected]


async def test_without_a_default_a_request_about_a_tool_expires() -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def agent(ctx: Context) -> str:
        with pytest.raises(InputExpired):
            await ctx.approve_tool("send", {}, to=[ALICE], deadline="2h", remember=["run"])
        return "over"

    async with TestEngine(app) as engine:
        assert await (await engine.start("agent")).result() == "over"


# -- policies ----------------------------------------------------------------------------------------------------------


async def test_a_policy_may_edit_and_what_it_says_wrong_leaves_it_to_people(caplog: pytest.LogCaptureFixture) -> None:
    def policy(_tool: str, mail: Mail) -> Any:
        match mail.to:
            case "edit":
                return Decided("edit", {"to": "b"}, "known to be meant")
            case "misfit":
                return Decided("edit", {"to": 7})
            case "unknown":
                return Decided("allow")
            case "no verdict":
                return True
            case _:
                raise LookupError("no rule")

    said = ["edit", "misfit", "unknown", "no verdict", "raises"]
    options: Any = {"args_type": Mail, "policy": policy, "then": lambda mail: mail.to}
    async with TestEngine(app_of(*[{"to": to} for to in said], **options)) as engine:
        run, alice = await engine.start("agent"), engine.person(ALICE)
        for n in range(1, 5):
            await alice.answers(f"tool.send:{n}", action="approve")
        output = await run.result()
        assert output[0] == ["Edited", "b", "policy", "known to be meant"]
        assert [one[2] for one in output[1:]] == ["person"] * 4
        reasons = [entry["reason"] for entry in await run.journal("input.returned")]
        assert all(reasons)
    assert caplog.text.count("the request is open as before") == 4


async def test_what_decided_by_itself_is_evidence_with_its_reason() -> None:
    def inside(_tool: str, mail: Mail) -> Decided | None:
        return {"a": approve("our own domain"), "b": reject("nobody there")}.get(mail.to)

    options: Any = {"args_type": Mail, "policy": inside, "remember": ["run"]}
    async with TestEngine(app_of(*[{"to": to} for to in "abcd"], **options)) as engine:
        run = await engine.start("agent")
        await engine.person(ALICE).answers("tool.send:2", {"remember": "run"}, action="approve")
        await run.reaches("completed")
        data = await engine.services.audit.export(run.id)
    assert bundle.verify(data, ed25519.is_good).decisions == 4
    found = [(one["id"], one["action"], one["by"], one["reason"]) for one in orjson.loads(data)["decisions"]]
    assert found[:3] == [
        ("tool.send:0", "approve", {"kind": "policy", "id": "inside"}, "our own domain"),
        ("tool.send:1", "reject", {"kind": "policy", "id": "inside"}, "nobody there"),
        ("tool.send:2", "approve", {"kind": "person", "id": ALICE}, None),
    ]
    assert found[3][2] == {"kind": "policy", "id": f"grant:{run.id}/tool.send:2"}
    assert found[3][3].startswith("user:alice approved this for the next times too, at 2026-01-01T00:00:00")
    with pytest.raises(bundle.AlteredBundle, match="Entry"):
        bundle.verify(data.replace(b"our own domain", b"our new domain", 1), ed25519.is_good)
