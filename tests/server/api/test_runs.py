from __future__ import annotations

import asyncio
from typing import Any

from signoff.testing.store_contract.laws import settle
from signoff.workflow.entry import DecidedBy, Error, StackFrame
from signoff.workflow.run.entries import RunBlocked, RunCompleted, RunFailed
from signoff.workflow.view import RunFold
from tests.protocol.material import validator
from tests.server.hosting import KEYED, bearer, hosting, problem
from tests.servers import RedisServer


async def test_a_run_is_started_shown_listed_and_cancelled(store: str) -> None:
    async with hosting(store) as host:
        started = await host.post("/v1/runs", {"workflow": "expense", "input": {"amount": 3}, "tags": ["eu"]})
        assert started.status_code == 201
        run = started.json()["run"]
        assert started.json()["stream"] == f"/v1/stream/runs/{run['id']}"
        assert started.headers["location"] == f"/v1/runs/{run['id']}"
        assert run["workflow"] == "expense"

        shown = await host.http.get(f"/v1/runs/{run['id']}")
        assert shown.json() == {"run": run, "inputs": [], "stream": started.json()["stream"]}
        listed = await host.http.get("/v1/runs", params={"tag": "eu", "workflow": "expense", "limit": 1})
        assert listed.json() == {"runs": [run], "cursor": None}
        assert (await host.http.get("/v1/runs", params={"status": "completed"})).json()["runs"] == []

        cancelled = await host.post(f"/v1/runs/{run['id']}/cancel", {"reason": "a mistake"})
        assert cancelled.status_code == 202
        again = await host.post(f"/v1/runs/{run['id']}/cancel", {})
        assert again.status_code == 202
        history = (await host.http.get(f"/v1/runs/{run['id']}/history")).json()
        assert [entry["type"] for entry in history["entries"]] == ["run.started", "run.cancel_requested"]
        assert history["entries"][1]["reason"] == "a mistake"


async def test_starting_again_finds_the_same_run(store: str) -> None:
    async with hosting(store) as host:
        body = {"workflow": "expense", "input": {"amount": 3}, "run_id": "claim-1"}
        first = await host.post("/v1/runs", body)
        second = await host.post("/v1/runs", body)
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.headers["idempotency-replayed"] == "true"
        assert second.json() == first.json()
        problem(await host.post("/v1/runs", {**body, "input": {"amount": 4}}), 409, "run_conflict")
        problem(await host.post("/v1/runs", {**body, "workflow": "travel"}), 409, "run_conflict")
        assert len((await host.http.get("/v1/runs")).json()["runs"]) == 1


async def test_a_start_that_finds_somebody_elses_run_tells_only_what_is_needed(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        body = {"workflow": "expense", "input": 3, "run_id": "claim-1", "tags": ["secret"]}
        mine = (await host.post("/v1/runs", body, **bearer("alice", "run:start:expense"))).json()
        assert (mine["run"]["started_by"], mine["run"]["tags"]) == ("user:alice", ["secret"])
        await host.record("claim-1", RunFailed(host.engine.clock.now_ms(), Error("secret_code", "secret")))
        whole = await host.engine.runs.get("claim-1")

        async def again(who: str, *grants: str) -> dict[str, Any]:
            reply = await host.post("/v1/runs", body, **bearer(who, "run:start:expense", *grants))
            assert (reply.status_code, reply.headers["idempotency-replayed"]) == (200, "true")
            validator("start-reply.json").validate(reply.json())
            return dict(reply.json()["run"])

        told = await again("mallory")
        nothing: dict[str, Any] = {"tags": [], "parent": None, "started_by": None, "error": None}
        names = ("id", "workflow", "version", "status", "created_at", "updated_at")
        assert told == {name: whole[name] for name in names} | nothing
        assert await again("mallory", "run:read:mine") == told
        assert await again("alice") == await again("rita", "run:read:claim-1") == whole
        assert await again("lee", "workflow:list:expense") == whole


async def test_many_who_start_at_once_start_one_run(store: str) -> None:
    async with hosting(store) as host:
        body = {"workflow": "expense", "run_id": "claim-1"}
        replies = await asyncio.gather(*(host.post("/v1/runs", body) for _ in range(20)))
        assert sorted(reply.status_code for reply in replies) == [200] * 19 + [201]


async def test_pages_follow_each_other(store: str) -> None:
    async with hosting(store) as host:
        for n in range(5):
            await host.post("/v1/runs", {"workflow": "expense", "run_id": f"r{n}"})
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await host.http.get("/v1/runs", params={"limit": "2", "cursor": cursor})).json()
            seen += [run["id"] for run in page["runs"]]
            cursor = page["cursor"]
        assert sorted(seen) == ["r0", "r1", "r2", "r3", "r4"]
        problem(await host.http.get("/v1/runs", params={"cursor": "nonsense"}), 400, "bad_request")


async def test_a_run_that_has_ended_is_not_cancelled(store: str) -> None:
    async with hosting(store) as host:
        await host.post("/v1/runs", {"workflow": "expense", "run_id": "r1"})
        await host.record("r1", RunCompleted(at=host.engine.clock.now_ms(), output=None))
        before = await host.everything()
        problem(await host.post("/v1/runs/r1/cancel", {}), 409, "run_closed")
        assert await host.everything() == before


async def test_an_operator_has_a_blocked_run_tried_again(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        root, alice = bearer("root", "operator"), bearer("alice", "run:cancel:*", "run:read:*")
        await host.post("/v1/runs", {"workflow": "expense", "run_id": "r1"}, **root)
        problem(await host.post("/v1/runs/r1/retry", {}, **root), 409, "not_blocked")
        now = host.engine.clock.now_ms()
        await host.record("r1", RunBlocked(now, Error("workflow_stuck", "it spins"), "f1"))
        problem(await host.post("/v1/runs/r1/retry", {}, **alice), 403, "forbidden")
        problem(await host.post("/v1/runs/r1/retry", {"force": True}, **root), 400, "bad_request")
        problem(await host.post("/v1/runs/r9/retry", {}, **root), 404, "run_not_found")
        retried = await host.post("/v1/runs/r1/retry", {}, **root)
        assert (retried.status_code, retried.json()["run"]["status"]) == (200, "running")
        loaded = await host.engine.runs.record("r1")
        assert (loaded.ready, RunFold.loads(loaded.state).stuck) == (True, [])
        entry = (await host.engine.runs.history("r1"))[-1]
        assert (entry["type"], entry["by"]) == ("run.retried", {"kind": "person", "id": "user:root"})


async def test_unknown_runs_and_addresses_are_not_found() -> None:
    async with hosting() as host:
        problem(await host.http.get("/v1/runs/r9"), 404, "run_not_found")
        problem(await host.http.get("/v1/runs/r9/history"), 404, "run_not_found")
        problem(await host.post("/v1/runs/r9/cancel", {}), 404, "run_not_found")
        problem(await host.http.get("/v1/nothing"), 404, "not_found")
        problem(await host.http.get("/v1/runs/"), 404, "not_found")
        problem(await host.http.get("/"), 404, "not_found")


async def test_other_methods_are_told_which_ones_there_are() -> None:
    async with hosting() as host:
        refused = await host.http.delete("/v1/runs")
        problem(refused, 405, "method_not_allowed")
        assert refused.headers["allow"] == "GET, HEAD, OPTIONS, POST"
        assert (await host.http.options("/v1/runs/r1/cancel")).headers["allow"] == "OPTIONS, POST"
        head = await host.http.head("/v1/runs")
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 0


async def test_health_is_for_everybody() -> None:
    async with hosting(config=KEYED) as host:
        reply = await host.http.get("/health")
        assert reply.status_code == 200
        assert reply.json()["status"] == "ok"
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-content-type-options"] == "nosniff"


async def test_who_may_start_need_not_be_able_to_read() -> None:
    async with hosting(config=KEYED) as host:
        body = {"workflow": "expense", "run_id": "r1", "input": 1}
        alice = bearer("alice", "run:start:expense")
        assert (await host.post("/v1/runs", body, **alice)).status_code == 201
        problem(await host.http.get("/v1/runs/r1", headers=alice), 403, "forbidden")
        problem(await host.post("/v1/runs", {"workflow": "travel"}, **alice), 403, "forbidden")
        problem(await host.post("/v1/runs/r1/cancel", {}, **alice), 403, "forbidden")
        reader = bearer("alice", "run:read:r1")
        assert (await host.http.get("/v1/runs/r1", headers=reader)).json()["run"]["id"] == "r1"
        problem(await host.http.get("/v1/runs/r1/history", headers=reader), 403, "forbidden")


async def test_listing_needs_the_grant_for_the_workflow() -> None:
    async with hosting(config=KEYED) as host:
        await host.engine.runs.start("expense", run_id="r1")
        await host.engine.runs.start("travel", run_id="r2")
        alice = bearer("alice", "workflow:list:expense")
        mine = await host.http.get("/v1/runs?workflow=expense", headers=alice)
        assert [run["id"] for run in mine.json()["runs"]] == ["r1"]
        problem(await host.http.get("/v1/runs?workflow=travel", headers=alice), 403, "forbidden")
        problem(await host.http.get("/v1/runs", headers=alice), 403, "forbidden")
        boss = bearer("boss", "operator")
        assert len((await host.http.get("/v1/runs", headers=boss)).json()["runs"]) == 2


async def test_a_run_is_terminated_by_whoever_may_cancel_it(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        row = await host.ask("r1")
        problem(await host.post("/v1/runs/r1/terminate", {}), 401, "unauthorized")
        problem(await host.post("/v1/runs/r1/terminate", {}, **bearer("eve", "run:read:r1")), 403, "forbidden")
        mine = bearer("alice", "run:cancel:r1")
        problem(await host.post("/v1/runs/r1/terminate", {"why": 1}, **mine), 400, "bad_request")
        ended = await host.post("/v1/runs/r1/terminate", {"reason": "stuck"}, **mine)
        assert ended.status_code == 200
        assert ended.json()["run"]["status"] == "cancelled"
        assert ended.json()["run"]["error"] == {"code": "terminated", "message": None}
        refused = problem(await host.post("/v1/runs/r1/terminate", {}, **mine), 409, "run_closed")
        assert refused["run"] == ended.json()["run"]
        asked = await host.engine.inputs.get("r1", "approve:0")
        assert (asked["status"], asked["revised"]) == ("withdrawn", row["revised"])
        [*_, last] = await host.engine.runs.history("r1")
        assert last["type"] == "run.terminated"
        assert (last["reason"], last["by"]) == ("stuck", {"kind": "person", "id": "user:alice"})


async def test_a_blocked_run_is_cancelled_and_terminated_over_http(store: str) -> None:
    async with hosting(store) as host:
        blocked = RunBlocked(host.engine.clock.now_ms(), Error("unknown_workflow", "secret words"))
        for run_id, verb, status in (("r1", "terminate", 200), ("r2", "cancel", 202)):
            await host.engine.runs.start("expense", run_id=run_id)
            await host.record(run_id, blocked)
            reply = await host.post(f"/v1/runs/{run_id}/{verb}", {})
            assert reply.status_code == status
            assert reply.json()["run"]["status"] == "cancelled"
            assert reply.json()["run"]["error"]["code"] == "terminated"


async def test_the_result_is_waited_for(store: str) -> None:
    async with hosting(store) as host:
        await host.engine.runs.start("expense", run_id="r1")
        early = await host.http.get("/v1/runs/r1/result")
        assert (early.status_code, early.json()["run"]["status"]) == (202, "running")
        waiting = asyncio.create_task(host.http.get("/v1/runs/r1/result?wait=15"))
        while not host.engine.hub.watched:
            await asyncio.sleep(0.001)
        await host.record("r1", RunCompleted(host.engine.clock.now_ms(), {"paid": True}))
        reply = await waiting
        assert (reply.status_code, reply.json()["output"]) == (200, {"paid": True})
        assert reply.json()["run"]["status"] == "completed"
        for wrong in ("-1", "31", "soon", "1e1", "1&wait=2"):
            problem(await host.http.get(f"/v1/runs/r1/result?wait={wrong}"), 400, "bad_request")
        problem(await host.http.get("/v1/runs/r9/result"), 404, "run_not_found")


async def test_who_may_not_see_an_output_gets_the_row_alone(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        for run_id in ("r1", "r2"):
            await host.engine.runs.start("expense", run_id=run_id)
        await host.record("r1", RunCompleted(host.engine.clock.now_ms(), "hidden"))
        await host.record("r2", RunCompleted(host.engine.clock.now_ms(), "shown", expose=True))
        reader, root = bearer("rita", "run:read:*"), bearer("root", "operator")
        mine = await host.http.get("/v1/runs/r1/result", headers=reader)
        assert (mine.status_code, list(mine.json())) == (200, ["run"])
        assert (await host.http.get("/v1/runs/r2/result", headers=reader)).json()["output"] == "shown"
        assert (await host.http.get("/v1/runs/r1/result", headers=root)).json()["output"] == "hidden"
        problem(await host.http.get("/v1/runs/r1/result", headers=bearer("eve")), 403, "forbidden")
        problem(await host.http.get("/v1/runs/r9/result", headers=bearer("eve")), 403, "forbidden")


async def test_a_failure_is_told_as_far_as_the_caller_may_know_it(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        frame = StackFrame("/app/secret.py", 3, "secret_function", "raise Secret")
        error = Error("value_error", "secret words", "app.Secret", frames=(frame,))
        for run_id in ("r1", "r2"):
            await host.engine.runs.start("expense", run_id=run_id)
        await host.record("r1", RunFailed(host.engine.clock.now_ms(), error))
        await host.engine.runs.act("terminate", "r2", DecidedBy("operator"))
        reader, root = bearer("rita", "run:read:*"), bearer("root", "operator")
        told = problem(await host.http.get("/v1/runs/r1/result", headers=reader), 409, "run_failed")
        assert told["error"] == {"code": "value_error", "message": None}
        assert told["run"]["status"] == "failed"
        assert "secret" not in str(told).lower()
        whole = problem(await host.http.get("/v1/runs/r1/result", headers=root), 409, "run_failed")
        assert whole["error"] == {"code": "value_error", "message": "secret words", "type": "app.Secret"}
        assert "secret_function" not in str(whole)
        ended = problem(await host.http.get("/v1/runs/r2/result", headers=reader), 409, "run_cancelled")
        assert ended["error"] == {"code": "terminated", "message": None}
        await settle(host.engine.store)
        for path in ("runs/r1", "workflows/expense"):
            stream = await host.http.get(f"/v1/stream/{path}?offset=-1", headers=root)
            assert (stream.status_code, "secret" in stream.text) == (200, False)


async def test_what_is_gone_with_its_store_was_not_deleted(own_redis: RedisServer) -> None:
    """A client that is told 404 forgets what it knows; whoever emptied the server may have a backup."""
    async with hosting(own_redis.url()) as host:
        await host.ask("r1")
        created = await host.http.put("/v1/stream/notes", headers={"content-type": "text/plain"}, content=b"a")
        assert created.status_code == 201
        problem(await host.http.get("/v1/runs/r2"), 404, "run_not_found")
        own_redis.command("FLUSHALL")
        for path in ("runs", "runs/r1", "runs/r1/history", "inputs", "stream/notes", "stream/runs/r1"):
            told = problem(await host.http.get(f"/v1/{path}"), 503, "store_unavailable")
            assert "cannot be used right now" in told["detail"], path
        assert (await host.http.head("/v1/stream/notes")).status_code == 503
        answer = {"action": "submit", "value": {}, "submission_id": "s1", "seen_offset": "-1"}
        problem(await host.post("/v1/runs/r1/inputs/approve:0/answer", answer), 503, "store_unavailable")
        problem(await host.post("/v1/runs", {"workflow": "expense", "run_id": "r1"}), 503, "store_unavailable")
