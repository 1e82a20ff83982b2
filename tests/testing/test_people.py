"""Scripted people: what they do at once or have said beforehand, right and wrong, has the outcome that HTTP gives."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from signoff import App, Context
from signoff.errors import (
    AlreadyDecided,
    Expired,
    Forbidden,
    InvalidAnswer,
    NotInAudience,
    Stale,
    SubmissionReused,
)
from signoff.testing import Stuck, TestEngine, answer, do, never, stale, twice
from signoff.workflow.input.decide import Accepted
from tests.testing.scene import Decision, expense_app, revising_app

APPROVED, REFUSED = {"approved": True}, {"approved": False}


async def test_a_person_answers_what_they_are_asked() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("user:alice", groups=["group:finance"])
        run = await engine.start("expense", 120)
        accepted = await alice.answers("approve", Decision(approved=True))
        assert accepted.row["decided_by"] == {"kind": "person", "id": "user:alice"}
        assert (await run.pending(), alice.inbox()) == ([], [])
        assert await run.result() == "receipt for 120"


async def test_an_inbox_has_what_one_is_asked_and_nothing_else() -> None:
    async with TestEngine(expense_app()) as engine:
        alice, bora = engine.person("alice", groups=["finance"]), engine.person("bora")
        await engine.start("expense", 120)
        seen = await bora.sees("approve")
        assert [request.key for request in alice.inbox()] == [seen.key] == ["approve:0"]
        assert bora.inbox() == []
        with pytest.raises(NotInAudience):
            await bora.answers(seen, APPROVED)


async def test_one_text_is_no_list_of_its_letters() -> None:
    async with TestEngine(expense_app()) as engine:
        with pytest.raises(TypeError, match="`groups` of a person is a list of texts"):
            engine.person("alice", groups="finance")
        with pytest.raises(TypeError, match="`tags` of a run is a list of texts"):
            await engine.start("expense", 1, tags="eu")


async def test_who_answers_needs_a_run_where_several_ask() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        first, second = await engine.start("expense", 1), await engine.start("expense", 2)
        await first.asks("approve")
        await second.asks("approve:0")
        with pytest.raises(ValueError, match="approve:0 of run-1, approve:0 of run-2"):
            await alice.answers("approve", APPROVED)
        await alice.answers("approve", APPROVED, run=second.id)
        assert [request.run_id for request in alice.inbox()] == [first.id]


async def test_a_retry_repeats_the_first_outcome_and_a_reuse_is_refused() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        await engine.start("expense", 120)
        seen = await alice.sees("approve")
        first = await alice.answers(seen, APPROVED, submission_id="s1")
        again = await alice.answers(seen, APPROVED, submission_id="s1")
        assert (first.replayed, again.replayed, again.offset) == (False, True, first.offset)
        with pytest.raises(SubmissionReused):
            await alice.answers(seen, REFUSED, submission_id="s1")
        with pytest.raises(AlreadyDecided):
            await alice.answers(seen, APPROVED)


async def test_a_double_click_has_one_effect_and_two_tabs_have_one_winner() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        run = await engine.start("expense", 120)
        click, same = await alice.does(twice(answer("approve", REFUSED)))
        assert (click.replayed, same.replayed) == (False, True)
        won, lost = await alice.does(twice(answer("approve", APPROVED), anew=True))
        assert (type(won), type(lost)) == (Accepted, AlreadyDecided)
        assert len(await run.journal("input.answered")) == 2
    with pytest.raises(TypeError, match="Only an answer"):
        twice(never("approve"))


async def test_an_answer_from_a_stale_tab_is_refused() -> None:
    async with TestEngine(revising_app()) as engine:
        alice = engine.person("alice")
        run = await engine.start("revising")
        tab = await alice.sees("ok")
        await engine.advance("1d")
        assert (await run.pending())[0].row["title"] == "New?"
        for too_late in (answer(tab, True), stale(answer("ok", True))):
            with pytest.raises(Stale) as refused:
                await alice.does(too_late)
            assert refused.value.extra["row"]["title"] == "New?"
        await alice.answers("ok", True)
        assert await run.result() is True


async def test_an_answer_that_does_not_fit_is_refused_and_the_request_stays() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        run = await engine.start("expense", 120)
        with pytest.raises(InvalidAnswer) as refused:
            await alice.answers("approve", {"approved": "perhaps"})
        assert [error["pointer"] for error in refused.value.extra["errors"]] == ["/approved"]
        assert [request.key for request in await run.pending()] == ["approve:0"]


async def test_a_script_answers_at_its_time() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        script = alice.will(answer("approve", APPROVED), after="1h")
        run = await engine.start("expense", 120)
        await run.reaches("sleeping")
        assert engine.now == datetime(2026, 1, 1, 1, tzinfo=UTC)
        assert (await script.outcome()).row["status"] == "answered"
        assert await run.result() == "receipt for 120"


async def test_scripts_for_one_name_are_taken_in_their_order_one_a_request() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        run = await engine.start("expense", 120)
        await run.asks("approve")  # a script for what is pending already begins at once
        first, second = alice.will(answer("approve", REFUSED)), alice.will(answer("approve", REFUSED), after="2d")
        third = alice.will(answer("approve", APPROVED))
        assert await run.result() == "refused: receipt for 120"
        assert (first.done, second.done, third.done) == (True, True, False)
        assert engine.now == datetime(2026, 1, 3, tzinfo=UTC)
        with pytest.raises(Stuck, match="user:alice still waits to be asked 'approve'"):
            await third.outcome()


async def test_another_script_takes_what_is_pending_after_a_refusal() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        wrong = alice.will(answer("approve", {"approved": "perhaps"}))
        right = alice.will(answer("approve", APPROVED), after="1h")
        run = await engine.start("expense", 120)
        with pytest.raises(InvalidAnswer):
            await wrong.outcome()
        assert (await right.outcome()).row["id"] == "approve:0"
        assert await run.result() == "receipt for 120"


async def test_who_never_answers_lets_the_deadline_pass() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        ignored, meant_for_the_next = alice.will(never("approve")), alice.will(answer("approve", APPROVED))
        assert await (await engine.start("expense", 120)).result() == "expired"
        assert (ignored.done, meant_for_the_next.done) == (True, False)
        assert await ignored.outcome() is None


async def test_a_script_that_is_too_late_gets_what_a_person_would() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        late = alice.will(answer("approve", APPROVED), after="4d")
        await engine.start("expense", 120)
        with pytest.raises(Expired):
            await late.outcome()


async def _refused_by_script(then: type[Exception] | None = None) -> None:
    async with TestEngine(expense_app()) as engine:
        engine.person("alice", groups=["finance"]).will(answer("approve", 7))
        assert await (await engine.start("expense", 120)).result() == "expired"
        if then is not None:
            raise then


async def test_a_refusal_that_nobody_asked_for_fails_the_test() -> None:
    with pytest.raises(InvalidAnswer) as caught:
        await _refused_by_script()
    assert "user:alice" in caught.value.__notes__[0]
    with pytest.raises(ZeroDivisionError):  # what has failed already is not hidden
        await _refused_by_script(ZeroDivisionError)


async def test_a_script_does_several_things_about_one_request() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        script = alice.will(
            answer("approve", APPROVED, submission_id="s"), answer("approve", APPROVED, submission_id="s")
        )
        run = await engine.start("expense", 120)
        assert (await script.outcome()).replayed
        assert await run.result() == "receipt for 120"


async def test_an_operator_does_it_for_anybody() -> None:
    async with TestEngine(expense_app()) as engine:
        script = engine.operator("ops").will(answer("approve", APPROVED))
        assert await (await engine.start("expense", 120)).result() == "receipt for 120"
        assert (await script.outcome()).row["decided_by"] == {"kind": "operator", "id": "ops"}


async def test_every_verb_on_requests_is_at_hand() -> None:
    async with TestEngine(expense_app()) as engine:
        alice, operator = engine.person("alice", groups=["finance"]), engine.operator("ops")
        run = await engine.start("expense", 120)
        with pytest.raises(Forbidden):
            await alice.do("withdraw", "approve", reason="no")
        with pytest.raises(ValueError, match=r"no verb 'shred' on requests for input; there are: .*withdraw"):
            await alice.do("shred", "approve")
        row = await operator.does(do("withdraw", "approve", reason="asked by mistake"))
        assert (row["status"], row["reason"]) == ("withdrawn", "asked by mistake")
        assert await run.result() == "withdrawn"


async def test_what_is_asked_again_after_a_rewind_is_a_request_for_scripts() -> None:
    app = App()

    @app.workflow
    async def asks(ctx: Context) -> int:
        first = await ctx.await_input("number", int, title="A number?", to=["user:alice"])
        second = await ctx.await_input("other", int, title="Another?", to=["user:alice"])
        return first.value + second.value

    async with TestEngine(app) as engine:
        alice = engine.person("alice")
        alice.will(answer("number", 1))
        run = await engine.start("asks")
        await run.asks("other")
        await run.do("rewind", to="number:0", reason="the wrong one")
        alice.will(answer("number", 5))
        alice.will(answer("other", 2))
        assert await run.result() == 7


async def test_requests_are_waited_for_through_a_step_that_takes_real_time() -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def slowly(ctx: Context) -> list[bool]:
        answers = []
        for _ in range(2):
            await ctx.step("think", time.sleep, 0.3)
            answers.append((await ctx.await_input("sure", bool, title="Sure?", to=["group:finance"])).value)
        return answers

    async with TestEngine(app) as engine:
        run = await engine.start("slowly")
        alice = engine.person("user:alice", groups=["finance"])
        asked = []
        while requests := await run.until_asked():
            asked += [request.key for request in requests]
            await alice.answers(requests[0], True)
        assert asked == ["sure:0", "sure:1"]
        assert await run.result() == [True, True]


async def test_whoever_waits_to_be_asked_in_vain_is_told() -> None:
    app = App()

    @app.workflow
    async def waits(ctx: Context) -> None:
        await ctx.await_event("paid")

    async with TestEngine(app) as engine:
        run = await engine.start("waits")
        with pytest.raises(Stuck, match="Nothing more happens"):
            await run.until_asked()
