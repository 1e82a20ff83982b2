"""People and the engine: every way two things can happen to one request has one outcome."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel

from signoff import App, Context, InputExpired, InputWithdrawn
from signoff.clock import ManualClock
from signoff.errors import (
    AlreadyDecided,
    BadRequest,
    Expired,
    InputNotFound,
    InvalidAnswer,
    NotInAudience,
    RunNotFound,
    SignoffError,
    Stale,
    SubmissionReused,
    Withdrawn,
)
from signoff.testing import TestEngine
from signoff.workflow.input.submission import AnswerRequest
from tests.runtime.scene import Scene, person, scene, stage, working


class Decision(BaseModel):
    approved: bool
    amount: int | None = None


def approval_app(**options: Any) -> App:
    app = App()

    @app.workflow(expose=("output",))
    async def approval(ctx: Context) -> dict[str, Any]:
        try:
            answer = await ctx.await_input(
                "approve", Decision, title="Approve?", show={"amount": 10}, to=["group:finance"], **options
            )
        except InputExpired:
            return {"outcome": "expired"}
        except InputWithdrawn:
            return {"outcome": "withdrawn"}
        return {"outcome": "answered", "approved": answer.value.approved, "by": answer.by.id, "kind": answer.by.kind}

    return app


async def test_an_answer_resumes_the_run_once(url: str) -> None:
    async with stage(approval_app(), url) as on:
        run = await on.start("approval")
        row = await on.asks(run, "approve:0")
        accepted = await on.answer(row, {"approved": True}, who=person("bora"))
        assert accepted.row["status"] == "answered"
        assert accepted.row["decided_by"] == {"kind": "person", "id": "user:bora"}
        done = await on.reaches(run, "completed")
        assert done["output"] == {"outcome": "answered", "approved": True, "by": "user:bora", "kind": "person"}
        assert len(await on.entries(run, "input.answered")) == 1


async def test_a_retry_gets_the_first_outcome_and_a_reuse_is_refused(url: str) -> None:
    async with stage(approval_app(), url) as on:
        run = await on.start("approval")
        row = await on.asks(run, "approve:0")
        first = await on.answer(row, {"approved": True}, submission="same")
        await on.reaches(run, "completed")
        again = await on.answer(row, {"approved": True}, submission="same")
        assert again.replayed
        assert (again.offset, again.txid, again.row) == (first.offset, first.txid, first.row)
        with pytest.raises(SubmissionReused):
            await on.answer(row, {"approved": False}, submission="same")


async def test_a_double_click_has_one_effect(url: str) -> None:
    async with stage(approval_app(), url) as on:
        run = await on.start("approval")
        row = await on.asks(run, "approve:0")
        replies = await asyncio.gather(*(on.answer(row, {"approved": True}, submission="one") for _ in range(20)))
        assert sum(not reply.replayed for reply in replies) == 1
        assert len({reply.offset for reply in replies}) == 1
        await on.reaches(run, "completed")
        assert len(await on.entries(run, "input.answered")) == 1


async def test_many_people_at_once_have_one_winner(url: str) -> None:
    async with stage(approval_app(), url) as on:
        run = await on.start("approval")
        row = await on.asks(run, "approve:0")
        people = [person(f"p{n}") for n in range(20)]
        replies = await asyncio.gather(
            *(on.answer(row, {"approved": n % 2 == 0}, who=who) for n, who in enumerate(people)),
            return_exceptions=True,
        )
        won = [n for n, reply in enumerate(replies) if not isinstance(reply, BaseException)]
        lost = [reply for reply in replies if isinstance(reply, BaseException)]
        assert len(won) == 1
        assert {type(error) for error in lost} == {AlreadyDecided}
        for error in lost:
            assert isinstance(error, SignoffError)
            assert error.extra["row"]["decided_by"]["id"] == f"user:p{won[0]}"
        done = await on.reaches(run, "completed")
        assert done["output"]["by"] == f"user:p{won[0]}"


async def test_an_invalid_answer_consumes_nothing(url: str) -> None:
    async with stage(approval_app(), url) as on:
        run = await on.start("approval")
        row = await on.asks(run, "approve:0")
        before = await on.entries(run)
        with pytest.raises(InvalidAnswer) as refused:
            await on.answer(row, {"approved": "perhaps", "amount": "many"}, submission="s")
        assert {error["pointer"] for error in refused.value.extra["errors"]} == {"/approved", "/amount"}
        assert await on.entries(run) == before
        assert (await on.engine.inputs.get(run, "approve:0"))["status"] == "pending"
        assert (await on.answer(row, {"approved": True}, submission="s")).txid == "s"
        await on.reaches(run, "completed")


async def test_only_those_asked_may_answer(url: str) -> None:
    async with stage(approval_app(forbid=["user:claimant"]), url) as on:
        run = await on.start("approval")
        row = await on.asks(run, "approve:0")
        for who in (person("eve", "audit"), person("claimant", "finance")):
            with pytest.raises(NotInAudience):
                await on.answer(row, {"approved": True}, who=who)
        with pytest.raises(InputNotFound):
            await on.answer({**row, "id": "approve:1"}, {"approved": True})
        with pytest.raises(RunNotFound):
            await on.answer({**row, "run_id": "nobody"}, {"approved": True})
        await on.answer(row, {"approved": True}, who=person("bora", "finance"))
        await on.reaches(run, "completed")


async def test_nobody_approves_what_they_were_not_shown(url: str) -> None:
    async def amended(ctx: Context) -> int:
        request = ctx.await_input("approve", Decision, title="Approve?", show={"amount": 10}, to=["group:finance"])
        event = await ctx.await_event("amended", type=int)
        await request.revise(show={"amount": event})
        answer = await request
        return answer.value.amount or 0

    async with TestEngine(amended, store=url) as engine:
        alice = engine.person("alice", groups=["finance"])
        run = await engine.start(amended)
        seen = await alice.sees("approve")
        await run.send("amended", 500)
        await engine.settled()
        with pytest.raises(Stale) as stale:
            await alice.answers(seen, {"approved": True, "amount": 10})
        current = stale.value.extra["row"]
        assert current["show"] == {"amount": 500}
        assert current["revision"] == seen.row["revision"] + 1
        assert current["revised"] > seen.row["revised"]
        await alice.answers("approve", {"approved": True, "amount": 500})
        assert await run.result() == 500


async def test_nobody_has_seen_what_is_not_written_yet(url: str) -> None:
    async with stage(approval_app(), url) as on:
        run = await on.start("approval")
        row = await on.asks(run, "approve:0")
        with pytest.raises(BadRequest, match="seen_offset"):
            await on.answer(row, {"approved": True}, seen=f"{10**15:016d}")
        assert (await on.engine.inputs.get(run, "approve:0"))["status"] == "pending"
        await on.answer(row, {"approved": True})
        await on.reaches(run, "completed")


async def test_a_withdrawn_request_takes_no_answer(url: str) -> None:
    async def impatient(ctx: Context) -> str:
        try:
            async with asyncio.timeout(90):
                await ctx.await_input("approve", Decision, title="Quick!", to=["group:finance"])
        except TimeoutError:
            await ctx.await_event("end")
            return "moved on"
        return "answered"

    async with TestEngine(impatient, store=url) as engine:
        alice = engine.person("alice", groups=["finance"])
        run = await engine.start(impatient)
        tab = await alice.sees("approve")
        await engine.advance("90s")
        with pytest.raises(Withdrawn) as refused:
            await alice.answers(tab, {"approved": True})
        assert refused.value.extra["row"]["status"] == "withdrawn"
        await run.send("end")
        assert await run.result() == "moved on"
        with pytest.raises(Withdrawn):
            await alice.answers(tab, {"approved": True})


async def test_a_request_left_open_is_withdrawn_when_the_run_ends(url: str) -> None:
    async def forgetful(ctx: Context) -> None:
        ctx.await_input("approve", Decision, title="?", to=["group:finance"])
        await ctx.await_event("end")

    async with TestEngine(forgetful, store=url) as engine:
        alice = engine.person("alice", groups=["finance"])
        run = await engine.start(forgetful)
        tab = await alice.sees("approve")
        await run.send("end")
        await run.result()
        with pytest.raises(Withdrawn):
            await alice.answers(tab, {"approved": True})
        assert [row["status"] for row in await run.rows("input")] == ["withdrawn"]


async def test_a_deadline_without_a_worker_is_kept_by_the_answer(url: str) -> None:
    app = approval_app(deadline="1500ms")

    async with scene(url) as on:
        run = await on.start("approval")
        async with working(app, on):
            row = await on.asks(run, "approve:0")
        deadline = datetime.fromisoformat(row["deadline"]).timestamp() * 1_000
        while on.engine.clock.now_ms() < deadline:
            await asyncio.sleep(0.005)
        with pytest.raises(Expired) as refused:
            await on.answer(row, {"approved": True})
        assert refused.value.extra["row"]["status"] == "expired"
        assert refused.value.extra["row"]["decided_by"] == {"kind": "timeout", "id": None}
        async with working(app, on):
            assert (await on.reaches(run, "completed"))["output"] == {"outcome": "expired"}


async def test_answer_and_deadline_at_the_same_instant(url: str) -> None:
    app, clock = approval_app(deadline="1h"), ManualClock(1_800_000_000_000)
    answered, struck = asyncio.Event(), asyncio.Event()

    async def answers(on: Scene, row: dict[str, Any]) -> str:
        try:
            await on.answer(row, {"approved": True})
        except Expired:
            return "expired"
        answered.set()
        return "answered"

    async def answers_late(on: Scene, row: dict[str, Any]) -> str:
        await struck.wait()
        return await answers(on, row)

    async with scene(url, clock) as on, working(app, on):
        runs = await asyncio.gather(*(on.start("approval") for _ in range(1000)))
        rows = [await on.asks(run, "approve:0") for run in runs]

        async def the_hour_strikes() -> str:
            await answered.wait()
            clock.advance(1)
            on.engine.store.bus().emit(["ready"])
            struck.set()
            return ""

        clock.advance(3_600_000 - 1)
        early, late = [answers(on, row) for row in rows[:500]], [answers_late(on, row) for row in rows[500:]]
        said = [reply for reply in await asyncio.gather(*early, the_hour_strikes(), *late) if reply]
        assert set(said) == {"answered", "expired"}
        for run, reply in zip(runs, said, strict=True):
            done = await on.reaches(run, "completed")
            decided = await on.entries(run, "input.answered", "input.expired")
            row = await on.engine.inputs.get(run, "approve:0")
            assert [entry["type"] for entry in decided] == [f"input.{reply}"]
            assert row["status"] == reply
            assert done["output"]["outcome"] == reply


async def test_a_stranger_learns_first_that_nobody_asked_them(url: str) -> None:
    """Whatever else is wrong with the answer: a reused id, or an offset that nobody can have seen."""
    app = approval_app()
    stranger = person("mallory", "strangers")
    async with scene(url) as on:
        run = await on.start("approval")
        async with working(app, on):
            row = await on.asks(run, "approve:0")
        beyond = AnswerRequest("s1", row["actions"][0], {"approved": True}, "9" * 16)
        with pytest.raises(NotInAudience):
            await on.engine.inputs.answer(run, "approve:0", beyond, stranger)
        with pytest.raises(BadRequest, match="nobody can have seen it"):
            await on.engine.inputs.answer(run, "approve:0", beyond, person())
        await on.answer(row, {"approved": True}, submission="s2")
        reused = AnswerRequest("s2", row["actions"][0], {"approved": False}, row["revised"])
        with pytest.raises(NotInAudience):
            await on.engine.inputs.answer(run, "approve:0", reused, stranger)
        with pytest.raises(SubmissionReused):
            await on.engine.inputs.answer(run, "approve:0", reused, person())
