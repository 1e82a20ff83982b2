from __future__ import annotations

from signoff.timestamps import rfc3339
from signoff.workflow.run.entries import RunCompleted
from tests.protocol.material import complaints
from tests.server.hosting import KEYED, Host, bearer, hosting, problem

ROOT = bearer("root", "operator")


async def completed(host: Host, run_id: str) -> None:
    await host.post("/v1/runs", {"workflow": "expense", "run_id": run_id}, **ROOT)
    await host.record(run_id, RunCompleted(at=host.engine.clock.now_ms(), output=5, expose=True))


async def test_operators_delete_what_ended_before(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        for run_id in ("r1", "r2", "r3"):
            await completed(host, run_id)
        alice = bearer("alice", "run:cancel:*", "run:read:*")
        body = {"ended_before": rfc3339(host.engine.clock.now_ms() + 1_000)}
        problem(await host.post("/v1/prune", body, **alice), 403, "forbidden")
        would = await host.post("/v1/prune", {**body, "dry_run": True}, **ROOT)
        assert [run["id"] for run in would.json()["runs"]] == ["r1", "r2", "r3"]
        these = await host.post("/v1/prune", {**body, "runs": ["r2", "r9"]}, **ROOT)
        assert [run["id"] for run in these.json()["runs"]] == ["r2"]
        first = await host.post("/v1/prune", {**body, "limit": 1}, **ROOT)
        assert complaints("prune-reply.json", first.json()) == []
        assert [run["id"] for run in first.json()["runs"]] == ["r1"]
        assert "output" not in first.json()["runs"][0]
        rest = await host.post("/v1/prune", {**body, "cursor": first.json()["cursor"]}, **ROOT)
        assert ([run["id"] for run in rest.json()["runs"]], rest.json()["cursor"]) == (["r3"], None)
        assert (await host.http.get("/v1/runs", headers=ROOT)).json()["runs"] == []
        problem(await host.http.get("/v1/stream/runs/r1", headers=ROOT), 404, "stream_not_found")


async def test_what_is_to_be_deleted_must_be_said_exactly() -> None:
    async with hosting() as host:
        at = "2026-03-01T09:30:00Z"
        for wrong, pointer in (
            ({}, "/ended_before"),
            ({"ended_before": "yesterday"}, "/ended_before"),
            ({"ended_before": at, "status": ["running"]}, "/status/0"),
            ({"ended_before": at, "status": "failed"}, "/status"),
            ({"ended_before": at, "limit": 501}, "/limit"),
            ({"ended_before": at, "limit": True}, "/limit"),
            ({"ended_before": at, "dry_run": 1}, "/dry_run"),
            ({"ended_before": at, "runs": ["r1", "a/b"]}, "/runs/1"),
        ):
            refused = problem(await host.post("/v1/prune", wrong), 400, "bad_request")
            assert [error["pointer"] for error in refused["errors"]] == [pointer]


async def test_runs_are_listed_by_when_they_were_started(store: str) -> None:
    async with hosting(store) as host:
        await host.post("/v1/runs", {"workflow": "expense", "run_id": "r1"})
        [run] = (await host.http.get("/v1/runs")).json()["runs"]
        at = run["created_at"]
        later = rfc3339(host.engine.clock.now_ms() + 60_000)
        for query, found in (
            ({"created_before": later}, 1),
            ({"created_before": at}, 0),
            ({"created_after": at}, 0),
            ({"created_after": "2020-01-01T00:00:00Z", "created_before": later, "workflow": "expense"}, 1),
        ):
            assert len((await host.http.get("/v1/runs", params=query)).json()["runs"]) == found
        problem(await host.http.get("/v1/runs", params={"created_before": "1h"}), 400, "bad_request")
