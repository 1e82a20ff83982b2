"""What an identity may read and do, and that what it may not looks as if it were not there."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from signoff.errors import Forbidden, Unauthorized
from signoff.server.access.identity import ANONYMOUS, LOCAL_OPERATOR, Identity, check_stream
from tests.server.hosting import KEYED, bearer, hosting, problem

# -- streams -----------------------------------------------------------------------------------------------------------

ALICE = Identity(
    "alice", frozenset({"finance"}), frozenset({"run:read:r1", "workflow:list:expense", "stream:read:chat"})
)
READS = [
    ("runs/r1", True),
    ("runs/r2", False),
    ("runs/r1/journal", False),
    ("runs/r1/out/log", True),
    ("runs/r1/other", False),
    ("runs", False),
    ("inbox/user:alice", True),
    ("inbox/group:finance", True),
    ("inbox/user:bob", False),
    ("inbox/group:sales", False),
    ("inbox/group:finance/x", False),
    ("inbox", False),
    ("workflows/expense", True),
    ("workflows/travel", False),
    ("chat", True),
    ("chat/2", False),
]


@pytest.mark.parametrize(("path", "allowed"), READS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_reads_which_stream(method: str, path: str, allowed: bool) -> None:
    check_stream(LOCAL_OPERATOR, method, path)
    with pytest.raises(Unauthorized):
        check_stream(ANONYMOUS, method, path)
    if allowed:
        check_stream(ALICE, method, path)
    else:
        with pytest.raises(Forbidden):
            check_stream(ALICE, method, path)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_streams_of_applications_are_written_with_a_grant(method: str) -> None:
    with pytest.raises(Forbidden):
        check_stream(ALICE, method, "chat")
    check_stream(Identity("bot", grants=frozenset({"stream:write:chat"})), method, "chat")


async def test_streams_are_guarded_over_http(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask("r1")
        alice = bearer("alice", "run:read:r1", groups=("finance",))
        root = "/v1/stream/"
        for path in ("runs/r1", "inbox/group:finance"):
            assert (await host.http.get(root + path, headers=alice)).status_code == 200
            problem(await host.http.get(root + path), 401, "unauthorized")
        for path in ("runs/r1/journal", "runs/r9", "inbox/group:sales", "workflows/expense", "chat"):
            for method in ("GET", "HEAD"):
                reply = await host.http.request(method, root + path, headers=alice)
                assert reply.status_code == 403, path
        # What a path says after decoding counts, not how it is written.
        sneaky = await host.http.get(f"{root}runs/r1/%6aournal", headers=alice)
        problem(sneaky, 403, "forbidden")
        for method in ("PUT", "POST", "DELETE"):
            for headers in (alice, bearer("boss", "operator")):
                reply = await host.http.request(
                    method, root + "runs/r1", headers={**headers, "content-type": "application/json"}, content="[1]"
                )
                problem(reply, 403, "engine_owned")
        boss = bearer("boss", "operator")
        assert (await host.http.get(f"{root}runs/r1/journal", headers=boss)).status_code == 200


# -- what may not be seen ----------------------------------------------------------------------------------------------

ALIKE: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/v1/runs/{run}", None),
    ("POST", "/v1/runs/{run}/cancel", {}),
    ("GET", "/v1/runs/{run}/history", None),
    ("POST", "/v1/runs/{run}/events/paid", {"id": "e1"}),
    ("GET", "/v1/runs/{run}/inputs/approve:0", None),
    ("POST", "/v1/runs/{run}/inputs/approve:0/answer", {}),
    ("GET", "/v1/runs?workflow={workflow}", None),
    ("GET", "/v1/inputs?audience=group:{group}", None),
    ("GET", "/v1/stream/runs/{run}", None),
    ("HEAD", "/v1/stream/runs/{run}", None),
    ("GET", "/v1/stream/runs/{run}?offset=-1&live=sse", None),
    ("GET", "/v1/stream/runs/{run}?offset=-1&live=long-poll", None),
    ("GET", "/v1/stream/runs/{run}/journal", None),
    ("POST", "/v1/stream/runs/{run}", {}),
    ("PUT", "/v1/stream/runs/{run}", {}),
    ("DELETE", "/v1/stream/runs/{run}", None),
    ("GET", "/v1/stream/inbox/group:{group}", None),
    ("DELETE", "/v1/stream/inbox/group:{group}", None),
    ("GET", "/v1/stream/workflows/{workflow}", None),
    ("GET", "/v1/stream/{stream}", None),
    ("POST", "/v1/stream/{stream}", {}),
    ("PUT", "/v1/stream/{stream}", {}),
    ("DELETE", "/v1/stream/{stream}", None),
    ("GET", "/v1/stream/__ds/subscriptions/{subscription}", None),
    ("DELETE", "/v1/stream/__ds/subscriptions/{subscription}", None),
    ("POST", "/v1/stream/__ds/subscriptions/{subscription}/claim", {"worker": "w"}),
    ("POST", "/v1/stream/__ds/subscriptions/{subscription}/ack", {"wake_id": "w", "generation": 1}),
]
THERE = {"run": "r1", "workflow": "expense", "group": "finance", "stream": "chat", "subscription": "jobs"}
MISSING = {"run": "r9", "workflow": "travel", "group": "sales", "stream": "club", "subscription": "none"}
WHO = {
    "nobody": {},
    "junk": {"authorization": "Bearer junk"},
    "expired": bearer("alice", "operator", exp=1),
    "a stranger": bearer("mallory"),
}


@pytest.mark.parametrize("who", WHO)
async def test_what_one_may_not_see_looks_as_if_it_were_not_there(store: str, who: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask("r1")
        boss = bearer("boss", "operator")
        json = {"content-type": "application/json"}
        for path in ("chat", "wake"):
            assert (await host.http.put(f"/v1/stream/{path}", headers=boss | json)).status_code == 201
        follow = {"type": "pull-wake", "pattern": "chat", "wake_stream": "wake"}
        made = await host.http.put("/v1/stream/__ds/subscriptions/jobs", json=follow, headers=boss)
        assert made.status_code == 201
        before = await host.everything()
        for method, path, body in ALIKE:
            answer = {"submission_id": "s", "action": "submit", "value": {}, "seen_offset": "-1"}
            send = answer if path.endswith("/answer") else body
            seen = [
                await host.http.request(method, path.format(**names), json=send, headers=WHO[who])
                for names in (THERE, MISSING)
            ]
            there, missing = ((reply.status_code, reply.text, sorted(set(reply.headers) - {"date"})) for reply in seen)
            assert there[0] == (403 if who == "a stranger" and "/ack" not in path else 401), (method, path)
            for name, other in zip(THERE.values(), MISSING.values(), strict=True):
                assert name not in there[1] or other in missing[1], (method, path)
                missing = (missing[0], missing[1].replace(other, name), missing[2])
            assert there == missing, (method, path)
        assert await host.everything() == before


async def test_who_may_write_a_fork_learns_nothing_of_sources_that_they_may_not_read(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask("r1")
        mallory = bearer("mallory", "stream:write:mine", "stream:read:mine")
        replies = [
            await host.http.put(
                "/v1/stream/mine", headers=mallory | {"stream-forked-from": f"/v1/stream/{source}", **more}
            )
            for source in ("runs/r1", "runs/r9", "inbox/group:finance", "club")
            for more in ({}, {"stream-fork-offset": "0000000000000001"})
        ]
        assert {(reply.status_code, reply.text) for reply in replies} == {(403, replies[0].text)}


async def test_who_may_start_one_workflow_is_not_told_of_others() -> None:
    async with hosting(config=KEYED, workflows=("expense", "layoffs")) as host:
        start = {"workflow": "travel"}
        for grants, told in (("run:start:travel",), False), (("operator",), True):
            reply = await host.http.post("/v1/runs", json=start, headers=bearer("alice", *grants))
            assert ("layoffs" in problem(reply, 404, "unknown_workflow")["detail"]) is told


async def test_a_store_that_fails_is_described_without_its_inside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it means for the data is told; the file and the statement are for the log."""
    file = tmp_path / "where it is.db"

    with caplog.at_level(logging.ERROR):
        async with hosting(f"sqlite:///{file}") as host:
            assert (await host.http.put("/v1/stream/chat", headers={"content-type": "text/plain"})).status_code == 201
            with sqlite3.connect(file) as other:
                for (name,) in other.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
                    other.execute(f"DROP TABLE {name}")
            other.close()
            text = {"content-type": "text/plain"}
            asks: list[Callable[[], Awaitable[httpx.Response]]] = [
                lambda: host.http.get("/v1/runs"),
                lambda: host.http.get("/v1/runs/r1"),
                lambda: host.http.get("/v1/inputs"),
                lambda: host.http.post("/v1/runs", json={"workflow": "expense"}),
                lambda: host.http.get("/v1/stream/other"),
                lambda: host.http.get("/v1/stream/other?offset=-1&live=sse"),
                lambda: host.http.put("/v1/stream/more", headers=text, content="x"),
                lambda: host.http.post("/v1/stream/chat", headers=text, content="x"),
                lambda: host.http.get("/v1/stream/__ds/subscriptions/jobs"),
            ]
            for ask in asks:
                reply = await ask()
                assert reply.status_code == 503, (reply.url, reply.text)
                for inside in (str(tmp_path), file.name, "sqlite", "table", "OperationalError", "SELECT", "INSERT"):
                    assert inside.lower() not in reply.text.lower(), (reply.url, reply.text)
                assert "with the same ids" in reply.text, reply.text
    told = [record.getMessage() for record in caplog.records if record.name == "signoff.server"]
    assert any(str(file) in text and "no such table" in text for text in told), told
    assert len(told) == len(set(told)), "the same trouble is logged once in a while"


# -- nobody ------------------------------------------------------------------------------------------------------------

CALLS = [
    ("GET", "/v1/runs"),
    ("POST", "/v1/runs"),
    ("GET", "/v1/runs/r1"),
    ("POST", "/v1/runs/r1/cancel"),
    ("GET", "/v1/runs/r1/history"),
    ("POST", "/v1/runs/r1/events/paid"),
    ("GET", "/v1/runs/r1/inputs/approve:0"),
    ("POST", "/v1/runs/r1/inputs/approve:0/answer"),
    ("GET", "/v1/inputs"),
    ("POST", "/v1/events/paid"),
]


async def test_nobody_may_do_anything() -> None:
    async with hosting(config=KEYED) as host:
        await host.ask("r1")
        before = await host.everything()
        for method, path in CALLS:
            body = {"workflow": "expense"} if method == "POST" else None
            reply = await host.http.request(method, path, json=body)
            problem(reply, 401, "unauthorized")
            assert reply.headers["www-authenticate"] == "Bearer"
        assert await host.everything() == before
