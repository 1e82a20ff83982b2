"""What is filled in and not sent is kept for its author, and for nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from signoff.clock import ManualClock
from signoff.service.drafts import FIRST_LOOK_MS, MOST_BYTES, Drafts, Over
from signoff.timestamps import rfc3339
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who
from signoff.workflow.input.entries import InputExpired
from tests.server.hosting import KEYED, Host, bearer, hosting, problem

DRAFT = "/v1/runs/r1/inputs/approve:0/draft"
ALICE = bearer("alice", groups=("finance",))
BOB = bearer("bob", groups=("finance",))
BOSS = bearer("boss", "operator")
BY_BOB = DecidedBy("person", "user:bob")


async def drafts(host: Host, who: dict[str, str], of: str = "user:alice") -> list[tuple[str, Any]]:
    await host.engine.store.place()
    found = await host.http.get(f"/v1/stream/drafts/{of}", params={"offset": "-1"}, headers=who)
    if found.status_code == 404:
        return []
    assert found.status_code == 200, found.text
    return [(one["headers"]["operation"], one.get("value", {}).get("value")) for one in found.json()]


async def test_a_draft_is_replaced_and_taken_away(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask()
        history = await host.engine.runs.history("r1")
        first = await host.post(DRAFT, {"value": {"approved": "perhaps"}}, **ALICE)
        assert first.status_code == 200, first.text
        kept = first.json()["draft"]
        assert (kept["id"], kept["revised"]) == ("r1/approve:0", row["revised"])
        await host.post(DRAFT, {"value": "more"}, **ALICE)
        await host.post(DRAFT, {"value": "bob's"}, **BOB)
        assert (await host.post(DRAFT, {"value": None}, **ALICE)).json() == {"draft": None}
        assert (await host.post(DRAFT, {"value": None}, **ALICE)).json() == {"draft": None}
        assert await drafts(host, ALICE) == [("insert", {"approved": "perhaps"}), ("update", "more"), ("delete", None)]
        assert await drafts(host, BOB, "user:bob") == [("insert", "bob's")]
        assert await host.engine.runs.history("r1") == history


async def test_nobody_else_reads_it(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask()
        await host.post(DRAFT, {"value": "mine"}, **ALICE)
        await host.engine.store.place()
        for who in (BOB, BOSS, bearer("x", "stream:read:*", "run:read:*")):
            for send in (host.http.get, host.http.head):
                refused: httpx.Response = await send("/v1/stream/drafts/user:alice", headers=who)
                assert refused.status_code == 403
        for method in ("PUT", "POST", "DELETE"):
            sent = await host.http.request(method, "/v1/stream/drafts/user:alice", json={}, headers=ALICE)
            assert sent.status_code == 403
        assert await drafts(host, ALICE) == [("insert", "mine")]


async def test_it_goes_from_the_stream_of_its_author_whatever_their_name(store: str) -> None:
    named = bearer("alice smith", groups=("finance",))
    async with hosting(store, KEYED) as host:
        await host.ask()
        await host.post(DRAFT, {"value": "private"}, **named)
        assert (await host.post(DRAFT, {"value": None}, **named)).json() == {"draft": None}
        assert await drafts(host, named, "user:alice smith") == [("insert", "private"), ("delete", None)]
        assert await drafts(host, ALICE) == []


async def test_it_goes_with_the_answer(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask()
        await host.post(DRAFT, {"value": "mine"}, **ALICE)
        await host.post(DRAFT, {"value": "bob's"}, **BOB)
        body = {"submission_id": "s1", "action": "submit", "value": {"approved": True}, "seen_offset": row["revised"]}
        assert (await host.post(DRAFT.replace("draft", "answer"), body, **BOB)).status_code == 200
        assert await drafts(host, ALICE) == [("insert", "mine"), ("delete", None)]
        assert await drafts(host, BOB, "user:bob") == [("insert", "bob's"), ("delete", None)]
        late = problem(await host.post(DRAFT, {"value": "late"}, **ALICE), 409, "already_decided")
        assert late["row"]["status"] == "answered"


async def test_it_goes_in_the_end_whatever_decides_the_request(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask()
        await host.post(DRAFT, {"value": "mine"}, **ALICE)
        clock = ManualClock(host.engine.clock.now_ms())
        other = Drafts(host.engine.store, host.engine.committer, clock)
        clock.advance(FIRST_LOOK_MS + 1)
        assert await other.sweep() == 0
        await host.record("r1", InputExpired(at=host.engine.clock.now_ms(), id="approve:0"))
        assert await other.sweep() == 0
        clock.advance(2 * FIRST_LOOK_MS + 1)
        assert await other.sweep() == 1
        assert await drafts(host, ALICE) == [("insert", "mine"), ("delete", None)]


async def again(host: Host) -> None:
    """Have another run of the same id ask the same, later than the first."""
    before = await host.engine.runs.get("r1")
    async with asyncio.timeout(10):
        while rfc3339(host.engine.clock.now_ms()) <= before["created_at"]:
            await asyncio.sleep(0.001)
    for verb in ("terminate", "delete"):
        done = await host.post(f"/v1/runs/r1/{verb}", {}, **BOSS)
        assert done.status_code == 200, done.text
    await host.ask()


async def test_it_goes_with_its_run_and_is_none_of_the_next(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask()
        await host.post(DRAFT, {"value": "mine"}, **ALICE)
        other = Drafts(host.engine.store, host.engine.committer, ManualClock(host.engine.clock.now_ms()))
        await other.save("r1", "approve:0", "bob's", Who(frozenset({"user:bob", "group:finance"}), BY_BOB, False))
        await again(host)
        assert await drafts(host, ALICE) == [("insert", "mine"), ("delete", None)]
        assert await drafts(host, BOB, "user:bob") == [("insert", "bob's"), ("delete", None)]
        await host.post(DRAFT, {"value": "anew"}, **ALICE)
        assert (await drafts(host, ALICE))[2:] == [("insert", "anew")]


async def test_what_was_typed_for_another_request_is_stale(store: str) -> None:
    async with hosting(store, KEYED) as host:
        first = await host.ask()
        kept = (await host.post(DRAFT, {"value": "mine", "asked_at": first["asked_at"]}, **ALICE)).json()["draft"]
        assert kept["asked_at"] == first["asked_at"]
        await again(host)
        late = await host.post(DRAFT, {"value": "late", "over": None, "asked_at": first["asked_at"]}, **ALICE)
        row = problem(late, 409, "stale")["row"]
        assert row["asked_at"] > first["asked_at"]
        assert [one for one in await drafts(host, ALICE) if one[1] == "late"] == []
        anew = await host.post(DRAFT, {"value": "anew", "over": None, "asked_at": row["asked_at"]}, **ALICE)
        assert anew.json()["saved"], "what was kept for another is in nobody's way"
        problem(await host.post(DRAFT, {"value": 1, "asked_at": "yesterday"}, **ALICE), 400, "bad_request")


async def test_it_ends_with_its_request_when_a_run_is_rewound(store: str) -> None:
    async with hosting(store, KEYED) as host:
        first = await host.ask()
        await host.post(DRAFT, {"value": "mine"}, **ALICE)
        while rfc3339(host.engine.clock.now_ms()) <= first["asked_at"]:
            await asyncio.sleep(0.001)
        rewound = await host.post("/v1/runs/r1/rewind", {"to": "approve:0"}, **BOSS)
        assert rewound.status_code == 200, rewound.text
        await host.ask()
        late = await host.post(DRAFT, {"value": "late", "asked_at": first["asked_at"]}, **ALICE)
        problem(late, 409, "stale")
        clock = ManualClock(host.engine.clock.now_ms() + FIRST_LOOK_MS + 1)
        assert await Drafts(host.engine.store, host.engine.committer, clock).sweep() == 1
        assert await drafts(host, ALICE) == [("insert", "mine"), ("delete", None)]


async def test_what_is_left_of_a_deleted_run_goes_in_the_end(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask()
        await host.post(DRAFT, {"value": "mine"}, **ALICE)
        with monkeypatch.context() as patched:  # the process dies right after the deletion
            patched.setattr(Drafts, "deleted", lambda _self, _run: asyncio.sleep(0))
            await again(host)
        assert await drafts(host, ALICE) == [("insert", "mine")]
        clock = ManualClock(host.engine.clock.now_ms() + FIRST_LOOK_MS + 1)
        assert await Drafts(host.engine.store, host.engine.committer, clock).sweep() == 1
        assert await drafts(host, ALICE) == [("insert", "mine"), ("delete", None)]


async def test_only_those_who_may_answer_have_drafts_of_a_bounded_size(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(forbid=("user:carol",))
        problem(await host.post(DRAFT, {"value": 1}, **bearer("mallory")), 403, "not_in_audience")
        problem(await host.post(DRAFT, {"value": 1}, **bearer("carol", groups=("finance",))), 403, "not_in_audience")
        problem(await host.post(DRAFT, {"value": "x" * MOST_BYTES}, **ALICE), 413, "payload_too_large")
        problem(await host.post(DRAFT, {}, **ALICE), 400, "bad_request")
        problem(await host.post(DRAFT.replace("approve", "other"), {"value": 1}, **BOSS), 404, "input_not_found")
        assert await drafts(host, ALICE) == []


async def test_it_takes_the_place_of_the_one_it_names_and_of_no_other(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask()
        desk = (await host.post(DRAFT, {"value": "desk", "over": None}, **ALICE)).json()
        assert (desk["saved"], desk["draft"]["value"]) == (True, "desk")
        phone = (await host.post(DRAFT, {"value": "phone", "over": desk["draft"]["saved_at"]}, **ALICE)).json()
        assert phone["saved"]
        assert phone["draft"]["saved_at"] > desk["draft"]["saved_at"]
        for late in ("typed on a train", None):
            refused = (await host.post(DRAFT, {"value": late, "over": desk["draft"]["saved_at"]}, **ALICE)).json()
            assert refused == {"draft": phone["draft"], "saved": False}
        again = (await host.post(DRAFT, {"value": "phone", "over": None}, **ALICE)).json()
        assert again == {"draft": phone["draft"], "saved": True}
        assert await drafts(host, ALICE) == [("insert", "desk"), ("update", "phone")]
        gone = (await host.post(DRAFT, {"value": None, "over": phone["draft"]["saved_at"]}, **ALICE)).json()
        assert gone == {"draft": None, "saved": True}
        after = (await host.post(DRAFT, {"value": "after", "over": phone["draft"]["saved_at"]}, **ALICE)).json()
        assert after["saved"], "what was thrown away is in nobody's way"
        problem(await host.post(DRAFT, {"value": 1, "over": 5}, **ALICE), 400, "bad_request")


async def test_drafts_of_one_moment_are_told_apart(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask()
        still = Drafts(host.engine.store, host.engine.committer, ManualClock(host.engine.clock.now_ms()))
        alice = Who(frozenset({"user:alice", "group:finance"}), DecidedBy("person", "user:alice"), False)
        times = [(await still.save("r1", "approve:0", text, alice)).row for text in ("one", "other")]
        assert times[0] is not None
        assert times[1] is not None
        assert times[0]["saved_at"] < times[1]["saved_at"]
        kept = await still.save("r1", "approve:0", "late", alice, Over(times[0]["saved_at"]))
        assert (kept.row, kept.saved) == (times[1], False)
