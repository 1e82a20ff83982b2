"""Runs are paused, resumed and deleted over HTTP; of two who act at once each has one defined outcome."""

from __future__ import annotations

import asyncio

from signoff.workflow.run.entries import RunCompleted
from tests.protocol.material import complaints
from tests.server.hosting import KEYED, bearer, hosting, problem

ROOT = bearer("root", "operator")
ALICE = bearer("alice", "run:cancel:*", "run:read:*", groups=("finance",))


async def test_a_run_is_paused_and_resumed_by_operators(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        await host.post("/v1/runs", {"workflow": "expense", "run_id": "r1"}, **ROOT)
        problem(await host.post("/v1/runs/r1/pause", {}, **ALICE), 403, "forbidden")
        problem(await host.post("/v1/runs/r1/resume", {}, **ROOT), 409, "not_paused")
        for reason in ("the bank is down", "again"):
            paused = await host.post("/v1/runs/r1/pause", {"reason": reason}, **ROOT)
            assert (paused.status_code, paused.json()["run"]["status"]) == (200, "paused")
            assert complaints("verb-reply.json", paused.json()) == []
        resumed = await host.post("/v1/runs/r1/resume", {}, **ROOT)
        assert (resumed.status_code, resumed.json()["run"]["status"]) == (200, "running")
        entries = await host.engine.runs.history("r1")
        assert [entry["type"] for entry in entries[1:]] == ["run.paused", "run.resumed"]
        assert (entries[1]["reason"], entries[1]["by"]["id"]) == ("the bank is down", "user:root")


async def test_an_answer_and_a_pause_at_once_are_both_kept(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        row = await host.ask()
        body = {"submission_id": "s1", "action": "submit", "value": {"approved": True}, "seen_offset": row["revised"]}
        answered, paused = await asyncio.gather(
            host.post("/v1/runs/r1/inputs/approve:0/answer", body, **ALICE), host.post("/v1/runs/r1/pause", {}, **ROOT)
        )
        assert (answered.status_code, paused.status_code) == (200, 200)
        run = (await host.http.get("/v1/runs/r1", headers=ROOT)).json()["run"]
        assert run["status"] == "paused"
        entries = await host.engine.runs.history("r1")
        assert {entry["type"] for entry in entries[2:]} == {"input.answered", "run.paused"}


async def test_of_two_who_resume_one_is_told_that_it_goes_on(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        await host.post("/v1/runs", {"workflow": "expense", "run_id": "r1"}, **ROOT)
        await host.post("/v1/runs/r1/pause", {}, **ROOT)
        both = await asyncio.gather(*(host.post("/v1/runs/r1/resume", {}, **ROOT) for _ in range(2)))
        assert sorted(reply.status_code for reply in both) == [200, 409]


async def test_resuming_never_outlives_an_end(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        await host.post("/v1/runs", {"workflow": "expense", "run_id": "r1"}, **ROOT)
        await host.post("/v1/runs/r1/pause", {}, **ROOT)
        resumed, ended = await asyncio.gather(
            host.post("/v1/runs/r1/resume", {}, **ROOT), host.post("/v1/runs/r1/terminate", {}, **ROOT)
        )
        assert ended.status_code == 200
        assert resumed.status_code == 200 or resumed.json()["code"] == "run_closed"
        assert (await host.http.get("/v1/runs/r1", headers=ROOT)).json()["run"]["status"] == "cancelled"


async def test_a_run_that_has_ended_is_deleted_once(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        await host.post("/v1/runs", {"workflow": "expense", "run_id": "r1"}, **ROOT)
        refused = problem(await host.post("/v1/runs/r1/delete", {}, **ROOT), 409, "not_ended")
        assert refused["run"]["id"] == "r1"
        await host.record("r1", RunCompleted(at=host.engine.clock.now_ms(), output=None))
        problem(await host.post("/v1/runs/r1/delete", {}, **ALICE), 403, "forbidden")
        both = await asyncio.gather(*(host.post("/v1/runs/r1/delete", {}, **ROOT) for _ in range(2)))
        assert sorted(reply.status_code for reply in both) == [200, 404]
        problem(await host.http.get("/v1/runs/r1", headers=ROOT), 404, "run_not_found")
        problem(await host.http.get("/v1/stream/runs/r1", headers=ROOT), 404, "stream_not_found")
