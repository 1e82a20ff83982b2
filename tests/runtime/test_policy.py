"""Policies and the engine: who may decide, how many have to, who works on it, and what its code learns of that."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import orjson
import pytest

from signoff import App, Context, Escalation, Quorum
from signoff.clock import ManualClock
from signoff.errors import BadRequest, ClaimedByOther, NotClaimed, NotInAudience, Stale
from signoff.paths import inbox_path
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who
from tests.runtime.scene import Scene, person, scene, stage, working

ALICE, BORA, CARA = (person(name, "board") for name in ("alice", "bora", "cara"))
BOSS = Who(frozenset({"user:boss"}), DecidedBy("person", "user:boss"), operator=True)
ASKED = {"user:alice", "user:bora", "user:cara"}


def asking(**options: Any) -> App:
    """Return a workflow that asks once, and tells who had a part in the answer."""
    app = App()

    @app.workflow(expose=("output",))
    async def pay(ctx: Context) -> dict[str, Any]:
        answer = await ctx.await_input(
            "pay", int, title="Pay how much?", actions=["approve", "reject"], show={"amount": 7}, **options
        )
        votes = [[vote.by.id, vote.action, vote.value] for vote in answer.votes]
        return {"action": answer.action, "value": answer.value, "by": answer.by.id, "votes": votes}

    return app


async def asks(on: Scene, workflow: str = "pay", key: str = "pay:0") -> tuple[str, dict[str, Any]]:
    run = await on.start(workflow)
    return run, await on.asks(run, key)


async def act(on: Scene, verb: str, run: str, who: Who, key: str = "pay:0", **body: Any) -> dict[str, Any]:
    return await on.engine.inputs.act(verb, run, key, body, who)


async def inbox(on: Scene, principal: str) -> list[str]:
    """Return the keys of the requests that somebody's inbox shows."""
    await on.placed()
    found = await on.engine.store.read(inbox_path(principal), 0, 1 << 20)
    shown: dict[str, bool] = {}
    for batch in found[1] if found else ():
        for message in orjson.loads(b"[" + batch.data + b"]"):
            shown[message["key"]] = message["headers"]["operation"] != "delete"
    return [key for key, there in shown.items() if there]


async def public(on: Scene, run: str, kind: str) -> list[tuple[str, str, Any]]:
    """Return operation, key and value of the rows of a type."""
    found = await on.engine.store.read(f"runs/{run}", 0, 1 << 22)
    assert found is not None
    messages = [one for batch in found[1] for one in orjson.loads(b"[" + batch.data + b"]")]
    return [(one["headers"]["operation"], one["key"], one.get("value")) for one in messages if one["type"] == kind]


# -- votes -------------------------------------------------------------------------------------------------------------


async def test_two_of_a_group_decide_together(url: str) -> None:
    async with stage(asking(to=["group:board"], quorum=Quorum(2, veto=["reject"])), url) as on:
        run, row = await asks(on)
        assert row["quorum"] == {"need": 2, "of": None, "veto": ["reject"]}
        first = await on.answer(row, 1, who=ALICE, submission="a1")
        assert (first.outcome, first.row["status"]) == ("voted", "pending")
        again = await on.answer(row, 1, who=ALICE, submission="a1")
        assert (again.outcome, again.replayed, again.row) == ("voted", True, first.row)
        changed = await on.answer(row, 3, who=ALICE, submission="a2")
        assert [(vote["by"]["id"], vote["action"]) for vote in changed.row["votes"]] == [("user:alice", "approve")]
        last = await on.answer(row, 5, who=BORA, submission="b1")
        assert (last.outcome, last.row["status"], last.row["action"]) == ("accepted", "answered", "approve")
        assert last.row["decided_by"] == {"kind": "person", "id": "user:bora"}
        done = await on.reaches(run, "completed")
        votes = [["user:alice", "approve", 3], ["user:bora", "approve", 5]]
        assert done["output"] == {"action": "approve", "value": 5, "by": "user:bora", "votes": votes}
        written = await on.entries(run, "input.voted", "input.answered")
        assert [entry["type"] for entry in written] == ["input.voted"] * 3 + ["input.answered"]
        assert written[-1]["votes"] == ["a2", "b1"]
        rows = await public(on, run, "vote")
        assert [(operation, key) for operation, key, _ in rows] == [
            ("insert", "pay:0/user:alice"),
            ("update", "pay:0/user:alice"),
            ("insert", "pay:0/user:bora"),
        ]
        assert all("value" not in value for _, _, value in rows)


async def test_a_veto_decides_at_once(url: str) -> None:
    async with stage(asking(to=["group:board"], quorum=Quorum(3, veto=["reject"])), url) as on:
        run, row = await asks(on)
        await on.answer(row, 1, who=ALICE)
        assert (await on.answer(row, None, who=BORA, action="reject")).outcome == "accepted"
        assert (await on.reaches(run, "completed"))["output"]["action"] == "reject"


async def test_all_who_are_asked_have_to_agree(url: str) -> None:
    async with stage(asking(to=sorted(ASKED), quorum=Quorum.all()), url) as on:
        run, row = await asks(on)
        assert row["quorum"] == {"need": 3, "of": 3, "veto": []}
        for who, action in ((ALICE, "approve"), (BORA, "approve"), (CARA, "reject"), (BORA, "approve")):
            assert (await on.answer(row, 1, who=who, action=action)).outcome == "voted"
        assert (await on.answer(row, 1, who=CARA)).outcome == "accepted"
        assert {vote[0] for vote in (await on.reaches(run, "completed"))["output"]["votes"]} == ASKED


async def test_an_operator_who_was_not_asked_decides_and_that_is_told(url: str) -> None:
    async with stage(asking(to=["group:board"], quorum=Quorum(2)), url) as on:
        run, row = await asks(on)
        await on.answer(row, 1, who=ALICE)
        decided = (await on.answer(row, 9, who=BOSS)).row
        assert (decided["status"], decided["decided_by"]["id"]) == ("answered", "user:boss")
        assert [line["what"] for line in decided["history"]] == ["overruled"]
        assert (await on.reaches(run, "completed"))["output"]["votes"] == []


async def test_votes_are_about_what_was_shown(url: str) -> None:
    async with stage(asking(to=["group:board"], quorum=Quorum(2)), url) as on:
        run, row = await asks(on)
        await on.answer(row, 1, who=ALICE)
        revised = await act(on, "revise", run, BOSS, show={"amount": 700}, reason="a digit was missing")
        assert (revised["votes"], revised["show"]) == ([], {"amount": 700})
        lines = [(line["what"], line["by"]["id"], line["reason"]) for line in revised["history"]]
        assert lines == [
            ("revised", "user:boss", "a digit was missing"),
            ("votes_dropped", "user:boss", "they were about what was shown before"),
        ]
        assert (await public(on, run, "vote"))[-1] == ("delete", "pay:0/user:alice", None)
        with pytest.raises(Stale):
            await on.answer(row, 1, who=BORA)
        assert (await on.answer(revised, 1, who=BORA)).outcome == "voted"
        assert (await on.answer(revised, 1, who=ALICE)).outcome == "accepted"
        votes = (await on.reaches(run, "completed"))["output"]["votes"]
        assert [vote[0] for vote in votes] == ["user:bora", "user:alice"]


async def test_votes_are_undone_with_what_they_decided(url: str) -> None:
    async with stage(asking(to=["group:board"], quorum=Quorum(2)), url) as on:
        run, row = await asks(on)
        await on.answer(row, 1, who=ALICE)
        await on.engine.runs.act("rewind", run, BOSS.by, to="pay:0")
        again = await on.asks(run, "pay:0")
        assert (again["votes"], again["status"]) == ([], "pending")
        assert (await public(on, run, "vote"))[-1][:2] == ("delete", "pay:0/user:alice")
        assert again["revised"] > row["revised"]
        for who in (BORA, ALICE):
            await on.answer(again, 2, who=who)
        votes = (await on.reaches(run, "completed"))["output"]["votes"]
        assert [vote[0] for vote in votes] == ["user:bora", "user:alice"]


async def test_who_is_asked_by_an_escalation_votes_too(url: str) -> None:
    clock = ManualClock(1_700_000_000_000)
    moved = asking(
        to=["user:alice", "user:bora"],
        quorum=Quorum(2),
        escalate=[Escalation("1h", ["user:cara", "user:dan"], keep=False)],
    )
    async with scene(url, clock) as on, working(moved, on):
        run, row = await asks(on)
        await on.answer(row, 1, who=ALICE)
        while not await on.entries(run, "input.escalated"):
            clock.advance(600_000)
            await asyncio.sleep(0.01)
        now = await on.engine.inputs.get(run, "pay:0")
        assert (now["audience"], now["votes"]) == (["user:cara", "user:dan"], [])
        assert [line["what"] for line in now["history"]] == ["escalated", "votes_dropped"]
        assert (await on.answer(now, 1, who=BOSS)).row["status"] == "answered"


# -- four eyes ---------------------------------------------------------------------------------------------------------


def checking_twice() -> App:
    app = App()

    @app.workflow(expose=("output",))
    async def twice(ctx: Context) -> list[str | None]:
        first = ctx.await_input("first", bool, title="Fine?", to=["group:board"])
        second = ctx.await_input("second", bool, title="Really?", to=["group:board"], forbid=[first, ctx.started_by])
        answers = [await first, await second]
        third = await ctx.await_input("third", bool, title="Sure?", to=["group:board"], forbid=answers)
        return [answer.by.id for answer in (*answers, third)]

    return app


@pytest.mark.parametrize("order", [("first:0", "second:0"), ("second:0", "first:0")])
async def test_nobody_decides_both_whichever_comes_first(url: str, order: tuple[str, str]) -> None:
    async with stage(checking_twice(), url) as on:
        run = await on.start("twice")
        earlier, later = [await on.asks(run, key) for key in order]
        await on.answer(earlier, True, who=ALICE, submission="a1")
        shown = await on.engine.inputs.get(run, order[1])
        assert shown["forbid"] == ["user:alice"]
        assert shown["revised"] == later["revised"]
        with pytest.raises(NotInAudience):
            await on.answer(later, True, who=ALICE)
        await on.answer(later, True, who=BORA)
        third = await on.asks(run, "third:0")
        assert set(third["forbid"]) == {"user:alice", "user:bora"}
        for who in (ALICE, BORA):
            with pytest.raises(NotInAudience):
                await on.answer(third, True, who=who)
        await on.answer(third, True, who=CARA)
        await on.reaches(run, "completed")


async def test_whoever_started_it_does_not_decide(url: str) -> None:
    async with stage(checking_twice(), url) as on:
        run = await on.start("twice", by=DecidedBy("person", "user:alice"))
        assert (await on.engine.runs.get(run))["started_by"] == "user:alice"
        assert (await on.asks(run, "second:0"))["forbid"] == ["user:alice"]


# -- claims ------------------------------------------------------------------------------------------------------------


async def test_only_the_claimer_answers(url: str) -> None:
    async with stage(asking(to=["group:board"], claim="30m"), url) as on:
        run, row = await asks(on)
        claimed = await act(on, "claim", run, ALICE)
        assert claimed["claim"]["by"] == {"kind": "person", "id": "user:alice"}
        for who in (BORA, BOSS):
            with pytest.raises(ClaimedByOther) as refused:
                await on.answer(row, 1, who=who)
            assert refused.value.extra["row"] == claimed
            with pytest.raises(ClaimedByOther):
                await act(on, "claim", run, who)
        with pytest.raises(ClaimedByOther):
            await act(on, "release", run, BORA)
        taken = await act(on, "release", run, BOSS, reason="alice is away")
        assert taken["claim"] is None
        assert taken["history"][-1] | {"at": ""} == {
            "what": "released",
            "at": "",
            "by": {"kind": "person", "id": "user:boss"},
            "reason": "alice is away",
        }
        await act(on, "claim", run, BORA)
        decided = (await on.answer(row, 1, who=BORA)).row
        assert (decided["status"], decided["claim"]) == ("answered", None)
        await on.reaches(run, "completed")


async def test_a_claim_may_be_required(url: str) -> None:
    async with stage(asking(to=["group:board"], claim_required=True), url) as on:
        run, row = await asks(on)
        assert row["claim_required"] is True
        with pytest.raises(NotClaimed):
            await on.answer(row, 1, who=ALICE)
        await act(on, "claim", run, ALICE)
        await on.answer(row, 1, who=ALICE)
        await on.reaches(run, "completed")


def _ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)


async def test_a_claim_that_is_over_counts_for_nothing_and_the_row_tells_soon(url: str) -> None:
    clock = ManualClock(1_700_000_000_000)
    app = asking(to=["group:board"], claim="1m")
    async with scene(url, clock) as on, working(app, on):
        run, row = await asks(on)
        until = _ms((await act(on, "claim", run, ALICE))["claim"]["until"])
        assert until == clock.now_ms() + 60_000
        clock.advance(30_000)
        renewed = _ms((await act(on, "claim", run, ALICE))["claim"]["until"])
        assert renewed == until + 30_000
        while not await on.entries(run, "input.released"):
            clock.advance(5_000)
            await asyncio.sleep(0.01)
        (released,) = await on.entries(run, "input.released")
        assert released["at"] >= renewed
        assert (released["by"], released["reason"]) == ({"kind": "timeout", "id": None}, "expired")
        assert (await on.engine.inputs.get(run, "pay:0"))["claim"] is None
        await on.answer(row, 1, who=BORA)
        await on.reaches(run, "completed")


async def test_a_claim_that_is_over_is_free_at_once(url: str) -> None:
    clock = ManualClock(1_700_000_000_000)
    async with scene(url, clock) as on:
        async with working(asking(to=["group:board"], claim="1m"), on):
            run, row = await asks(on)
        await act(on, "claim", run, ALICE)
        clock.advance(59_999)
        with pytest.raises(ClaimedByOther):
            await on.answer(row, 1, who=BORA)
        clock.advance(1)
        assert (await act(on, "claim", run, BORA))["claim"]["by"]["id"] == "user:bora"
        types = [entry["type"] for entry in await on.entries(run, "input.claimed", "input.released")]
        assert types == ["input.claimed", "input.released", "input.claimed"]
        clock.advance(60_000)
        assert (await on.answer(row, 1, who=ALICE)).row["claim"] is None


# -- handing on --------------------------------------------------------------------------------------------------------


async def test_a_person_hands_their_part_to_another(url: str) -> None:
    async with stage(asking(to=["user:alice", "user:cara"], quorum=Quorum.all()), url) as on:
        run, row = await asks(on)
        await on.answer(row, 1, who=CARA)
        handed = await act(on, "delegate", run, ALICE, to="user:bora", reason="on holiday")
        assert (handed["audience"], handed["forbid"]) == (["user:bora", "user:cara"], [])
        assert handed["revised"] == row["revised"]
        assert [vote["by"]["id"] for vote in handed["votes"]] == ["user:cara"]
        (line,) = handed["history"]
        assert (line["what"], line["to"], line["reason"]) == ("delegated", ["user:bora"], "on holiday")
        assert await inbox(on, "user:alice") == []
        assert await inbox(on, "user:bora") == [f"{run}/pay:0"]
        found = await on.engine.inputs.list(audience={"user:alice"})
        assert found.items == ()
        assert [one["id"] for one in (await on.engine.inputs.list(audience={"user:bora"})).items] == ["pay:0"]
        with pytest.raises(NotInAudience):
            await on.answer(row, 1, who=ALICE)
        assert (await on.answer(row, 1, who=BORA)).outcome == "accepted"
        await on.reaches(run, "completed")


async def test_one_of_a_group_hands_their_part_on_and_decides_no_more(url: str) -> None:
    dan = person("dan", "others")
    async with stage(asking(to=["group:board"], forbid=["user:eve"]), url) as on:
        run, row = await asks(on)
        for to, who in (("user:eve", ALICE), ("user:alice", ALICE)):
            with pytest.raises(BadRequest):
                await act(on, "delegate", run, who, to=to, reason="away")
        for stranger in (dan, BOSS):
            with pytest.raises(NotInAudience):
                await act(on, "delegate", run, stranger, to="user:dan", reason="away")
        await act(on, "claim", run, ALICE)
        handed = await act(on, "delegate", run, ALICE, to="user:dan", reason="away")
        assert (handed["audience"], handed["forbid"]) == (["group:board", "user:dan"], ["user:eve", "user:alice"])
        assert handed["claim"] is None
        with pytest.raises(NotInAudience):
            await on.answer(row, 1, who=ALICE)
        await on.answer(row, 1, who=dan)
        await on.reaches(run, "completed")


async def test_operators_ask_others_and_what_is_left_of_votes_never_decides(url: str) -> None:
    async with stage(asking(to=sorted(ASKED), quorum=Quorum.all()), url) as on:
        run, row = await asks(on)
        for who in (ALICE, BORA):
            await on.answer(row, 1, who=who)
        with pytest.raises(BadRequest, match="counts people"):
            await act(on, "reassign", run, BOSS, to=["group:board"], reason="all of them")
        less = await act(on, "reassign", run, BOSS, to=["user:alice", "user:bora"], reason="cara has left")
        assert (less["quorum"], less["votes"]) == ({"need": 2, "of": 2, "veto": []}, [])
        assert [line["what"] for line in less["history"]] == ["reassigned", "votes_dropped"]
        assert await inbox(on, "user:cara") == []
        assert await act(on, "reassign", run, BOSS, to=["user:alice", "user:bora"], reason="again") == less
        for who in (ALICE, BORA):
            await on.answer(row, 1, who=who)
        await on.reaches(run, "completed")


async def test_an_operator_moves_the_deadline_and_the_code_goes_by_it(url: str) -> None:
    clock = ManualClock(1_700_000_000_000)
    async with scene(url, clock) as on, working(asking(to=["group:board"], deadline="1h"), on):
        run, row = await asks(on)
        moved = await act(on, "revise", run, BOSS, deadline="3h", reason="the bank is closed")
        assert _ms(moved["deadline"]) == clock.now_ms() + 3 * 3_600_000
        assert moved["revised"] == row["revised"]
        clock.advance(2 * 3_600_000)
        await on.answer(row, 1, who=ALICE)
        await on.reaches(run, "completed")
        assert await on.entries(run, "input.expired") == []
