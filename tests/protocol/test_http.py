"""Replies and refusals of the HTTP API have the shapes and the order of checks that the specification gives them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt
import pytest

from signoff.clock import ManualClock
from signoff.server.app import create_app
from signoff.server.config import ServerConfig
from signoff.service.engine import Engine
from signoff.service.run_change import RunChange, RunSnapshot
from signoff.stores.open import open_store
from signoff.workflow import journal
from signoff.workflow.view import View
from tests.protocol.material import cases, complaints, load

SECRET = b"k" * 32
FIRST = load("answers.json")["cases"][0]
BODY = FIRST["body"]


def _token(sub: str, *groups: str, grants: tuple[str, ...] = ()) -> dict[str, str]:
    claims = {"sub": sub, "groups": list(groups), "grants": list(grants)}
    return {"authorization": f"Bearer {jwt.encode(claims, SECRET, algorithm='HS256')}"}


ALICE = _token("alice", "finance")
BOB = _token("bob", "finance")
EVE = _token("eve", "sales")
READER = _token("rita", grants=("run:read:*",))
ROOT = _token("root", grants=("operator",))


@asynccontextmanager
async def _server() -> AsyncIterator[httpx.AsyncClient]:
    """Serve one run, `r1`, that waits for `approve:0` of the finance group."""
    clock = ManualClock(FIRST["now"])
    engine = await Engine.open(open_store("memory:"), clock)
    entries = [journal.from_json(entry) for entry in FIRST["history"]]
    await engine.committer.commit(RunChange(RunSnapshot(None, View()), entries, ready=False, wake_at=None).change)
    transport = httpx.ASGITransport(create_app(engine, config=ServerConfig(secret=SECRET)))
    async with httpx.AsyncClient(transport=transport, base_url="http://signoff.example") as http:
        yield http
    await engine.close()


ANSWER = "/v1/runs/r1/inputs/approve:0/answer"


def _is(reply: httpx.Response, status: int, schema: str) -> Any:
    assert reply.status_code == status, reply.text
    assert complaints(schema, reply.json()) == []
    kind = "application/problem+json" if schema == "problem.json" else "application/json"
    assert reply.headers["content-type"] == kind
    assert reply.headers["cache-control"] == "no-store"
    return reply.json()


def _refused(reply: httpx.Response, status: int, code: str) -> Any:
    problem = _is(reply, status, "problem.json")
    assert problem["code"] == code
    assert problem["status"] == status
    return problem


async def test_replies_have_their_shapes() -> None:
    async with _server() as http:
        assert complaints("health-reply.json", (await http.get("/health")).json()) == []
        start = {"workflow": "expense", "input": {"amount": 1}, "run_id": "r2", "tags": ["eu"]}
        assert complaints("start-request.json", start) == []
        started = _is(await http.post("/v1/runs", json=start, headers=ROOT), 201, "start-reply.json")
        assert started["stream"] == "/v1/stream/runs/r2"
        again = await http.post("/v1/runs", json=start, headers=ROOT)
        assert _is(again, 200, "start-reply.json")["run"] == started["run"]
        assert again.headers["idempotency-replayed"] == "true"
        listed = _is(await http.get("/v1/runs?workflow=expense", headers=ROOT), 200, "run-list.json")
        assert {run["id"] for run in listed["runs"]} == {"r1", "r2"}
        one = _is(await http.get("/v1/runs/r1", headers=READER), 200, "run-reply.json")
        assert [row["id"] for row in one["inputs"]] == ["approve:0"]
        mine = _is(await http.get("/v1/inputs", headers=ALICE), 200, "input-list.json")
        assert mine["inputs"] == one["inputs"]
        request = _is(await http.get("/v1/runs/r1/inputs/approve:0", headers=ALICE), 200, "input-reply.json")
        assert request["input"] == FIRST["row"]
        history = _is(await http.get("/v1/runs/r1/history", headers=ROOT), 200, "history-reply.json")
        assert history["entries"] == FIRST["history"]


@pytest.mark.parametrize(
    "case", [case for case in cases("digest.json") if case.values[0]["name"].startswith("a start")]
)
async def test_the_digest_of_a_start_is_that_of_what_was_sent(case: dict[str, Any]) -> None:
    workflow, sent = case["value"]
    async with _server() as http:
        body = {"workflow": workflow, "run_id": "r2", "input": sent}
        await http.post("/v1/runs", json=body, headers=ROOT)
        history = (await http.get("/v1/runs/r2/history", headers=ROOT)).json()
        assert history["entries"][0]["digest"] == case["digest"]
        if sent is None:
            del body["input"]
        assert (await http.post("/v1/runs", json=body, headers=ROOT)).status_code == 200


async def test_a_retry_has_its_shapes() -> None:
    async with _server() as http:
        _refused(await http.post("/v1/runs/r1/retry", json={}, headers=ROOT), 409, "not_blocked")
        assert complaints("verb-reply.json", {"run": (await http.get("/v1/runs/r1", headers=ROOT)).json()["run"]}) == []


async def test_events_and_cancellation_have_their_shapes() -> None:
    async with _server() as http:
        event = {"id": "e1", "payload": {"n": 1}}
        sent = await http.post("/v1/runs/r1/events/paid", json=event, headers=ROOT)
        assert _is(sent, 202, "send-reply.json") == {"accepted": True, "duplicate": False}
        sent = await http.post("/v1/runs/r1/events/paid", json=event, headers=ROOT)
        assert _is(sent, 202, "send-reply.json") == {"accepted": True, "duplicate": True}
        other = await http.post("/v1/runs/r1/events/paid", json=event | {"payload": 2}, headers=ROOT)
        _refused(other, 409, "submission_reused")
        emitted = await http.post("/v1/events/paid", json=event, headers=ROOT)
        assert _is(emitted, 200, "emit-reply.json") == {"delivered": 0}
        cancelled = await http.post("/v1/runs/r1/cancel", json={"reason": "duplicate"}, headers=ROOT)
        assert _is(cancelled, 202, "verb-reply.json")["run"]["id"] == "r1"
        row = _refused(await http.post(ANSWER, json=BODY, headers=ALICE), 409, "withdrawn")["row"]
        assert (row["status"], row["reason"]) == ("withdrawn", "cancelled")


async def test_ends_have_their_shapes() -> None:
    async with _server() as http:
        early = _is(await http.get("/v1/runs/r1/result", headers=READER), 202, "result-reply.json")
        assert early["run"]["status"] == "waiting"
        body = {"reason": "stuck"}
        assert complaints("verb-request.json", body) == []
        ended = _is(await http.post("/v1/runs/r1/terminate", json=body, headers=ROOT), 200, "verb-reply.json")
        assert ended["run"]["error"] == {"code": "terminated", "message": None}
        row = _refused(await http.post(ANSWER, json=BODY, headers=ALICE), 409, "withdrawn")["row"]
        assert (row["status"], row["reason"], row["decided_by"]["kind"]) == ("withdrawn", "terminated", "person")
        _refused(await http.post("/v1/runs/r1/terminate", json={}, headers=ROOT), 409, "run_closed")
        told = _refused(await http.get("/v1/runs/r1/result", headers=READER), 409, "run_cancelled")
        assert (told["run"], told["error"]) == (ended["run"], ended["run"]["error"])
        history = _is(await http.get("/v1/runs/r1/history", headers=ROOT), 200, "history-reply.json")
        assert history["entries"][-1]["type"] == "run.terminated"
        inbox = await http.get("/v1/stream/inbox/group:finance?offset=-1", headers=ALICE)
        assert [message["headers"]["operation"] for message in inbox.json()] == ["insert", "delete"]
        stream = await http.get("/v1/stream/runs/r1?offset=-1", headers=READER)
        assert stream.headers["stream-closed"] == "true"


async def test_an_answer_is_accepted_once_and_replayed() -> None:
    async with _server() as http:
        first = await http.post(ANSWER, json=BODY, headers=ALICE)
        accepted = _is(first, 200, "answer-reply.json")
        assert accepted == FIRST["reply"]["body"]
        assert "idempotency-replayed" not in first.headers
        again = await http.post(ANSWER, json=BODY, headers=ALICE)
        assert _is(again, 200, "answer-reply.json") == accepted
        assert again.headers["idempotency-replayed"] == "true"
        other = await http.post(ANSWER, json=BODY | {"submission_id": "sub-2"}, headers=BOB)
        assert _refused(other, 409, "already_decided")["row"] == accepted["row"]
        _refused(await http.post(ANSWER, json=BODY, headers=BOB), 409, "submission_reused")


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "code"),
    [
        (ANSWER, "not even JSON", {}, 401, "unauthorized"),
        ("/v1/runs/r1/inputs/approve/answer", BODY, ALICE, 400, "invalid_name"),
        ("/v1/runs/a b/inputs/approve:0/answer", BODY, ALICE, 400, "invalid_name"),
        (ANSWER, BODY | {"seen_offset": "now"}, EVE, 400, "bad_request"),
        (ANSWER, BODY, EVE, 403, "not_in_audience"),
        ("/v1/runs/r9/inputs/approve:0/answer", BODY, EVE, 403, "not_in_audience"),
        ("/v1/runs/r1/inputs/other:0/answer", BODY, EVE, 403, "not_in_audience"),
        ("/v1/runs/r9/inputs/approve:0/answer", BODY, READER, 404, "run_not_found"),
        ("/v1/runs/r1/inputs/other:0/answer", BODY, READER, 404, "input_not_found"),
        (ANSWER, BODY, READER, 403, "not_in_audience"),
        (ANSWER, BODY | {"seen_offset": "-1"}, ALICE, 409, "stale"),
        (ANSWER, BODY | {"value": {}}, ALICE, 422, "invalid_answer"),
    ],
)
async def test_the_first_check_that_fails_decides(
    path: str, body: Any, headers: dict[str, str], status: int, code: str
) -> None:
    async with _server() as http:
        sent = {"content": body} if isinstance(body, str) else {"json": body}
        _refused(await http.post(path, headers=headers, **sent), status, code)
        row = (await http.get("/v1/runs/r1/inputs/approve:0", headers=ALICE)).json()["input"]
        assert row == FIRST["row"]


async def test_a_stranger_cannot_tell_whether_a_request_exists() -> None:
    async with _server() as http:
        there = await http.post(ANSWER, json=BODY, headers=EVE)
        gone = await http.post("/v1/runs/r9/inputs/approve:0/answer", json=BODY, headers=EVE)
        assert there.json() == gone.json()


@pytest.mark.parametrize("path", ["runs/r1", "runs/r1/journal", "inbox/group:finance", "workflows/expense", "runs/new"])
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_the_engine_owns_its_streams(path: str, method: str) -> None:
    async with _server() as http:
        headers = ROOT | {"content-type": "application/json"}
        reply = await http.request(method, f"/v1/stream/{path}", content=b"[1]", headers=headers)
        assert reply.status_code == 403
        assert reply.json()["code"] == "engine_owned"
        assert complaints("problem.json", reply.json()) == []


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("runs/r1", READER, 200),
        ("runs/r1", ALICE, 403),
        ("runs/r1/journal", READER, 403),
        ("runs/r1/journal", ROOT, 200),
        ("inbox/group:finance", ALICE, 200),
        ("inbox/group:finance", EVE, 403),
        ("inbox/user:alice", BOB, 403),
        ("workflows/expense", READER, 403),
        ("workflows/expense", _token("lee", grants=("workflow:list:expense",)), 200),
        ("runs/r1", {}, 401),
    ],
)
async def test_who_reads_what(path: str, headers: dict[str, str], status: int) -> None:
    async with _server() as http:
        reply = await http.get(f"/v1/stream/{path}?offset=-1", headers=headers)
        assert reply.status_code == status
        if status == 200:
            assert not reply.headers["cache-control"].startswith("public")
            schema = "journal-entry.json" if path.endswith("journal") else "state-message.json"
            assert reply.json()
            assert [complaints(schema, message) for message in reply.json()] == [[] for _ in reply.json()]
