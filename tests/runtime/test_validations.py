"""Answers that the workflow's own code judges: taken, corrected, refused with errors, or given back; never consumed."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from contextvars import ContextVar
from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, Field, model_validator

from signoff import (
    AnswerReceived,
    App,
    Context,
    Decided,
    InputExpired,
    InputWithdrawn,
    Observation,
    Quorum,
    Refused,
    Submission,
)
from signoff.clock import ManualClock
from signoff.errors import (
    BeingValidated,
    InvalidAnswer,
    NotInAudience,
    NotValidated,
    Stale,
    SubmissionReused,
    Withdrawn,
)
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Accepted, Who
from tests.runtime.scene import Scene, person, scene, stage, working

BY = DecidedBy("operator", "local")
LOCAL = Who(frozenset(), BY, operator=True)


class SignUp(BaseModel):
    email: str
    seats: int = 1


def app_of(type_: Any = SignUp, **options: Any) -> App:
    app = App()

    @app.workflow(expose=("output",))
    async def sign_up(ctx: Context) -> dict[str, Any]:
        try:
            answer = await ctx.await_input("page", type_, title="Who?", to=["group:finance"], **options)
        except InputExpired:
            return {"outcome": "expired"}
        except InputWithdrawn as error:
            return {"outcome": "withdrawn", "why": str(error)}
        value = answer.value.model_dump() if isinstance(answer.value, BaseModel) else answer.value
        return {"action": answer.action, "value": value, "by": [answer.by.kind, answer.by.id]}

    return app


def taken(value: SignUp) -> None:
    if value.email == "bora@example.com":
        raise Refused({"/email": "already taken"})


async def types_of(on: Scene, run: str) -> list[str]:
    return [entry["type"].removeprefix("input.") for entry in await on.entries(run) if "input." in entry["type"]]


async def test_a_refused_answer_leaves_the_request_open_with_its_errors_for_everybody(url: str) -> None:
    async with stage(app_of(validate=taken), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        with pytest.raises(InvalidAnswer) as refused:
            await on.answer(row, {"email": "bora@example.com"})
        assert refused.value.extra["errors"] == [{"pointer": "/email", "message": "already taken"}]
        shown = await on.engine.inputs.get(run, "page:0")
        assert shown == refused.value.extra["row"]
        assert (shown["status"], shown["revision"], shown["revised"]) == ("pending", 1, row["revised"])
        assert shown["errors"] == [{"pointer": "/email", "message": "already taken"}]
        assert await on.engine.inputs.list(audience=["group:finance"], status="pending")
        accepted = await on.answer(row, {"email": "alice@example.com"})
        assert (accepted.row["status"], accepted.row["errors"]) == ("answered", [])
        done = await on.reaches(run, "completed")
        assert done["output"]["value"] == {"email": "alice@example.com", "seats": 1}
        assert await types_of(on, run) == ["requested", "submitted", "refused", "submitted", "answered"]


async def test_an_async_validator_corrects_a_value_and_the_code_gets_that(url: str) -> None:
    async def lower(value: SignUp) -> SignUp:
        await asyncio.sleep(0)
        return value.model_copy(update={"email": value.email.lower()})

    async with stage(app_of(validate=lower, expose=True), url) as on:
        run = await on.start("sign_up")
        accepted = await on.answer(await on.asks(run, "page:0"), {"email": "Alice@Example.com"})
        assert accepted.row["value"] == {"email": "alice@example.com", "seats": 1}
        assert (await on.reaches(run, "completed"))["output"]["value"]["email"] == "alice@example.com"


async def test_a_validator_runs_in_a_thread_and_is_told_of_the_submission(url: str) -> None:
    calls: list[tuple[Any, Submission, bool]] = []

    def judge(value: SignUp | None, sent: Submission) -> None:
        calls.append((value, sent, threading.current_thread() is threading.main_thread()))
        if sent.action == "reject" and sent.by.id != "user:bora":
            raise Refused(message="only Bora may say no")

    async with stage(app_of(validate=judge, actions=["approve", "reject"]), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        with pytest.raises(InvalidAnswer, match="only Bora may say no"):
            await on.answer(row, None, action="reject", submission="a")
        await on.answer(row, None, action="reject", who=person("bora"), submission="b")
        assert (await on.reaches(run, "completed"))["output"] == {
            "action": "reject",
            "value": None,
            "by": ["person", "user:bora"],
        }
    assert [(value, sent.submission_id, sent.run_id == run, main) for value, sent, main in calls] == [
        (None, "a", True, False),
        (None, "b", True, False),
    ]


@pytest.mark.parametrize("sync", [True, False])
async def test_what_a_validator_does_to_the_value_in_place_is_no_correction(url: str, sync: bool) -> None:
    def spoil(value: SignUp) -> None:
        value.email = "spoilt"

    async def spoils(value: SignUp) -> None:
        spoil(value)

    async with stage(app_of(validate=spoil if sync else spoils, expose=True), url) as on:
        run = await on.start("sign_up")
        accepted = await on.answer(await on.asks(run, "page:0"), {"email": "a@example.com"})
        assert accepted.row["value"] == {"email": "a@example.com"}
        assert (await on.reaches(run, "completed"))["output"]["value"] == {"email": "a@example.com", "seats": 1}


async def test_a_plain_value_changed_in_place_stays_as_it_came(url: str) -> None:
    def spoil(value: dict[str, Any]) -> None:
        value["lines"].append("spoilt")

    async with stage(app_of(dict[str, Any], validate=spoil, expose=True), url) as on:
        run = await on.start("sign_up")
        accepted = await on.answer(await on.asks(run, "page:0"), {"lines": ["one"]})
        assert accepted.row["value"] == {"lines": ["one"]}
        assert (await on.reaches(run, "completed"))["output"]["value"] == {"lines": ["one"]}


def something(value: int | None) -> int | None:
    if value is None:
        raise Refused("say something")
    return value


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (({"/x": 5},), "says of '/x' is a text, not int"),
        (({"/x": None},), "says of '/x' is a text, not NoneType"),
        (({"x": "no"},), "JSON Pointers such as '/email', not 'x'"),
        (({5: "no"},), "JSON Pointers such as '/email', not 5"),
        ((["no"],), "messages by JSON Pointer, or a text, not list"),
        (({}, 5), "`message` of Refused is a text, not int"),
        ((), "says what is wrong"),
    ],
)
def test_what_is_wrong_with_a_refusal_is_named(args: tuple[Any, ...], named: str) -> None:
    with pytest.raises(TypeError, match=re.escape(named)):
        Refused(*args)


def anything_but_null(value: int | None) -> int | None:
    if value is None:
        raise ValueError("say something")
    return value


@pytest.mark.parametrize(
    "options",
    [
        {"type_": int | None, "validate": something},
        {"type_": Annotated[int | None, AfterValidator(anything_but_null)]},
    ],
)
async def test_null_is_judged_where_the_type_takes_it(url: str, options: dict[str, Any]) -> None:
    async with stage(app_of(**options, expose=True), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        with pytest.raises(InvalidAnswer) as refused:
            await on.answer(row, None)
        assert "say something" in refused.value.extra["errors"][0]["message"]
        accepted = await on.answer(await on.asks(run, "page:0"), 3)
        assert accepted.row["value"] == 3


async def test_an_action_that_takes_nothing_has_no_value_to_judge(url: str) -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def tool(ctx: Context) -> Any:
        actions: dict[str, Any] = {"edit": int | None, "approve": None}
        answer = await ctx.await_input("page", actions=actions, title="?", to=["group:finance"], validate=something)
        return [answer.action, answer.value]

    async with stage(app, url) as on:
        run = await on.start("tool")
        row = await on.asks(run, "page:0")
        with pytest.raises(InvalidAnswer, match="say something"):
            await on.answer(row, None, action="edit")
        await on.answer(row, None, action="approve")
        assert (await on.reaches(run, "completed"))["output"] == ["approve", None]


async def test_the_same_submission_is_told_the_same_for_ever(url: str) -> None:
    calls: list[str] = []

    def judge(value: SignUp) -> None:
        calls.append(value.email)
        taken(value)

    async with stage(app_of(validate=judge), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        for _ in range(2):
            with pytest.raises(InvalidAnswer) as refused:
                await on.answer(row, {"email": "bora@example.com"}, submission="one")
            assert refused.value.extra["errors"] == [{"pointer": "/email", "message": "already taken"}]
        with pytest.raises(SubmissionReused):
            await on.answer(row, {"email": "other@example.com"}, submission="one")
        first = await on.answer(row, {"email": "alice@example.com"}, submission="two")
        await on.reaches(run, "completed")
        again = await on.answer(row, {"email": "alice@example.com"}, submission="two")
        assert (again.replayed, first.replayed) == (True, False)
        assert (again.offset, again.txid, again.row) == (first.offset, first.txid, first.row)
        with pytest.raises(InvalidAnswer):
            await on.answer(row, {"email": "bora@example.com"}, submission="one")
        assert calls == ["bora@example.com", "alice@example.com"]


class Gate:
    """A validator that waits until it is told what to say."""

    def __init__(self) -> None:
        self.calls = 0
        self.entered = asyncio.Event()
        self.say: asyncio.Future[Callable[[], Any]] = asyncio.get_running_loop().create_future()
        self.cancelled = 0

    async def __call__(self, value: SignUp) -> Any:
        self.calls += 1
        self.entered.set()
        try:
            return (await asyncio.shield(self.say))()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def accept(self) -> None:
        self.say.set_result(lambda: None)

    def refuse(self) -> None:
        def no() -> None:
            raise Refused({"/email": "no"})

        self.say.set_result(no)


async def submitted(on: Scene, row: dict[str, Any], gate: Gate, submission: str = "one") -> asyncio.Task[Accepted]:
    """Send an answer, and return once it is being judged."""
    task = asyncio.create_task(on.answer(row, {"email": "a@example.com"}, submission=submission))
    async with asyncio.timeout(10):
        await gate.entered.wait()
    return task


async def test_while_one_answer_is_judged_another_is_not_recorded(url: str) -> None:
    gate = Gate()
    async with stage(app_of(validate=gate), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        first = await submitted(on, row, gate)
        with pytest.raises(BeingValidated) as busy:
            await on.answer(row, {"email": "b@example.com"}, submission="two")
        shown = busy.value.extra["row"]
        assert (shown["status"], shown["errors"], "value" in shown) == ("validating", [], False)
        assert [one["id"] for one in (await on.engine.inputs.list(audience=["group:finance"])).items] == ["page:0"]
        with pytest.raises(SubmissionReused):
            await on.answer(row, {"email": "b@example.com"}, submission="one")
        again = asyncio.create_task(on.answer(row, {"email": "a@example.com"}, submission="one"))
        gate.accept()
        assert (await first).row == (await again).row
        assert await types_of(on, run) == ["requested", "submitted", "answered"]
        assert gate.calls == 1


async def test_nobody_need_wait_for_the_verdict(url: str) -> None:
    gate = Gate()
    async with stage(app_of(validate=gate), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        sent = await on.answer(row, {"email": "a@example.com"}, submission="one", wait_s=0)
        assert sent.validating
        gate.accept()
        assert (await on.reaches(run, "completed"))["output"]["action"] == "submit"
        assert (await on.answer(row, {"email": "a@example.com"}, submission="one")).replayed


@pytest.mark.parametrize("failing", ["raises", "hangs", "hangs in a thread", "returns another type"])
async def test_a_validator_without_a_verdict_consumes_nothing(url: str, failing: str) -> None:
    works: list[bool] = []
    over = threading.Event()

    def wait() -> None:
        over.wait(30)

    async def judge(value: SignUp) -> Any:
        if works:
            return None
        if failing == "raises":
            raise RuntimeError("no database")
        if failing == "hangs":
            await asyncio.sleep(30)
        return {"email": 3}

    def in_thread(value: SignUp) -> None:
        if not works:
            wait()

    fn = in_thread if failing == "hangs in a thread" else judge
    async with stage(app_of(validate=fn, validate_timeout=timedelta(milliseconds=50)), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        with pytest.raises(NotValidated) as failed:
            await on.answer(row, {"email": "a@example.com"}, submission="one")
        shown = failed.value.extra["row"]
        assert (shown["status"], shown["revision"], shown["decided_by"]) == ("pending", 1, None)
        assert [one["pointer"] for one in shown["errors"]] == [""]
        [returned] = await on.entries(run, "input.returned")
        assert returned["submission_id"] == "one"
        works.append(True)
        over.set()
        assert (await on.answer(row, {"email": "a@example.com"}, submission="one")).row["status"] == "answered"
        assert await types_of(on, run) == ["requested", "submitted", "returned", "submitted", "answered"]


def known(account: str) -> str:
    if not account.startswith("acc-"):
        raise ValueError("there is no such account")
    return account.upper()


class Transfer(BaseModel):
    account: Annotated[str, AfterValidator(known)]
    amount: int
    limit: int = 100

    @model_validator(mode="after")
    def below(self) -> Transfer:
        if self.amount > self.limit:
            raise ValueError("the amount is above the limit")
        return self


async def test_what_only_the_python_type_refuses_gets_field_errors_and_fails_no_run(url: str) -> None:
    async with stage(app_of(Transfer), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        with pytest.raises(InvalidAnswer) as refused:
            await on.answer(row, {"account": "x", "amount": 1})
        assert refused.value.extra["errors"] == [
            {"pointer": "/account", "message": "Value error, there is no such account"}
        ]
        with pytest.raises(InvalidAnswer) as refused:
            await on.answer(row, {"account": "acc-1", "amount": 101})
        assert [one["pointer"] for one in refused.value.extra["errors"]] == [""]
        await on.answer(row, {"account": "acc-1", "amount": 1})
        done = await on.reaches(run, "completed")
        assert done["output"]["value"] == {"account": "ACC-1", "amount": 1, "limit": 100}


async def test_what_was_accepted_is_not_judged_again_by_its_type(url: str) -> None:
    open_ = [True]

    def while_open(text: str) -> str:
        if not open_:
            raise ValueError("closed")
        return text + "!"

    app = App()

    @app.workflow(expose=("output",))
    async def twice(ctx: Context) -> list[str]:
        one = await ctx.await_input("a", Annotated[str, AfterValidator(while_open)], title="A?", to=["group:finance"])
        two = await ctx.await_input("b", str, title="B?", to=["group:finance"])
        return [one.value, two.value]

    async with stage(app, url) as on:
        run = await on.start("twice")
        await on.answer(await on.asks(run, "a:0"), "x")
        row = await on.asks(run, "b:0")
        open_.clear()
    async with stage(app, url) as on:  # replayed from the journal, if the store has kept it
        if url.startswith("memory"):
            return
        await on.answer(row, "y")
        assert (await on.reaches(run, "completed"))["output"] == ["x!", "y"]


async def test_types_that_the_schema_says_whole_take_the_fast_path(url: str) -> None:
    async with stage(app_of(SignUp), url) as on:
        run = await on.start("sign_up")
        await on.answer(await on.asks(run, "page:0"), {"email": "a@example.com"})
        await on.reaches(run, "completed")
        assert await types_of(on, run) == ["requested", "answered"]


async def test_a_policy_decides_instead_of_whoever_answered(url: str) -> None:
    def small(value: SignUp) -> Decided | None:
        return Decided("approve", value, "below three seats") if value.seats < 3 else None

    async with stage(app_of(validate=small, actions=["approve", "edit"]), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        reply = await on.answer(row, {"email": "a@example.com", "seats": 2}, action="edit")
        assert reply.row["decided_by"] == {"kind": "policy", "id": "small"}
        assert (reply.row["action"], reply.row["reason"]) == ("approve", "below three seats")
        done = await on.reaches(run, "completed")
        assert (done["output"]["action"], done["output"]["by"]) == ("approve", ["policy", "small"])


async def test_a_policy_is_asked_once_before_people_are(url: str) -> None:
    asked: list[int] = []

    async def decide() -> Decided | None:
        asked.append(1)
        if len(asked) == 1:
            return Decided("submit", {"email": "a@example.com"}, "known customer")
        return None

    async with stage(app_of(decide=decide), url) as on:
        run = await on.start("sign_up")
        done = await on.reaches(run, "completed")
        assert done["output"] == {
            "action": "submit",
            "value": {"email": "a@example.com", "seats": 1},
            "by": ["policy", "decide"],
        }
        row = await on.engine.inputs.get(run, "page:0")
        assert (row["decided_by"]["kind"], row["reason"]) == ("policy", "known customer")
        other = await on.start("sign_up")
        await on.reaches(other, "waiting")
        async with asyncio.timeout(10):
            while (row := await on.asks(other, "page:0"))["status"] != "pending":
                await asyncio.sleep(0)
        assert row["errors"] == []
        await on.answer(row, {"email": "b@example.com"})
        assert (await on.reaches(other, "completed"))["output"]["by"] == ["person", "user:alice"]
        assert len(asked) == 2


async def test_a_policy_that_fails_leaves_it_to_people(url: str) -> None:
    def decide() -> Decided:
        raise RuntimeError("no rules")

    async with stage(app_of(decide=decide), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        async with asyncio.timeout(10):
            while (row := await on.asks(run, "page:0"))["status"] != "pending":
                await asyncio.sleep(0)
        await on.answer(row, {"email": "b@example.com"})
        [returned] = await on.entries(run, "input.returned")
        assert (returned["reason"], "submission_id" in returned) == ("runtime_error: no rules", False)


# -- against what else can happen --------------------------------------------------------------------------------------


async def test_the_deadline_waits_for_the_verdict(url: str) -> None:
    clock = ManualClock()
    for accepted in (True, False):
        gate = Gate()
        async with scene(url, clock) as on:
            run = await on.start("sign_up")
            async with working(app_of(validate=gate, deadline="1h"), on):
                row = await on.asks(run, "page:0")
                first = await submitted(on, row, gate)
                clock.advance(7_200_000)
                with pytest.raises(BeingValidated):
                    await on.answer(row, {"email": "b@example.com"}, submission="two")
                assert (await on.engine.inputs.get(run, "page:0"))["status"] == "validating"
                gate.accept() if accepted else gate.refuse()
                if accepted:
                    assert (await first).row["status"] == "answered"
                else:
                    with pytest.raises(InvalidAnswer, match="is over by now"):
                        await first
                    assert (await on.reaches(run, "completed"))["output"] == {"outcome": "expired"}


async def test_a_withdrawn_request_stops_its_validator(url: str) -> None:
    gate = Gate()
    async with stage(app_of(validate=gate), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        first = await submitted(on, row, gate)
        await on.engine.inputs.act("withdraw", run, "page:0", {"reason": "not needed"}, person())
        with pytest.raises(Withdrawn):
            await first
        assert (await on.reaches(run, "completed"))["output"]["outcome"] == "withdrawn"
        async with asyncio.timeout(10):
            while not gate.cancelled:
                await asyncio.sleep(0)
        with pytest.raises(Withdrawn):
            await on.answer(row, {"email": "a@example.com"}, submission="one")


async def test_a_revision_drops_the_answer_that_is_judged(url: str) -> None:
    gate = Gate()
    app = App()

    @app.workflow(expose=("output",))
    async def revising(ctx: Context) -> str:
        request = ctx.await_input("page", SignUp, title="Who?", show=1, to=["group:finance"], validate=gate)
        await ctx.await_event("newer", type=int)
        request.revise(show=2)
        answer = await request
        return str(answer.value.email)

    async with stage(app, url) as on:
        run = await on.start("revising")
        row = await on.asks(run, "page:0")
        first = await submitted(on, row, gate)
        await on.engine.events.send(run, "newer", id="e1", payload=2)
        with pytest.raises(Stale):
            await first
        newer = await on.engine.inputs.get(run, "page:0")
        assert (newer["status"], newer["show"]) == ("pending", 2)
        gate.accept()
        await on.answer(newer, {"email": "b@example.com"}, submission="two")
        assert (await on.reaches(run, "completed"))["output"] == "b@example.com"
        assert await types_of(on, run) == ["requested", "submitted", "revised", "submitted", "answered"]


async def test_cancelling_the_run_withdraws_what_is_judged(url: str) -> None:
    gate = Gate()
    async with stage(app_of(validate=gate), url) as on:
        run = await on.start("sign_up")
        first = await submitted(on, await on.asks(run, "page:0"), gate)
        await on.engine.runs.act("cancel", run, BY)
        with pytest.raises(Withdrawn):
            await first
        assert (await on.engine.inputs.get(run, "page:0"))["status"] == "withdrawn"


async def test_a_paused_run_judges_when_it_is_resumed(url: str) -> None:
    gate = Gate()
    async with stage(app_of(validate=gate), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        await on.engine.runs.act("pause", run, BY)
        sent = await on.answer(row, {"email": "a@example.com"}, submission="one", wait_s=0)
        assert sent.validating
        waiting = asyncio.create_task(on.answer(row, {"email": "a@example.com"}, submission="one"))
        await on.engine.runs.act("resume", run, BY)
        gate.accept()
        assert (await waiting).row["status"] == "answered"
        assert (await on.reaches(run, "completed"))["output"]["action"] == "submit"


async def test_pausing_stops_a_validator_and_resuming_begins_it_anew(url: str) -> None:
    gate = Gate()
    async with stage(app_of(validate=gate), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        first = await submitted(on, row, gate)
        await on.engine.runs.act("pause", run, BY)
        async with asyncio.timeout(10):
            while not gate.cancelled:
                await asyncio.sleep(0)
        assert (await on.engine.inputs.get(run, "page:0"))["status"] == "validating"
        await on.engine.runs.act("resume", run, BY)
        gate.accept()
        assert (await first).row["status"] == "answered"
        assert gate.calls == 2


async def test_a_rewind_to_the_request_drops_the_answer_that_is_judged(url: str) -> None:
    gate = Gate()
    async with stage(app_of(validate=gate), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        first = await submitted(on, row, gate)
        await on.engine.runs.act("rewind", run, BY, to="page:0")
        with pytest.raises((Stale, NotValidated, Withdrawn)):
            await first
        again = await on.asks(run, "page:0")
        gate.accept()
        async with asyncio.timeout(10):
            while (again := await on.asks(run, "page:0"))["status"] != "pending":
                await asyncio.sleep(0)
        await on.answer(again, {"email": "b@example.com"}, submission="two")
        assert (await on.reaches(run, "completed"))["output"]["value"]["email"] == "b@example.com"


async def test_a_rewind_that_undoes_the_verdict_undoes_the_answer_too(url: str) -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def two(ctx: Context) -> str:
        first = await ctx.await_input("page", SignUp, title="1", to=["group:finance"], validate=taken)
        await ctx.await_input("more", int, title="2", to=["group:finance"])
        return str(first.value.email)

    async with stage(app, url) as on:
        run = await on.start("two")
        row = await on.asks(run, "page:0")
        await on.answer(row, {"email": "a@example.com"}, submission="one")
        await on.asks(run, "more:0")
        entries = [entry["type"] for entry in await on.entries(run)]
        assert entries.index("input.submitted") < entries.index("input.answered")
        await on.engine.runs.act("rewind", run, BY, to="page:0", after=False)
        again = await on.asks(run, "page:0")
        assert again["status"] == "pending"
        await on.answer(again, {"email": "b@example.com"}, submission="two")
        await on.answer(await on.asks(run, "more:0"), 1)
        assert (await on.reaches(run, "completed"))["output"] == "b@example.com"


async def test_a_wizard_goes_back_to_a_page_that_was_judged(url: str) -> None:
    def lower(value: SignUp) -> SignUp:
        return value.model_copy(update={"email": value.email.lower()})

    app = App()

    @app.workflow(expose=("output",))
    async def pages(ctx: Context) -> str:
        wizard = ctx.wizard(of=2)
        first = await wizard.ask("page", SignUp, title="1", to=["group:finance"], validate=lower)
        await wizard.ask("more", int, title="2", to=["group:finance"], validate=lambda value: None)
        return str(first.value.email)

    async with stage(app, url) as on:
        run = await on.start("pages")
        await on.answer(await on.asks(run, "page:0"), {"email": "A@Example.com"})
        await on.answer(await on.asks(run, "more:0"), None, action="back")
        first = await on.asks(run, "page:0")
        assert (first["status"], first["initial"]) == ("pending", {"email": "a@example.com", "seats": 1})
        await on.answer(first, {"email": "B@Example.com"})
        await on.answer(await on.asks(run, "more:0"), 1)
        assert (await on.reaches(run, "completed"))["output"] == "b@example.com"


async def test_actions_with_types_of_their_own_are_judged_by_the_one_that_was_chosen(url: str) -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def tool(ctx: Context) -> Any:
        answer = await ctx.await_input(
            "page", actions={"approve": None, "edit": Transfer}, title="?", to=["group:finance"]
        )
        return [answer.action, answer.value and answer.value.account]

    async with stage(app, url) as on:
        run, other = await on.start("tool"), await on.start("tool")
        row = await on.asks(run, "page:0")
        with pytest.raises(InvalidAnswer) as refused:
            await on.answer(row, {"account": "x", "amount": 1}, action="edit")
        assert [one["pointer"] for one in refused.value.extra["errors"]] == ["/account"]
        await on.answer(row, {"account": "acc-1", "amount": 1}, action="edit")
        assert (await on.reaches(run, "completed"))["output"] == ["edit", "ACC-1"]
        await on.answer(await on.asks(other, "page:0"), None, action="approve")
        assert (await on.reaches(other, "completed"))["output"] == ["approve", None]
        assert await types_of(on, other) == ["requested", "answered"]


async def test_what_is_filled_in_is_shown_as_the_schema_names_it(url: str) -> None:
    class Aliased(BaseModel):
        mail: str = Field(alias="e-mail")

    async with stage(app_of(Aliased, validate=lambda value: None, expose=True), url) as on:
        run = await on.start("sign_up")
        accepted = await on.answer(await on.asks(run, "page:0"), {"e-mail": "a"})
        assert accepted.row["value"] == {"e-mail": "a"}
        assert (await on.reaches(run, "completed"))["output"]["value"] == {"mail": "a"}


async def test_observers_are_told_of_an_answer_that_was_judged_once(url: str) -> None:
    told: list[AnswerReceived] = []

    class Watching:
        def observe(self, event: Observation) -> None:
            if isinstance(event, AnswerReceived):
                told.append(event)

    async with stage(app_of(validate=taken), url, observers=[Watching()]) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        with pytest.raises(InvalidAnswer):
            await on.answer(row, {"email": "bora@example.com"})
        await on.answer(row, {"email": "a@example.com"})
        await on.reaches(run, "completed")
    assert [(one.run_id, one.input, one.action) for one in told] == [(run, "page:0", "submit")]


async def test_a_validator_sees_the_context_variables_of_the_code_that_asked(url: str) -> None:
    tenant: ContextVar[str] = ContextVar("tenant", default="none")
    seen: list[str] = []

    async def in_loop(value: SignUp) -> None:
        seen.append(tenant.get())

    def in_thread(value: SignUp) -> None:
        seen.append(tenant.get())

    app = App()

    @app.workflow(expose=("output",))
    async def twice(ctx: Context) -> None:
        tenant.set("acme")
        await ctx.await_input("a", SignUp, title="A?", to=["group:finance"], validate=in_loop)
        await ctx.await_input("b", SignUp, title="B?", to=["group:finance"], validate=in_thread)

    async with stage(app, url) as on:
        run = await on.start("twice")
        for key in ("a:0", "b:0"):
            await on.answer(await on.asks(run, key), {"email": "a"})
        await on.reaches(run, "completed")
    assert seen == ["acme", "acme"]


def apart(gate: Gate) -> App:
    """Ask two things that are not decided by the same people; answers to one of them are judged."""
    app = App()

    @app.workflow(expose=("output",))
    async def both(ctx: Context) -> list[str | None]:
        first = ctx.await_input("page", SignUp, title="Who?", to=["group:finance"], validate=gate)
        second = ctx.await_input("second", bool, title="Sure?", to=["group:finance"], forbid=[first])
        third = ctx.await_input("third", bool, title="Sure?", to=["group:finance"], quorum=Quorum(2), forbid=[first])
        return [(await one).by.id for one in (first, second, third)]

    return app


async def test_who_is_judged_may_not_decide_meanwhile_what_is_kept_apart(url: str) -> None:
    gate = Gate()
    async with stage(apart(gate), url) as on:
        run = await on.start("both")
        row = await on.asks(run, "page:0")
        second, third = await on.asks(run, "second:0"), await on.asks(run, "third:0")
        first = await submitted_by(on, row, gate)
        for other in (second, third):
            with pytest.raises(BeingValidated, match="nobody decides both"):
                await on.answer(other, True)
        assert (await on.answer(second, True, who=person("bora"))).row["status"] == "answered"
        gate.accept()
        assert (await first).row["decided_by"]["id"] == "user:alice"
        with pytest.raises(NotInAudience):
            await on.answer(third, True)


async def submitted_by(on: Scene, row: dict[str, Any], gate: Gate, who: str = "alice") -> asyncio.Task[Accepted]:
    """Send somebody's answer, and return once it is being judged."""
    task = asyncio.create_task(on.answer(row, {"email": "a@example.com"}, who=person(who), submission="one"))
    async with asyncio.timeout(10):
        await gate.entered.wait()
    return task


async def test_a_verdict_does_not_count_for_whoever_may_not_decide_any_more(url: str) -> None:
    """Alice voted on what is kept apart before; that is decided while her answer is judged."""
    gate = Gate()
    async with stage(apart(gate), url) as on:
        run = await on.start("both")
        row, third = await on.asks(run, "page:0"), await on.asks(run, "third:0")
        assert (await on.answer(third, True)).outcome == "voted"
        first = await submitted_by(on, row, gate)
        assert (await on.answer(third, True, who=person("bora"))).outcome == "accepted"
        gate.accept()
        with pytest.raises(NotInAudience):
            await first
        shown = await on.engine.inputs.get(run, "page:0")
        assert (shown["status"], shown["errors"]) == ("pending", [])
        assert set(shown["forbid"]) == {"user:alice", "user:bora"}
        taken = await on.answer(shown, {"email": "c@example.com"}, who=person("cara"), submission="one")
        assert taken.row["decided_by"]["id"] == "user:cara"
        await on.answer(await on.asks(run, "second:0"), True, who=person("dan"))
        assert (await on.reaches(run, "completed"))["output"] == ["user:cara", "user:dan", "user:bora"]


@pytest.mark.parametrize(
    ("verb", "said", "body", "who"),
    [
        ("reassign", "reassigned", {"to": ["group:board"], "reason": "not theirs"}, LOCAL),
        ("delegate", "delegated", {"to": "user:bora", "reason": "away"}, person("alice")),
    ],
)
async def test_handing_on_drops_the_answer_of_whoever_is_not_asked_any_more(
    url: str, verb: str, said: str, body: dict[str, Any], who: Who
) -> None:
    gate = Gate()
    async with stage(app_of(validate=gate), url) as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        first = await submitted_by(on, row, gate)
        handed = await on.engine.inputs.act(verb, run, "page:0", body, who)
        assert (handed["status"], handed["errors"]) == ("pending", [])
        with pytest.raises(NotInAudience):
            await first
        gate.accept()
        taken = await on.answer(handed, {"email": "b@example.com"}, who=person("bora", "board"))
        assert taken.row["decided_by"]["id"] == "user:bora"
        assert await types_of(on, run) == ["requested", "submitted", "returned", said, "submitted", "answered"]


async def test_an_answer_is_judged_on_when_only_the_deadline_moves_or_others_are_asked_too(url: str) -> None:
    gate = Gate()
    app = App()

    @app.workflow(expose=("output",))
    async def moving(ctx: Context) -> str:
        request = ctx.await_input("page", SignUp, title="Who?", to=["group:finance"], deadline="1h", validate=gate)
        await ctx.await_event("newer", type=int)
        request.revise(deadline="3h", to=["group:finance", "user:bora"])
        return str((await request).value.email)

    async with stage(app, url) as on:
        run = await on.start("moving")
        row = await on.asks(run, "page:0")
        first = await submitted_by(on, row, gate)
        body = {"deadline": timedelta(hours=2), "reason": "more time"}
        moved = await on.engine.inputs.act("revise", run, "page:0", body, LOCAL)
        assert (moved["status"], moved["revised"]) == ("validating", row["revised"])
        await on.engine.events.send(run, "newer", id="e1", payload=1)
        await revised(on, run, 2)
        assert (await on.engine.inputs.get(run, "page:0"))["status"] == "validating"
        gate.accept()
        assert (await first).row["decided_by"]["id"] == "user:alice"
        assert (await on.reaches(run, "completed"))["output"] == "a@example.com"
        assert gate.calls == 1


async def revised(on: Scene, run: str, revision: int) -> None:
    """Wait until a request was revised so often."""
    async with asyncio.timeout(10):
        while (await on.engine.inputs.get(run, "page:0"))["revision"] < revision:
            await asyncio.sleep(0)


@pytest.mark.parametrize("to", [["user:bora"], ["group:board"]])
async def test_a_revision_that_asks_others_drops_the_answer_of_whoever_was_asked(url: str, to: list[str]) -> None:
    gate = Gate()
    app = App()

    @app.workflow(expose=("output",))
    async def moving(ctx: Context) -> str | None:
        request = ctx.await_input("page", SignUp, title="Who?", to=["group:finance"], validate=gate)
        await ctx.await_event("newer", type=int)
        request.revise(to=to)
        return (await request).by.id

    async with stage(app, url) as on:
        run = await on.start("moving")
        first = await submitted_by(on, await on.asks(run, "page:0"), gate)
        await on.engine.events.send(run, "newer", id="e1", payload=1)
        await revised(on, run, 1)
        gate.accept()
        with pytest.raises(NotInAudience):
            await first
        row = await on.engine.inputs.get(run, "page:0")
        await on.answer(row, {"email": "b@example.com"}, who=person("bora", "board"))
        assert (await on.reaches(run, "completed"))["output"] == "user:bora"


async def test_who_sent_what_a_policy_decided_about_had_a_part_in_it(url: str) -> None:
    def by_rule(value: SignUp) -> Decided:
        return Decided("approve", value, "small")

    app = App()

    @app.workflow(expose=("output",))
    async def ruled(ctx: Context) -> list[str | None]:
        options: dict[str, Any] = {"to": ["group:finance"], "actions": ["approve"]}
        first = ctx.await_input("page", SignUp, title="Who?", validate=by_rule, **options)
        beside = ctx.await_input("beside", bool, title="Sure?", forbid=[first], **options)
        answer = await first
        later = ctx.await_input("later", bool, title="Sure?", forbid=[first], **options)
        last = ctx.await_input("last", bool, title="Sure?", forbid=[answer], **options)
        sent_by = None if answer.sent_by is None else answer.sent_by.id
        return [answer.by.id, sent_by, *[(await one).by.id for one in (beside, later, last)]]

    async with stage(app, url) as on:
        run = await on.start("ruled")
        reply = await on.answer(await on.asks(run, "page:0"), {"email": "a@example.com"})
        assert reply.row["decided_by"]["kind"] == "policy"
        for key in ("beside:0", "later:0", "last:0"):
            row = await on.asks(run, key)
            assert row["forbid"] == ["user:alice"]
            with pytest.raises(NotInAudience):
                await on.answer(row, True)
            await on.answer(row, True, who=person("bora"))
        assert (await on.reaches(run, "completed"))["output"] == ["by_rule", "user:alice", *["user:bora"] * 3]


async def test_a_rewind_undoes_an_answer_that_was_judged_on_through_a_revision(url: str) -> None:
    gate = Gate()
    app = App()

    @app.workflow(expose=("output",))
    async def two(ctx: Context) -> str:
        request = ctx.await_input("page", SignUp, title="1", to=["group:finance"], validate=gate)
        await ctx.await_event("newer", type=int)
        request.revise(deadline="3h")
        first = await request
        await ctx.await_input("more", int, title="2", to=["group:finance"])
        return str(first.value.email)

    async with stage(app, url) as on:
        run = await on.start("two")
        first = await submitted_by(on, await on.asks(run, "page:0"), gate)
        await on.engine.events.send(run, "newer", id="e1", payload=1)
        await revised(on, run, 1)
        gate.accept()
        await first
        await on.asks(run, "more:0")
        await on.engine.runs.act("rewind", run, BY, to="page:0", after=False)
        again = await on.asks(run, "page:0")
        assert again["status"] == "pending"
        await on.answer(again, {"email": "b@example.com"}, submission="two")
        await on.answer(await on.asks(run, "more:0"), 1)
        assert (await on.reaches(run, "completed"))["output"] == "b@example.com"
