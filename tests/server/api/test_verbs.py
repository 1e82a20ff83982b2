"""Verbs on runs over HTTP: retry, rewind, fork, pause, resume, delete; of two at once each has one defined outcome."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from signoff.service import act
from signoff.streams import state
from signoff.workflow.entry import Error
from signoff.workflow.run.entries import RunCompleted, RunFailed, RunRetried
from signoff.workflow.step.entries import StepCompleted, StepFailed, StepScheduled
from tests.protocol.material import complaints
from tests.server.hosting import KEYED, bearer, hosting, problem

ROOT = bearer("root", "operator")
ALICE = bearer("alice", "run:cancel:*", "run:read:*", groups=("finance",))
BROKEN = Error("os_error", "the bank is down")


async def test_a_run_is_rewound_by_operators_alone(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        row = await host.ask("r1")
        problem(await host.post("/v1/runs/r1/rewind", {"to": "approve:0"}, **ALICE), 403, "forbidden")
        for body in ({}, {"to": None}, {"to": ""}, {"to": "approve:0", "after": "yes"}, {"to": "approve:0", "x": 1}):
            problem(await host.post("/v1/runs/r1/rewind", body, **ROOT), 400, "bad_request")
        unknown = problem(await host.post("/v1/runs/r1/rewind", {"to": "pay:7"}, **ROOT), 404, "unknown_command")
        assert unknown["known"] == ["approve:0"]
        done = await host.post("/v1/runs/r1/rewind", {"to": "approve:0", "reason": "wrong"}, **ROOT)
        assert (done.status_code, done.json()["run"]["status"]) == (200, "running")
        entry = (await host.engine.runs.history("r1"))[-1]
        assert (entry["type"], entry["to"], entry["reason"]) == ("run.rewound", "approve:0", "wrong")
        answer = {"submission_id": "s1", "action": "submit", "value": {"approved": True}, "seen_offset": row["revised"]}
        late = problem(await host.post("/v1/runs/r1/inputs/approve:0/answer", answer, **ALICE), 409, "withdrawn")
        assert late["row"]["reason"] == "rewound"
        problem(await host.post("/v1/runs/r1/rewind", {"to": "approve:0"}, **ROOT), 404, "unknown_command")


async def test_an_answer_and_a_rewind_at_once_have_one_outcome(store: str) -> None:
    async with hosting(store) as host:
        for n in range(8):
            row = await host.ask(f"r{n}")
            answer = {
                "submission_id": "s",
                "action": "submit",
                "value": {"approved": True},
                "seen_offset": row["revised"],
            }
            posts = [
                host.post(f"/v1/runs/r{n}/inputs/approve:0/answer", answer),
                host.post(f"/v1/runs/r{n}/rewind", {"to": "approve:0"}),
            ]
            answered, rewound = await asyncio.gather(*posts) if n % 2 else reversed(await asyncio.gather(*posts[::-1]))
            assert rewound.status_code == 200
            taken = [entry["type"] for entry in await host.engine.runs.history(f"r{n}")][-2:]
            if answered.status_code == 200:
                assert taken == ["input.answered", "run.rewound"]
            else:
                problem(answered, 409, "withdrawn")
                assert taken == ["input.requested", "run.rewound"]
            left = (await host.http.get(f"/v1/runs/r{n}/inputs/approve:0")).json()["input"]
            assert (left["status"], left["reason"]) == ("withdrawn", "rewound")


async def test_a_retry_and_a_cancel_at_once_have_one_outcome(store: str) -> None:
    async with hosting(store) as host:
        for n in range(6):
            await host.post("/v1/runs", {"workflow": "expense", "run_id": f"r{n}"})
            now = host.engine.clock.now_ms()
            await host.record(f"r{n}", StepScheduled(now, "pay:0"), StepFailed(now, "pay:0", 1, BROKEN))
            await host.record(f"r{n}", RunFailed(now, Error("step_failed", "no")))
            posts = [host.post(f"/v1/runs/r{n}/retry", {}), host.post(f"/v1/runs/r{n}/cancel", {})]
            retried, cancelled = await asyncio.gather(*posts) if n % 2 else reversed(await asyncio.gather(*posts[::-1]))
            assert retried.status_code == 200
            types = [entry["type"] for entry in await host.engine.runs.history(f"r{n}")]
            if cancelled.status_code == 202:
                assert types[-2:] == ["run.retried", "run.cancel_requested"]
            else:
                problem(cancelled, 409, "run_closed")
                assert types[-2:] == ["run.failed", "run.retried"]


async def test_a_run_that_is_over_is_forked(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        await host.ask("r1")
        await host.record("r1", RunCompleted(host.engine.clock.now_ms(), 1))
        assert (
            "Fork it"
            in problem(await host.post("/v1/runs/r1/rewind", {"to": "x:0"}, **ROOT), 409, "run_closed")["detail"]
        )
        problem(await host.post("/v1/runs/r1/retry", {}, **ROOT), 409, "not_blocked")
        problem(await host.post("/v1/runs/r1/fork", {"run_id": "a b"}, **ROOT), 400, "bad_request")
        problem(await host.post("/v1/runs/r1/fork", {"run_id": "r1"}, **ROOT), 409, "run_conflict")
        body = {"run_id": "r2", "at": "approve:0", "after": True}
        for _ in range(2):
            forked = await host.post("/v1/runs/r1/fork", body, **ROOT)
            assert forked.status_code == 201
            assert forked.json()["run"]["forked_from"] == {"run_id": "r1", "keep": 2}
        made_up = (await host.post("/v1/runs/r1/fork", {}, **ROOT)).json()["run"]["id"]
        listed = (await host.http.get("/v1/runs", headers=ROOT)).json()["runs"]
        assert {run["id"] for run in listed} == {"r1", "r2", made_up}


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


@pytest.mark.parametrize("live", [{}, {"live": "long-poll"}, {"live": "sse"}], ids=["catch-up", "long-poll", "sse"])
async def test_who_has_read_a_deleted_run_does_not_go_on_in_another_of_its_id(store: str, live: dict[str, str]) -> None:
    stream = "/v1/stream/runs/r1"
    async with hosting(store) as host:
        await host.post("/v1/runs", {"workflow": "expense", "run_id": "r1"})
        await host.record("r1", RunFailed(host.engine.clock.now_ms(), Error("e", "no")))
        read = await host.http.get(stream, params={"offset": "-1"})
        offset = read.headers["stream-next-offset"]
        assert (await host.http.get(stream, params={"offset": offset})).status_code == 200
        assert (await host.http.head(stream)).headers["stream-next-offset"] == offset
        await host.post("/v1/runs/r1/delete", {})
        problem(await host.http.get(stream, params={"offset": offset, **live}), 404, "stream_not_found")
        await host.post("/v1/runs", {"workflow": "expense", "run_id": "r1", "input": "another"})
        await host.record("r1", RunFailed(host.engine.clock.now_ms(), Error("e", "no")))
        await host.record("r1", RunRetried(host.engine.clock.now_ms()))
        problem(await host.http.get(stream, params={"offset": offset, **live}), 410, "gone")
        bare = await host.http.get(stream, params={"offset": offset.partition("-")[0]})
        assert bare.status_code == 200, "what names no stream is a position in whatever is there"


async def test_a_reader_who_follows_a_run_is_told_where_to_read_on_by_a_name_of_the_stream(store: str) -> None:
    async with hosting(store) as host:
        await host.post("/v1/runs", {"workflow": "expense", "run_id": "r1"})
        at = (await host.http.head("/v1/stream/runs/r1")).headers["stream-next-offset"]
        told = []
        async with host.http.stream("GET", "/v1/stream/runs/r1", params={"offset": "-1", "live": "sse"}) as response:
            async for line in response.aiter_lines():
                if line.startswith('data:{"streamNextOffset'):
                    told.append(orjson.loads(line.removeprefix("data:"))["streamNextOffset"])
                    if len(told) == 2:
                        break
                    await host.record("r1", RunCompleted(host.engine.clock.now_ms(), None))
        assert told[0] == at
        assert told[1] > told[0]
        assert told[1].partition("-")[2] == at.partition("-")[2] != ""


async def test_a_history_that_is_too_long_is_refused_and_the_run_can_still_be_ended(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosting(store) as host:
        for run in ("long", "large", "fits"):
            await host.post("/v1/runs", {"workflow": "expense", "run_id": run})
        now = host.engine.clock.now_ms()
        steps = [StepScheduled(now, f"pay:{n}") for n in range(5)]
        await host.record("fits", *steps)
        await host.record("long", *steps, StepScheduled(now, "note:0"))
        await host.record("large", StepScheduled(now, "pay:0"), StepCompleted(now, "pay:0", 1, "x" * 2_000))
        monkeypatch.setattr(act, "MOST_ENTRIES", 6)
        monkeypatch.setattr(act, "MOST_BYTES", 1_900)
        for run in ("long", "large"):
            before = await host.engine.runs.history(run)
            for verb, body in (("rewind", {"to": "pay:0"}), ("fork", {"run_id": "other"})):
                said = problem(await host.post(f"/v1/runs/{run}/{verb}", body), 409, "journal_too_long")["detail"]
                assert "nothing was changed" in said
                assert f"signoff terminate {run}" in said
            assert await host.engine.runs.history(run) == before
            problem(await host.http.get("/v1/runs/other"), 404, "run_not_found")
            assert (await host.post(f"/v1/runs/{run}/terminate", {})).status_code == 200
        assert (await host.post("/v1/runs/fits/fork", {"run_id": "other"})).status_code == 201
        assert (await host.post("/v1/runs/fits/rewind", {"to": "pay:0"})).status_code == 200


async def test_a_long_history_is_folded_beside_the_event_loop(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes of it is the same."""
    rows = []
    for long in (2_000, 1):
        monkeypatch.setattr(act, "_LONG", long)
        async with hosting(store if long == 1 else "memory:") as host:
            await host.ask("r1")
            assert (await host.post("/v1/runs/r1/fork", {"run_id": "r2"})).status_code == 201
            assert (await host.post("/v1/runs/r1/rewind", {"to": "approve:0"})).status_code == 200
            for run in ("r1", "r2"):
                found = state.fold((await host.http.get(f"/v1/stream/runs/{run}")).json())
                rows.append({name: (row["id"], row["status"]) for name, row in found.items()})
    assert rows[:2] == rows[2:]
