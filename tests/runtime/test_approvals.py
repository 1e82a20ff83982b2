"""Tools that wait for people: approved, edited, rejected or answered in their place, by people and by policies."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from signoff import App, Approved, Context, Decided, Edited, Rejected, Responded, ToolDecision, approve, reject
from signoff.clock import ManualClock
from signoff.errors import BadRequest, NotInAudience
from signoff.service import ed25519
from signoff.workflow import bundle
from signoff.workflow.bundle import AlteredBundle
from signoff.workflow.durations import moment
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who
from tests.runtime.scene import Scene, person, scene, stage, working

ALICE = person("alice")
OPERATOR = Who(frozenset(), DecidedBy("operator", "local"), operator=True)


class Mail(BaseModel):
    to: str
    body: str = ""


def told(decision: ToolDecision[Any]) -> list[Any]:
    """Return a decision as a run can show it."""
    match decision:
        case Approved(args=args, by=by, reason=reason):
            return ["approved", args.model_dump() if isinstance(args, BaseModel) else args, by.kind, reason]
        case Edited(args=args, by=by):
            return ["edited", args.model_dump() if isinstance(args, BaseModel) else args, by.kind]
        case Rejected(reason=reason, by=by):
            return ["rejected", reason, by.kind]
        case Responded(text=text, by=by):
            return ["responded", text, by.kind]


def app_of(args_type: Any = Mail, **options: Any) -> App:
    app = App()

    @app.workflow(expose=("output",))
    async def agent(ctx: Context, calls: list[dict[str, Any]]) -> list[Any]:
        gates = [
            ctx.approve_tool("mail:send", args, args_type=args_type, to=["user:alice"], tool_call_id=f"c{n}", **options)
            for n, args in enumerate(calls)
        ]
        return [told(decision) for decision in await asyncio.gather(*gates)]

    return app


async def test_several_tools_at_once_are_decided_each_in_one_of_four_ways(url: str) -> None:
    async with stage(app_of(), url) as on:
        run = await on.start("agent", [{"to": f"{name}@example.com"} for name in "abcd"])
        for n, (action, value) in enumerate(
            [("approve", None), ("edit", {"to": "z@example.com"}), ("reject", "too soon"), ("respond", "it was sent")]
        ):
            row = await on.asks(run, f"tool.mail_send:{n}")
            assert row["tool"] == {"name": "mail:send", "call_id": f"c{n}"}
            await on.answer(row, value, action=action, who=ALICE)
        assert (await on.reaches(run, "completed"))["output"] == [
            ["approved", {"to": "a@example.com", "body": ""}, "person", None],
            ["edited", {"to": "z@example.com", "body": ""}, "person"],
            ["rejected", "too soon", "person"],
            ["responded", "it was sent", "person"],
        ]


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_a_policy_decides_by_itself_and_says_why(url: str, mode: str) -> None:
    def policy(tool: str, args: Mail) -> Decided | None:
        assert tool == "mail:send"
        domain = args.to.partition("@")[2]
        return {"ours": approve("our own domain"), "theirs": reject("nobody there")}.get(domain)

    async def later(tool: str, args: Mail) -> Decided | None:
        return policy(tool, args)

    async with stage(app_of(policy=policy if mode == "sync" else later), url) as on:
        run = await on.start("agent", [{"to": "a@ours"}, {"to": "b@theirs"}, {"to": "c@else"}])
        await on.answer(await on.pending(run, "tool.mail_send:2"), None, action="approve", who=ALICE)
        assert (await on.reaches(run, "completed"))["output"] == [
            ["approved", {"to": "a@ours", "body": ""}, "policy", "our own domain"],
            ["rejected", "nobody there", "policy"],
            ["approved", {"to": "c@else", "body": ""}, "person", None],
        ]
        row = await on.engine.inputs.get(run, "tool.mail_send:0")
        assert row["decided_by"] == {"kind": "policy", "id": "policy" if mode == "sync" else "later"}
        assert row["reason"] == "our own domain"


def remembering(**options: Any) -> App:
    """Return an agent that calls one tool after the other."""
    app = App()

    @app.workflow(expose=("output",))
    async def agent(ctx: Context, calls: list[str]) -> list[Any]:
        decisions = []
        for to in calls:
            gate = ctx.approve_tool("send", {"to": to}, to=["user:alice"], remember=["run", "tool"], **options)
            decisions.append(await gate)
        return [[*told(one)[:1], one.by.id] for one in decisions]

    return app


async def approves(on: Scene, run: str, key: str, **remember: Any) -> None:
    await on.answer(await on.pending(run, key), remember or None, action="approve", who=ALICE)


async def test_an_approval_is_remembered_for_its_run_and_no_other(url: str) -> None:
    async with stage(remembering(), url) as on:
        run = await on.start("agent", ["a", "b", "c"])
        await approves(on, run, "tool.send:0", remember="run")
        output = (await on.reaches(run, "completed"))["output"]
        assert output == [["approved", "user:alice"], *[["approved", f"grant:{run}/tool.send:0"]] * 2]
        row = await on.engine.inputs.get(run, "tool.send:1")
        assert row["decided_by"] == {"kind": "policy", "id": f"grant:{run}/tool.send:0"}
        assert row["reason"].startswith("user:alice approved this for the next times too, at ")
        other = await on.start("agent", ["a"])
        assert (await on.pending(other, "tool.send:0"))["status"] == "pending"


async def test_an_approval_for_a_tool_holds_in_all_runs_that_the_same_person_started_until_it_is_revoked(
    url: str,
) -> None:
    async with stage(remembering(), url) as on:
        first = await on.start("agent", ["a"], by=person("sam").by)
        await approves(on, first, "tool.send:0", remember="tool")
        await on.reaches(first, "completed")
        second = await on.start("agent", ["b"], by=person("sam").by)
        assert (await on.reaches(second, "completed"))["output"] == [["approved", f"grant:{first}/tool.send:0"]]
        other = await on.start("agent", ["b"], by=person("eve").by)
        await on.pending(other, "tool.send:0")

        (listed,) = (await on.engine.grants.list(by={"user:alice"})).items
        assert (listed["id"], listed["scope"], listed["tool"]) == (f"{first}/tool.send:0", "tool", "send")
        assert (await on.engine.grants.list(by={"user:bora"})).items == ()
        with pytest.raises(NotInAudience):
            await on.engine.inputs.act("revoke", first, "tool.send:0", {}, person("bora"))
        for reason in ("no more", "and again"):
            alice = replace(ALICE, via="token:t1")
            await on.engine.inputs.act("revoke", first, "tool.send:0", {"reason": reason}, alice)
        (listed,) = (await on.engine.grants.list()).items
        assert listed["revoked"]["reason"] == "no more"
        assert listed["revoked"]["by"] == {"kind": "person", "id": "user:alice"}
        third = await on.start("agent", ["b"], by=person("sam").by)
        await on.pending(third, "tool.send:0")
        with pytest.raises(BadRequest):
            await on.engine.inputs.act("revoke", second, "tool.send:0", {}, OPERATOR)
        evidence = await on.engine.audit.export(first)
        assert bundle.verify(evidence, ed25519.is_good).revocations == 1
        (revoked,) = orjson.loads(evidence)["revocations"]
        assert (revoked["id"], revoked["reason"], revoked["via"]) == ("tool.send:0", "no more", "token:t1")
        assert revoked["by"] == {"kind": "person", "id": "user:alice"}
        assert "token:t1" not in str(listed)
        with pytest.raises(AlteredBundle):
            bundle.verify(evidence.replace(b"no more", b"no less"), ed25519.is_good)


async def test_an_approval_is_remembered_until_a_time_and_for_the_same_arguments(url: str) -> None:
    clock = ManualClock(1_800_000_000_000)
    async with scene(url, clock) as on, working(remembering(), on):
        run = await on.start("agent", ["a", "b", "a", "a"])
        until = moment(clock.now_ms() + 60_000).isoformat()
        await approves(on, run, "tool.send:0", remember="run", until=until, same_args=True)
        await approves(on, run, "tool.send:1")
        # The third is as the first: it is approved at once; the last comes after the time.
        row = await on.engine.inputs.get(run, "tool.send:0")
        assert row["tool"]["remembered"] == {"scope": "run", "until": until, "same_args": True}
        assert (await on.reaches(run, "completed"))["output"][2:] == [["approved", f"grant:{run}/tool.send:0"]] * 2
        clock.advance(60_000)
        late = await on.start("agent", ["a"])
        assert (await on.pending(late, "tool.send:0"))["status"] == "pending"


async def test_a_policy_goes_before_what_is_remembered(url: str) -> None:
    def policy(_tool: str, args: dict[str, Any]) -> Decided | None:
        return reject("never") if args["to"] == "bad" else None

    async with stage(remembering(policy=policy), url) as on:
        run = await on.start("agent", ["a", "bad", "b"])
        await approves(on, run, "tool.send:0", remember="run")
        assert [kind for kind, _ in (await on.reaches(run, "completed"))["output"]] == [
            "approved",
            "rejected",
            "approved",
        ]


async def test_nobody_is_spoken_for_who_may_not_approve(url: str) -> None:
    app = App()

    @app.workflow
    async def agent(ctx: Context) -> None:
        ask: Any = partial(ctx.approve_tool, "send", {}, remember=["run"])
        first = ask(to=["user:alice"])
        await first
        for options in ({"to": ["user:bora"]}, {"to": ["user:alice", "user:bora"], "forbid": ["user:alice"]}):
            await ask(**options)
        await ask(to=["user:alice", "user:bora"], forbid=[first.request])

    async with stage(app, url) as on:
        run = await on.start("agent")
        await approves(on, run, "tool.send:0", remember="run")
        for key in ("tool.send:1", "tool.send:2", "tool.send:3"):
            row = await on.pending(run, key)
            await on.answer(row, {"remember": "run"}, action="approve", who=person("bora"))
        await on.reaches(run, "completed")


async def test_what_was_decided_stays_when_the_policy_changes(url: str) -> None:
    async with scene(url) as on:
        async with working(app_of(policy=lambda _tool, _args: approve("for now")), on):
            run = await on.start("agent", [{"to": "a"}])
            await on.reaches(run, "completed")
        async with working(app_of(policy=lambda _tool, _args: reject("not any more")), on):
            fork = (await on.engine.runs.act("fork", run, OPERATOR.by, at="tool.mail_send:0", after=True))["id"]
            assert (await on.reaches(fork, "completed"))["output"][0][0] == "approved"
            anew = await on.start("agent", [{"to": "a"}])
            assert (await on.reaches(anew, "completed"))["output"] == [["rejected", "not any more", "policy"]]
        assert [entry["reason"] for entry in await on.entries(run, "input.answered")] == ["for now"]


async def test_a_rewind_takes_what_is_remembered_back(url: str) -> None:
    app = App()

    @app.workflow
    async def agent(ctx: Context) -> None:
        for _ in range(2):
            await ctx.approve_tool("send", {}, to=["user:alice"], remember=["tool"])
        await ctx.await_event("never")

    async with stage(app, url) as on:
        run = await on.start("agent")
        await approves(on, run, "tool.send:0", remember="tool")
        await on.reaches(run, "waiting")
        assert len((await on.engine.grants.list()).items) == 1
        await on.engine.runs.act("rewind", run, OPERATOR.by, to="tool.send:0")
        row = await on.pending(run, "tool.send:0")
        assert (await on.engine.grants.list()).items == ()
        assert row["status"] == "pending"


async def test_an_approval_that_is_revoked_in_the_middle_of_a_run_counts_no_more(url: str) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def policy(_tool: str, args: dict[str, Any]) -> Decided | None:
        if args["to"] == "late":  # what is remembered is looked up only after this
            asked.set()
            await go.wait()
        return None

    async with stage(remembering(policy=policy), url) as on:
        run = await on.start("agent", ["a", "b", "late", "c"])
        await approves(on, run, "tool.send:0", remember="run")
        await asked.wait()
        await on.engine.inputs.act("revoke", run, "tool.send:0", {}, ALICE)
        go.set()
        await approves(on, run, "tool.send:2")
        await approves(on, run, "tool.send:3")
        by = [who for _, who in (await on.reaches(run, "completed"))["output"]]
        assert by == ["user:alice", f"grant:{run}/tool.send:0", "user:alice", "user:alice"]
