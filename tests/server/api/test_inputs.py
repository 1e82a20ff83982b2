from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import BaseModel

from signoff import App, Context, Refused
from signoff.client import SignoffClient
from signoff.errors import InputNotFound
from signoff.runtime.worker import Worker
from signoff.server.config import ServerConfig
from signoff.workflow.input.entries import InputRevised
from signoff.workflow.run.entries import RunCompleted
from tests.server.hosting import KEYED, Host, bearer, hosting, problem
from tests.server.requests import GOOD, ROUTES, stage

ANSWER = "/v1/runs/r1/inputs/approve:0/answer"
FINANCE = ("finance",)


def submission(row: dict[str, Any], **other: Any) -> dict[str, Any]:
    body = {
        "submission_id": "s1",
        "action": "submit",
        "value": {"approved": True},
        "seen_offset": row["revised"],
    }
    return {**body, **other}


async def test_an_answer_is_accepted_once_and_told_again(store: str) -> None:
    async with hosting(store) as host:
        body = submission(await host.ask())
        first = await host.post(ANSWER, body)
        assert first.status_code == 200, first.text
        reply = first.json()
        assert reply["outcome"] == "accepted"
        assert reply["txid"] == "s1"
        assert reply["row"]["status"] == "answered"
        assert reply["row"]["decided_by"] == {"kind": "operator", "id": "local"}
        assert "idempotency-replayed" not in first.headers

        second = await host.post(ANSWER, body)
        assert second.status_code == 200
        assert second.headers["idempotency-replayed"] == "true"
        assert second.json() == reply
        other = await host.post(ANSWER, {**body, "value": {"approved": False}})
        problem(other, 409, "submission_reused")
        late = problem(await host.post(ANSWER, {**body, "submission_id": "s2"}), 409, "already_decided")
        assert late["row"]["status"] == "answered"
        types = [entry["type"] for entry in await host.engine.runs.history("r1")]
        assert types == ["run.started", "input.requested", "input.answered"]


async def test_an_answer_to_a_request_of_a_deleted_run_is_none_to_the_run_that_has_its_id(store: str) -> None:
    async with hosting(store, KEYED) as host:
        before = await host.ask()
        alice = bearer("alice", "run:read:r1", groups=FINANCE)
        waited = submission(before, asked_at=before["asked_at"])
        taken = {**waited, "submission_id": "s0"}
        assert (await host.post(ANSWER, taken, **alice)).status_code == 200
        now = await host.ask_again()
        for late in (waited, taken, {**waited, "seen_offset": "9" * 16}):  # not even what the deleted run had taken
            refused = problem(await host.post(ANSWER, late, **alice), 409, "stale")
            assert "is another one now" in refused["detail"]
            assert "your answer was not recorded" in refused["detail"]
            assert refused["row"] == now
        assert await host.engine.inputs.get("r1", "approve:0") == now
        [_, _, denied] = await host.engine.runs.history("r1")
        assert (denied["type"], denied["reason"]) == ("input.denied", "stale")
        assert "digest" not in denied["evidence"]  # what it asks was not seen, though the offset would do
        mine = submission(now, asked_at=now["asked_at"])
        assert (await host.post(ANSWER, mine, **alice)).json()["outcome"] == "accepted"
        again = await host.post(ANSWER, mine, **alice)
        assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")


async def test_of_many_answers_one_is_accepted(store: str) -> None:
    async with hosting(store) as host:
        row = await host.ask()
        bodies = [submission(row, submission_id=f"s{n}") for n in range(20)]
        replies = await asyncio.gather(*(host.post(ANSWER, body) for body in bodies))
        assert sorted(reply.status_code for reply in replies) == [200] + [409] * 19
        assert {reply.json()["row"]["status"] for reply in replies} == {"answered"}


async def test_the_txid_comes_by_on_the_stream_before_the_offset(store: str) -> None:
    async with hosting(store) as host:
        accepted = (await host.post(ANSWER, submission(await host.ask()))).json()
        stream = await host.http.get("/v1/stream/runs/r1", params={"offset": "-1"})
        rows = [message for message in stream.json() if message["headers"].get("txid") == "s1"]
        assert [row["value"]["status"] for row in rows if row["type"] == "input"] == ["answered"]
        assert stream.headers["stream-next-offset"].partition("-")[0] == accepted["offset"]
        assert stream.headers["stream-next-offset"] >= accepted["offset"]


async def test_what_was_revised_is_stale(store: str) -> None:
    async with hosting(store) as host:
        row = await host.ask()
        at = host.engine.clock.now_ms()
        await host.record("r1", InputRevised(at=at, id="approve:0", changes={"title": "Approve 200?"}))
        before = await host.everything()
        stale = problem(await host.post(ANSWER, submission(row)), 409, "stale")
        assert stale["row"]["title"] == "Approve 200?"
        assert await host.everything() == before
        assert (await host.post(ANSWER, submission(stale["row"]))).status_code == 200


async def test_a_value_that_does_not_match_is_refused_by_pointer(store: str) -> None:
    async with hosting(store) as host:
        row = await host.ask()
        before = await host.everything()
        wrong = problem(await host.post(ANSWER, submission(row, value={"approved": "yes"})), 422, "invalid_answer")
        assert [error["pointer"] for error in wrong["errors"]] == ["/approved"]
        problem(await host.post(ANSWER, submission(row, action="reject")), 422, "invalid_answer")
        assert await host.everything() == before
        assert (await host.post(ANSWER, submission(row))).status_code == 200


async def test_after_the_deadline_it_is_too_late(store: str) -> None:
    async with hosting(store) as host:
        row = await host.ask(deadline=1)
        late = problem(await host.post(ANSWER, submission(row)), 409, "expired")
        assert late["row"]["status"] == "expired"
        assert late["row"]["decided_by"]["kind"] == "timeout"


async def test_a_run_that_is_over_takes_no_answer(store: str) -> None:
    async with hosting(store) as host:
        row = await host.ask()
        await host.record("r1", RunCompleted(at=host.engine.clock.now_ms(), output=None))
        before = await host.everything()
        refused = await host.post(ANSWER, submission(row))
        assert refused.status_code == 409
        assert refused.json()["code"] in {"withdrawn", "run_closed"}
        assert refused.json()["row"]["id"] == "approve:0"
        assert await host.everything() == before


async def test_a_person_answers_what_was_asked_of_them(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask()
        problem(await host.post(ANSWER, submission(row)), 401, "unauthorized")
        accepted = await host.post(ANSWER, submission(row), **bearer("alice", groups=FINANCE))
        assert accepted.json()["row"]["decided_by"] == {"kind": "person", "id": "user:alice"}


async def test_strangers_learn_nothing(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask()
        mallory = bearer("mallory", groups=("sales",))
        before = await host.everything()
        told = []
        for path in (ANSWER, ANSWER.replace("r1", "r9"), ANSWER.replace("approve:0", "other:0")):
            told.append(problem(await host.post(path, submission(row), **mallory), 403, "not_in_audience"))
            shown = await host.http.get(path.removesuffix("/answer"), headers=mallory)
            told.append({**problem(shown, 403, "forbidden"), "code": "", "title": "", "type": ""})
        assert told[0] == told[2] == told[4]
        assert told[1] == told[3] == told[5]
        assert await host.everything() == before
        await decided(host, row)
        problem(await host.post(ANSWER, submission(row), **mallory), 403, "not_in_audience")
        problem(await host.post(ANSWER, submission(row, submission_id="s7"), **mallory), 403, "not_in_audience")


async def decided(host: Host, row: dict[str, Any]) -> None:
    reply = await host.post(ANSWER, submission(row), **bearer("alice", groups=FINANCE))
    assert reply.status_code == 200


async def test_four_eyes(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask(forbid=("user:alice",))
        alice = bearer("alice", groups=FINANCE)
        problem(await host.post(ANSWER, submission(row), **alice), 403, "not_in_audience")
        bob = bearer("bob", groups=FINANCE)
        assert (await host.post(ANSWER, submission(row), **bob)).status_code == 200


async def test_people_list_their_own_requests(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask("r1")
        await host.ask("r2", to=("user:bob",))
        alice, bob = bearer("alice", groups=FINANCE), bearer("bob")
        assert await listed(host, alice) == ["r1"]
        assert await listed(host, bob) == ["r2"]
        assert await listed(host, bearer("boss", "operator")) == ["r2", "r1"]
        assert await listed(host, alice, "?audience=group:finance") == ["r1"]
        assert await listed(host, alice, "?status=answered") == []
        problem(await host.http.get("/v1/inputs?audience=user:bob", headers=alice), 403, "forbidden")
        problem(await host.http.get("/v1/inputs"), 401, "unauthorized")


async def listed(host: Host, headers: dict[str, str], query: str = "") -> list[str]:
    reply = await host.http.get(f"/v1/inputs{query}", headers=headers)
    assert reply.status_code == 200, reply.text
    return [row["run_id"] for row in reply.json()["inputs"]]


async def test_one_request_is_shown_to_those_it_concerns(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask()
        path = "/v1/runs/r1/inputs/approve:0"
        for headers in (bearer("alice", groups=FINANCE), bearer("carol", "run:read:r1")):
            assert (await host.http.get(path, headers=headers)).json() == {"input": row}
        missing = await host.http.get("/v1/runs/r1/inputs/other:0", headers=bearer("carol", "run:read:r1"))
        problem(missing, 404, "input_not_found")
        percent = await host.http.get("/v1/runs/r1/inputs/approve%3A0", headers=bearer("carol", "run:read:*"))
        assert percent.json() == {"input": row}


ANSWERS: list[tuple[dict[str, Any], str]] = [
    ({"submission_id": ""}, "submission_id"),
    ({"submission_id": 1}, "submission_id"),
    ({"submission_id": "x" * 1000}, "submission_id"),
    ({"action": None}, "action"),
    ({"seen_offset": 5}, "seen_offset"),
    ({"seen_offset": "yesterday"}, "seen_offset"),
    ({"seen_offset": "-2"}, "seen_offset"),
    ({"asked_at": None}, "asked_at"),
    ({"asked_at": "2026-03-01"}, "asked_at"),
    ({"by": "alice"}, "by"),
]


async def test_answers_are_checked_member_by_member() -> None:
    async with hosting() as host:
        before = await stage(host)
        for change, word in ANSWERS:
            reply = await host.post(ROUTES["answer"], {**GOOD["answer"], **change})
            assert word in problem(reply, 400, "bad_request")["detail"]
        for member in GOOD["answer"]:
            lacking = {name: value for name, value in GOOD["answer"].items() if name != member}
            assert member in problem(await host.post(ROUTES["answer"], lacking), 400, "bad_request")["detail"]
        assert await host.everything() == before


# -- answers that the workflow judges ----------------------------------------------------------------------------------

PAGE = "/v1/runs/r1/inputs/page:0/answer"


class Page(BaseModel):
    email: str


@asynccontextmanager
async def judging(
    store: str, validate: Callable[[Page], Any], config: ServerConfig | None = None
) -> AsyncIterator[Host]:
    """Serve a run that asks for a page, with a worker that judges it."""
    app = App()

    @app.workflow(expose=("output",))
    async def sign_up(ctx: Context) -> str:
        page = await ctx.await_input("page", Page, title="Who?", to=["user:alice"], validate=validate)
        return page.value.email

    async with hosting(store, config) as host:
        worker = Worker(app, host.engine)
        working = asyncio.create_task(worker.run())
        await host.engine.runs.start("sign_up", None, run_id="r1")
        async with asyncio.timeout(10):
            while not await host.engine.inputs.pending("r1"):
                await asyncio.sleep(0.01)
        try:
            yield host
        finally:
            await worker.drain()
            await working


def page(email: str, submission_id: str = "s1", seen: str = "-1") -> dict[str, Any]:
    value = {"email": email}
    return {"submission_id": submission_id, "action": "submit", "value": value, "seen_offset": seen}


async def seen(host: Host) -> str:
    return str((await host.engine.inputs.get("r1", "page:0"))["revised"])


async def test_a_validator_refuses_with_pointers_and_then_takes_another_answer(store: str) -> None:
    def check(value: Page) -> None:
        if value.email == "taken":
            raise Refused({"/email": "already taken"}, message="Look again.")

    async with judging(store, check) as host:
        at = await seen(host)
        refused = problem(await host.post(PAGE, page("taken", seen=at)), 422, "invalid_answer")
        errors = [{"pointer": "", "message": "Look again."}, {"pointer": "/email", "message": "already taken"}]
        assert (refused["errors"], refused["row"]["errors"], refused["row"]["status"]) == (errors, errors, "pending")
        again = problem(await host.post(PAGE, page("taken", seen=at)), 422, "invalid_answer")
        assert again == refused
        problem(await host.post(PAGE, page("free", seen=at)), 409, "submission_reused")
        accepted = await host.post(PAGE, page("free", "s2", at))
        assert (accepted.status_code, accepted.json()["outcome"]) == (200, "accepted")
        replayed = await host.post(PAGE, page("free", "s2", at))
        assert replayed.headers["idempotency-replayed"] == "true"
        assert replayed.json() == accepted.json()


async def test_past_what_a_client_prefers_the_row_tells(store: str) -> None:
    verdict = asyncio.Event()

    async def check(value: Page) -> None:
        await verdict.wait()

    async with judging(store, check) as host:
        body = page("a", seen=await seen(host))
        reply = await host.post(PAGE, body, prefer="wait=0")
        assert (reply.status_code, reply.json()["outcome"], reply.json()["row"]["status"]) == (
            202,
            "validating",
            "validating",
        )
        assert (await host.post(PAGE, body, prefer="respond-async")).status_code == 202
        other = problem(await host.post(PAGE, page("b", "s2", body["seen_offset"])), 409, "validating")
        assert other["row"]["status"] == "validating"
        waiting = asyncio.create_task(host.post(PAGE, body, prefer="wait=30"))
        verdict.set()
        assert (await waiting).json()["outcome"] == "accepted"
        async with SignoffClient(host.url) as client:
            assert (await client.answer("r1", "page:0", **body))["outcome"] == "accepted"


async def test_the_python_client_waits_for_the_verdict(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = asyncio.Event()
    monkeypatch.setattr("signoff.server.api.inputs.WAIT_S", 0.01)

    async def check(value: Page) -> None:
        await verdict.wait()

    async with judging(store, check) as host, SignoffClient(host.url) as client:
        body = page("a", seen=await seen(host))
        answering = asyncio.create_task(client.answer("r1", "page:0", **body))
        async with asyncio.timeout(10):
            while (await client.input("r1", "page:0"))["input"]["status"] != "validating":
                await asyncio.sleep(0.01)
        verdict.set()
        assert (await answering)["outcome"] == "accepted"


async def test_a_validator_that_fails_is_told_without_its_reason(store: str) -> None:
    def check(value: Page) -> None:
        raise RuntimeError("password of the database")

    async with judging(store, check) as host:
        failed = await host.post(PAGE, page("a", seen=await seen(host)))
        told = problem(failed, 503, "not_validated")
        assert told["row"]["status"] == "pending"
        assert "password" not in failed.text
        assert failed.headers["retry-after"] == "1"


async def test_strangers_cannot_tell_that_an_answer_is_judged() -> None:
    verdict = asyncio.Event()

    async def check(value: Page) -> None:
        await verdict.wait()

    async with judging("memory:", check, KEYED) as host:
        body, alice, eve = page("a", seen=await seen(host)), bearer("alice"), bearer("eve")
        assert (await host.post(PAGE, body, prefer="wait=0", **alice)).status_code == 202
        problem(await host.post(PAGE, body, **eve), 403, "not_in_audience")
        problem(await host.post(PAGE, page("a", "s9"), **eve), 403, "not_in_audience")
        verdict.set()


ROUNDS = {"memory": 250, "sqlite": 250}
"""How often each pair meets; where the store is another, a fifth of it."""

POSSIBLE = {
    "deadline": {"accepted", "invalid_answer", "expired"},
    "withdraw": {"accepted", "invalid_answer", "withdrawn"},
    "cancel": {"accepted", "invalid_answer", "withdrawn"},
    "rewind": {"accepted", "invalid_answer", "stale", "withdrawn", "not_validated"},
}


@pytest.mark.parametrize("other", sorted(POSSIBLE))
async def test_a_verdict_against_whatever_else_decides_has_one_outcome(store: str, other: str) -> None:
    rounds, chance = ROUNDS.get(store.partition(":")[0], 50), random.Random(other)

    async def check(value: Page) -> None:
        await asyncio.sleep(chance.random() / 100)
        if value.email == "taken":
            raise Refused({"/email": "already taken"})

    app = App()

    @app.workflow
    async def sign_up(ctx: Context, number: int) -> None:
        # Some before, some after a machine that has much to do could have judged.
        until = ("80ms", "300ms", "1s", "10s")[number % 4] if other == "deadline" else None
        await ctx.await_input("page", Page, title="Who?", validate=check, deadline=until)

    async def interfere(host: Host, at: str) -> None:
        await asyncio.sleep(chance.random() / 50)
        if other == "withdraw":
            await host.post(f"{at}/inputs/page:0/withdraw", {"reason": "moot"})
        elif other == "rewind":
            await host.post(f"{at}/rewind", {"to": "page:0"})
        elif other == "cancel":
            await host.post(f"{at}/cancel", {})

    async def race(host: Host, number: int) -> str:
        run, email = f"r{number}", "free" if number % 3 else "taken"
        await host.engine.runs.start("sign_up", number, run_id=run)
        row = await asked(host, run)
        at, body = f"/v1/runs/{run}", page(email, seen=row["revised"])
        reply, _ = await asyncio.gather(host.post(f"{at}/inputs/page:0/answer", body), interfere(host, at))
        outcome = reply.json().get("code", reply.json().get("outcome"))
        row = await host.engine.inputs.get(run, "page:0")
        verdicts = [one["type"] for one in await host.engine.runs.history(run) if one["type"] in VERDICTS]
        assert outcome in POSSIBLE[other], reply.text
        assert verdicts == [kind for kind in VERDICTS if VERDICTS[kind] == outcome], (outcome, verdicts)
        assert row["status"] != "answered" or outcome == "accepted"
        assert row["status"] == "answered" or outcome != "accepted" or other == "rewind"
        again = (await host.post(f"{at}/inputs/page:0/answer", body, prefer="wait=0")).json()
        assert outcome not in VERDICTS.values() or again.get("code", again.get("outcome")) == outcome
        return str(outcome)

    async with hosting(store) as host:
        worker = Worker(app, host.engine)
        working = asyncio.create_task(worker.run())
        outcomes: list[str] = []
        for first in range(0, rounds, 25):
            outcomes += await asyncio.gather(*(race(host, n) for n in range(first, first + 25)))
        await worker.drain()
        await working
    assert len(outcomes) == rounds
    assert len(set(outcomes)) > 1


VERDICTS = {"input.answered": "accepted", "input.refused": "invalid_answer"}


async def asked(host: Host, run: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            try:
                return await host.engine.inputs.get(run, "page:0")
            except InputNotFound:
                await asyncio.sleep(0.002)
