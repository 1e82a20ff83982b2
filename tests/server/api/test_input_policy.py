"""Policies over HTTP: what verbs take and refuse, and that strangers learn nothing by them."""

from __future__ import annotations

from typing import Any

import pytest

from signoff.service.inputs import REQUEST_VERBS
from signoff.workflow.verb import OPERATOR
from tests.server.hosting import KEYED, Host, bearer, hosting, problem

ALICE = bearer("alice", groups=("finance",))
BORA = bearer("bora", groups=("finance",))
BOSS = bearer("boss", "operator")
BODIES: dict[str, dict[str, Any]] = {
    "claim": {"for": "5m"},
    "release": {},
    "delegate": {"to": "user:dan", "reason": "away"},
    "comment": {"text": "mine"},
    "revoke": {"reason": "a mistake"},
}
OF_OPERATORS: dict[str, dict[str, Any]] = {
    "withdraw": {"reason": "moot"},
    "reassign": {"to": ["user:dan"], "reason": "away"},
    "revise": {"title": "Really?", "reason": "a typo"},
}


def at(verb: str, key: str = "approve:0", run: str = "r1") -> str:
    return f"/v1/runs/{run}/inputs/{key}/{verb}"


async def answer(host: Host, row: dict[str, Any], headers: dict[str, str], **other: Any) -> Any:
    value = {"approved": True}
    body = {"submission_id": "s1", "action": "submit", "value": value, "seen_offset": row["revised"]} | other
    return await host.post(at("answer"), body, **headers)


@pytest.mark.parametrize("verb", [verb.name for verb in REQUEST_VERBS.values() if verb.grant != OPERATOR])
async def test_a_stranger_learns_nothing(store: str, verb: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask()
        before = await host.everything()
        stranger = bearer("mallory", groups=("audit",))
        replies = [
            await host.post(path, BODIES[verb], **stranger)
            for path in (at(verb), at(verb, "other:0"), at(verb, run="r2"))
        ]
        assert {reply.status_code for reply in replies} == {403}
        assert len({reply.content for reply in replies}) == 1
        assert await host.everything() == before


@pytest.mark.parametrize("verb", REQUEST_VERBS)
async def test_what_is_meant_for_a_request_of_a_deleted_run_is_not_done_to_the_one_that_stands_there(verb: str) -> None:
    async with hosting("memory:", KEYED) as host:
        row = await host.ask()
        before = await host.everything()
        body, late = (BODIES | OF_OPERATORS)[verb], {"asked_at": "2026-01-01T00:00:00.000Z"}
        refused = problem(await host.post(at(verb), body | late, **BOSS), 409, "stale")
        assert ("nothing was done" in refused["detail"], refused["row"]) == (True, row)
        problem(await host.post(at(verb), body | {"asked_at": "yesterday"}, **BOSS), 400, "bad_request")
        stranger = await host.post(at(verb), body | late, **bearer("mallory"))
        assert (stranger.status_code, "row" in stranger.json()) == (403, False)
        assert await host.everything() == before
        done = await host.post(at(verb), body | {"asked_at": row["asked_at"]}, **BOSS)
        assert done.json().get("code") != "stale"


async def test_a_vote_is_told_as_one(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask(policy={"quorum": {"need": 2, "veto": []}})
        first = await answer(host, row, ALICE)
        assert (first.status_code, first.json()["outcome"]) == (200, "voted")
        again = await answer(host, row, ALICE)
        assert (again.headers["idempotency-replayed"], again.json()) == ("true", first.json())
        problem(await answer(host, row, ALICE, value={"approved": False}), 409, "submission_reused")
        last = await answer(host, row, BORA, submission_id="s2")
        assert (last.json()["outcome"], last.json()["row"]["status"]) == ("accepted", "answered")
        stream = (await host.http.get("/v1/stream/runs/r1", params={"offset": "-1"}, headers=BOSS)).json()
        voted = [(one["type"], one["headers"].get("txid")) for one in stream if one["type"] == "vote"]
        assert voted == [("vote", "s1"), ("vote", "s2")]


async def test_a_claim_is_taken_and_given_up(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask()
        claimed = (await host.post(at("claim"), {"for": 90}, **ALICE)).json()["input"]
        assert claimed["claim"]["by"]["id"] == "user:alice"
        refused = problem(await answer(host, row, BORA), 409, "claimed")
        assert refused["row"] == claimed
        problem(await host.post(at("release"), {}, **BORA), 409, "claimed")
        for wrong in ({"for": "soon"}, {"for": 0.5}, {"for": "2d"}, {"until": 1}):
            problem(await host.post(at("claim"), wrong, **ALICE), 400, "bad_request")
        assert (await host.post(at("release"), {}, **ALICE)).json()["input"]["claim"] is None
        assert (await host.post(at("release"), {}, **ALICE)).status_code == 200
        assert (await answer(host, row, BORA)).status_code == 200
        problem(await host.post(at("claim"), {}, **ALICE), 409, "already_decided")


async def test_what_comes_after_the_deadline_ends_the_request_first(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(deadline=host.engine.clock.now_ms() - 1)
        problem(await host.post(at("claim"), {}, **ALICE), 409, "expired")
        types = [entry["type"] for entry in await host.engine.runs.history("r1")]
        assert types == ["run.started", "input.requested", "input.expired"]


# -- my runs -----------------------------------------------------------------------------------------------------------

MINE = ("run:start:expense", "run:read:mine")
ADA, BEN = bearer("ada", *MINE), bearer("ben", *MINE)


async def start(host: Host, run: str, headers: dict[str, str]) -> None:
    reply = await host.post("/v1/runs", {"workflow": "expense", "input": 1, "run_id": run}, **headers)
    assert reply.status_code == 201


async def test_a_person_sees_the_runs_they_started(store: str) -> None:
    async with hosting(store, KEYED) as host:
        for run, who in (("a1", ADA), ("b1", BEN), ("a2", ADA), ("mine", BEN)):
            await start(host, run, who)

        async def get(path: str, who: dict[str, str], **query: str) -> Any:
            return await host.http.get(path, params=query, headers=who)

        async def listed(who: dict[str, str], **query: str) -> list[str]:
            return [run["id"] for run in (await get("/v1/runs", who, **query)).json()["runs"]]

        assert (await get("/v1/runs/a1", ADA)).json()["run"]["started_by"] == "user:ada"
        assert (await get("/v1/runs/a1/result", ADA)).status_code == 202
        assert (await get("/v1/stream/runs/a1", ADA, offset="-1")).status_code == 200
        for path in ("/v1/runs/b1", "/v1/runs/none", "/v1/runs/mine", "/v1/runs/b1/result"):
            problem(await get(path, ADA), 403, "forbidden")
        for path in ("runs/b1", "runs/none", "runs/mine", "runs/a1/journal"):
            assert (await get(f"/v1/stream/{path}", ADA, offset="-1")).status_code == 403
        assert await listed(ADA) == ["a2", "a1"]
        assert await listed(ADA, started_by="me", workflow="expense", status="running") == ["a2", "a1"]
        assert await listed(ADA, status="completed") == []
        problem(await get("/v1/runs", ADA, started_by="user:ben"), 403, "forbidden")
        problem(await get("/v1/runs", bearer("eve"), started_by="me"), 403, "forbidden")
        assert await listed(BOSS, started_by="user:ben") == ["mine", "b1"]
        assert await listed(BOSS, started_by="user:ben", workflow="other") == []
        assert len(await listed(BOSS)) == 4
        problem(await get("/v1/runs", BOSS, started_by="ben"), 400, "bad_request")


async def test_the_operator_of_this_machine_is_no_person(store: str) -> None:
    async with hosting(store) as host:
        await start(host, "a1", {})
        assert (await host.http.get("/v1/runs/a1")).json()["run"]["started_by"] is None
        problem(await host.http.get("/v1/runs", params={"started_by": "me"}), 400, "bad_request")
