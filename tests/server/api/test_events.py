from __future__ import annotations

from signoff.workflow.event.entries import EventAwaited
from signoff.workflow.run.entries import RunCompleted
from tests.server.hosting import KEYED, bearer, hosting, problem


async def test_an_event_is_sent_once_per_id(store: str) -> None:
    async with hosting(store) as host:
        await host.engine.runs.start("expense", run_id="r1")
        event = {"id": "e1", "payload": {"paid": True}}
        first = await host.post("/v1/runs/r1/events/paid", event)
        assert (first.status_code, first.json()) == (202, {"accepted": True, "duplicate": False})
        again = await host.post("/v1/runs/r1/events/paid", event)
        assert (again.status_code, again.json()) == (202, {"accepted": True, "duplicate": True})
        other = await host.post("/v1/runs/r1/events/paid", {**event, "payload": None})
        problem(other, 409, "submission_reused")
        entries = await host.engine.runs.history("r1")
        assert [entry["type"] for entry in entries] == ["run.started", "event.received"]


async def test_an_event_for_all_reaches_those_that_wait(store: str) -> None:
    async with hosting(store) as host:
        for run_id, key in (("r1", None), ("r2", "eu"), ("r3", "us")):
            await host.engine.runs.start("expense", run_id=run_id)
            at = host.engine.clock.now_ms()
            await host.record(run_id, EventAwaited(at=at, id="rate:0", topic="rate", key=key))
        await host.engine.runs.start("expense", run_id="r4")
        event = {"id": "e1", "payload": 7, "key": "eu"}
        assert (await host.post("/v1/events/rate", event)).json() == {"delivered": 2}
        assert (await host.post("/v1/events/rate", event)).json()["delivered"] == 0
        assert (await host.post("/v1/events/nobody", event)).json() == {"delivered": 0}


async def test_a_run_that_is_over_takes_no_events(store: str) -> None:
    async with hosting(store) as host:
        await host.engine.runs.start("expense", run_id="r1")
        await host.record("r1", RunCompleted(at=host.engine.clock.now_ms(), output=None))
        problem(await host.post("/v1/runs/r1/events/paid", {"id": "e1"}), 409, "run_closed")
        problem(await host.post("/v1/runs/r9/events/paid", {"id": "e1"}), 404, "run_not_found")


async def test_events_are_sent_by_operators_and_holders_of_the_grant() -> None:
    async with hosting(config=KEYED) as host:
        await host.engine.runs.start("expense", run_id="r1")
        event = {"id": "e1"}
        bank = bearer("bank", "event:send:paid")
        assert (await host.post("/v1/runs/r1/events/paid", event, **bank)).status_code == 202
        problem(await host.post("/v1/runs/r1/events/other", event, **bank), 403, "forbidden")
        problem(await host.post("/v1/events/other", event, **bank), 403, "forbidden")
        problem(await host.post("/v1/events/paid", event), 401, "unauthorized")
