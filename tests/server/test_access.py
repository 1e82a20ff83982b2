from __future__ import annotations

import asyncio
import base64
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jwt
import pytest

from signoff.client import SignoffClient
from signoff.errors import Forbidden, Unauthorized
from signoff.server.access import ANONYMOUS, LEEWAY_S, LOCAL_OPERATOR, Access, Identity, check_stream
from signoff.server.config import ServerConfig, check_binding
from signoff.server.origin import Origins
from tests.server.hosting import KEYED, SECRET, bearer, hosting, problem, unsecured

KEYLESS = ServerConfig()


def identify(config: ServerConfig, headers: dict[str, str]) -> Identity:
    return Access(config).identify(headers.get("authorization"))


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_token_makes_a_person() -> None:
    alice = identify(KEYED, bearer("alice", "run:read:r1", groups=("finance",)))
    assert alice.principals == {"user:alice", "group:finance"}
    assert (alice.by().kind, alice.by().id) == ("person", "user:alice")
    assert alice.may("run:read", "r1")
    assert not alice.may("run:read", "r2")
    assert not alice.operator
    assert not alice.who().operator


def test_an_operator_with_a_token_stays_a_person() -> None:
    boss = identify(KEYED, bearer("boss", "operator"))
    assert boss.operator
    assert boss.by().id == "user:boss"
    assert boss.may("run:cancel", "anything")


def test_no_token_is_nobody_with_a_key_and_the_operator_without() -> None:
    assert identify(KEYED, {}) == ANONYMOUS
    assert identify(KEYLESS, {}) == LOCAL_OPERATOR
    assert (LOCAL_OPERATOR.by().kind, LOCAL_OPERATOR.by().id) == ("operator", "local")


def test_an_unsecured_token_is_taken_without_a_key_alone() -> None:
    alice = identify(KEYLESS, unsecured("alice", groups=("finance",)))
    assert alice.principals == {"user:alice", "group:finance"}
    assert not alice.operator
    with pytest.raises(Unauthorized):
        identify(KEYED, unsecured("alice"))


def test_a_wildcard_grants_all_subjects_of_one_action() -> None:
    alice = identify(KEYED, bearer("alice", "run:read:*"))
    assert alice.may("run:read", "any")
    assert not alice.may("run:start", "any")


GRANTS = [
    ("stream:read:tokens/*", "stream:read", "tokens/a", True),
    ("stream:read:tokens/*", "stream:read", "tokens/a/b", True),
    ("stream:read:tokens/*", "stream:read", "tokens", False),
    ("stream:read:tokens/*", "stream:read", "tokensx/a", False),
    ("stream:read:tokens/*", "stream:write", "tokens/a", False),
    ("stream:read:tokens/a/*", "stream:read", "tokens/a/b", True),
    ("stream:read:tokens/a/*", "stream:read", "tokens/b", False),
    ("stream:read:tok*", "stream:read", "tokens", False),
    ("stream:read:*/a", "stream:read", "tokens/a", False),
    ("stream:read:tokens/.*", "stream:read", "tokens/a", False),
    ("stream:read:tokens/", "stream:read", "tokens/a", False),
    ("stream:*", "stream:read", "tokens", False),
    ("*", "stream:read", "tokens", False),
    ("run:read:claim-*", "run:read", "claim-1", False),
]


@pytest.mark.parametrize(("grant", "action", "subject", "allowed"), GRANTS)
def test_what_a_grant_with_a_star_allows(grant: str, action: str, subject: str, *, allowed: bool) -> None:
    assert Identity("alice", grants={grant}).may(action, subject) is allowed


async def test_streams_below_a_prefix_are_granted_over_http(store: str) -> None:
    async with hosting(store, KEYED) as host:
        boss = bearer("boss", "operator")
        for path in ("tokens/a", "other"):
            assert (await host.http.put(f"/v1/stream/{path}", headers=boss)).status_code == 201
        await host.ask("r1")
        alice = bearer("alice", "stream:read:tokens/*", "stream:read:runs/*", "stream:read:__ds/*")
        assert (await host.http.get("/v1/stream/tokens/a", headers=alice)).status_code == 200
        for path in ("other", "runs/r1", "runs/r1/journal", "tokens%2F..%2Fother"):
            assert (await host.http.get(f"/v1/stream/{path}", headers=alice)).status_code in {400, 403}
        problem(await host.http.post("/v1/stream/tokens/a", headers=alice, content="x"), 403, "forbidden")


def test_who_has_the_grant_operator_is_one() -> None:
    assert Identity(grants={"operator"}) == Identity(grants=frozenset({"operator"}), operator=True)
    assert Identity("alice", grants={"operator"}).who().operator
    assert not Identity(grants={"operator"}).anonymous
    assert not Identity("operator", groups={"operator"}, grants={"operator:*"}).operator


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"grants": "operator"}, TypeError),
        ({"groups": "finance"}, TypeError),
        ({"groups": {1}}, TypeError),
        ({"sub": 7}, TypeError),
        ({"sub": "a/b"}, ValueError),
        ({"sub": ""}, ValueError),
        ({"groups": {"a%2fb"}}, ValueError),
    ],
)
def test_what_nobody_can_be_is_no_identity(members: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Identity(**members)


SUBS = ["auth0|123", "user@x.org", "Ann Lee", "zoë", "李", "urn:example:7", "a?b#c&d+e=f", "x" * 255, "..", "~'()*!"]


@pytest.mark.parametrize("sub", SUBS)
async def test_whoever_a_token_can_name_reads_and_answers(store: str, sub: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask("r1", to=(f"user:{sub}", f"group:{sub}"))
        for me, principal in (
            (bearer(sub), f"user:{sub}"),
            (bearer("somebody", groups=(sub,)), f"group:{sub}"),
        ):
            token = me["authorization"].removeprefix("Bearer ")
            async with SignoffClient(host.url, token=token) as client:
                batches = [batch async for batch in client.tail(f"inbox/{principal}", follow=False)]
                assert [row["key"] for batch in batches for row in batch.messages] == ["r1/approve:0"]
                assert [one["run_id"] for one in (await client.inputs(audience=principal))["inputs"]] == ["r1"]
                assert [one["run_id"] for one in (await client.inputs())["inputs"]] == ["r1"]
                other = {"authorization": bearer("somebody-else")["authorization"]}
                address = f"/v1/stream/inbox/{quote(principal, safe='')}"
                assert (await host.http.get(address, headers=me)).status_code == 200
                problem(await host.http.get(address, headers=other), 403, "forbidden")
        body = {
            "submission_id": "s1",
            "action": "submit",
            "value": {"approved": True},
            "seen_offset": row["revised"],
        }
        async with SignoffClient(host.url, token=bearer(sub)["authorization"].removeprefix("Bearer ")) as client:
            answered = await client.answer("r1", "approve:0", **body)
        assert answered["row"]["decided_by"] == {"kind": "person", "id": f"user:{sub}"}


def _nested() -> str:
    """Return the head of a token that nests deeper than Python parses."""
    return base64.urlsafe_b64encode(b'{"alg":' + b"[" * 20_000).rstrip(b"=").decode()


NOW = int(time.time())
REFUSED = {
    "another key": bearer("alice", key=b"another key, as long as the first one is"),
    "expired": bearer("alice", exp=NOW - 3_600),
    "not yet": bearer("alice", nbf=NOW + 3_600),
    "for somebody else": bearer("alice", aud="another-service"),
    "no subject": {"authorization": "Bearer " + jwt.encode({"groups": []}, SECRET, "HS256")},
    "number as subject": {"authorization": "Bearer " + jwt.encode({"groups": []}, SECRET, "HS256")},
    "path in subject": bearer("alice/../bob"),
    "line break in subject": bearer("alice\nbob"),
    "empty subject": bearer(""),
    "groups as text": {"authorization": "Bearer " + jwt.encode({"sub": "a", "groups": "finance"}, SECRET, "HS256")},
    "grants as object": {"authorization": "Bearer " + jwt.encode({"sub": "a", "grants": {}}, SECRET, "HS256")},
    "path in group": bearer("alice", groups=("a/b",)),
    "backslash in subject": bearer("CORP\\alice"),
    "percent-encoding in subject": bearer("a%2fb"),
    "invisible character in subject": bearer("al\u200bice"),
    "too long a subject": bearer("x" * 256),
    "an end beyond numbers": bearer("alice", exp=float("inf")),
    "an end that is no number": bearer("alice", exp="soon"),
    "deeper than can be read": {"authorization": "Bearer " + _nested() + ".e30.e30"},
    "other algorithm": {
        "authorization": "Bearer " + jwt.encode({"sub": "a"}, b"x" * 64, "HS512"),
    },
    "no scheme": {"authorization": bearer("alice")["authorization"].removeprefix("Bearer ")},
    "basic": {"authorization": "Basic YTpi"},
    "empty": {"authorization": "Bearer "},
    "garbage": {"authorization": "Bearer a.b.c"},
    "not ascii": {"authorization": "Bearer \xff\xfe"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_tokens_are_refused(case: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        identify(KEYED, REFUSED[case])
    assert "Nothing was done" in caught.value.detail or "claim" in caught.value.detail


@pytest.mark.parametrize(
    "headers",
    [
        bearer("alice"),
        unsecured("alice", exp=NOW - 3_600),
        unsecured("alice", nbf=NOW + 3_600),
        {"authorization": unsecured("alice")["authorization"] + "c2lnbmF0dXJl"},
    ],
)
def test_without_a_key_nothing_is_taken_that_cannot_be_checked(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        identify(KEYLESS, headers)


def test_clocks_may_differ_a_little() -> None:
    now = int(time.time())
    assert identify(KEYED, bearer("alice", exp=now - 5, nbf=now + 5)).sub == "alice"


def test_an_audience_is_required_if_configured() -> None:
    config = ServerConfig(secret=SECRET, audience="signoff")
    assert identify(config, bearer("alice", aud="signoff")).sub == "alice"
    for headers in (bearer("alice"), bearer("alice", aud="other")):
        with pytest.raises(Unauthorized):
            identify(config, headers)


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
    "expired": bearer("alice", "operator", exp=NOW - 3_600),
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
                for table in ("runs", "tails", "streams", "batches", "records", "inputs", "input_audience", "ledger"):
                    other.execute(f"DROP TABLE {table}")
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


# -- live reads and tokens ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("live", ["sse", "long-poll"])
async def test_what_is_read_live_ends_with_the_token(store: str, live: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask("r1")
        now = time.time()
        short = bearer("alice", "run:read:r1", exp=int(now) - LEEWAY_S + 2)
        offset = (await host.http.head("/v1/stream/runs/r1", headers=short)).headers["stream-next-offset"]
        address = f"/v1/stream/runs/r1?offset={offset}&live={live}"
        reply = await host.http.get(address, headers=short)  # to the end of the response
        assert 0.9 < time.time() - now < 4
        assert reply.status_code == (200 if live == "sse" else 204)
        problem(await host.http.get(address, headers=short), 401, "unauthorized")
        fresh = bearer("alice", "run:read:r1", exp=int(now) + 600)
        assert (await host.http.get("/v1/stream/runs/r1", headers=fresh)).status_code == 200


async def test_a_client_goes_on_with_its_next_token(store: str) -> None:
    connected: list[int] = []

    def token() -> str:
        connected.append(int(time.time()) - LEEWAY_S + 2)  # good for one or two seconds
        return bearer("alice", "stream:read:s", exp=connected[-1])["authorization"].removeprefix("Bearer ")

    async def read(client: SignoffClient) -> list[int]:
        got: list[int] = []
        async for batch in client.tail("s"):
            got += batch.messages
            if 2 in got:
                break
        return got

    async with hosting(store, KEYED) as host, SignoffClient(host.url, token=token) as client:
        boss = bearer("boss", "operator") | {"content-type": "application/json"}
        assert (await host.http.put("/v1/stream/s", headers=boss)).status_code == 201
        reading = asyncio.create_task(read(client))
        async with asyncio.timeout(20):
            for number in range(3):
                while len(connected) <= number:
                    await asyncio.sleep(0.01)
                posted = await host.http.post("/v1/stream/s", headers=boss, content=str(number))
                assert posted.status_code == 204
            assert await reading == [0, 1, 2]


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


# -- pages of others ---------------------------------------------------------------------------------------------------


async def test_without_a_key_only_this_machine_is_addressed() -> None:
    async with hosting() as host:
        for name in ("localhost", "127.0.0.1:4437", "[::1]:4437", "LOCALHOST"):
            assert (await host.http.get("/v1/runs", headers={"host": name})).status_code == 200, name
        for name in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[", "10.0.0.1"):
            problem(await host.http.get("/v1/runs", headers={"host": name}), 403, "forbidden")
            problem(await host.http.get("/v1/stream/runs/r1", headers={"host": name}), 403, "forbidden")
    async with hosting(config=KEYED) as host:
        assert (await host.http.get("/health", headers={"host": "signoff.example"})).status_code == 200


async def test_without_a_key_foreign_pages_are_refused() -> None:
    async with hosting(config=ServerConfig(origins=("https://app.example",))) as host:
        before = await host.everything()
        own = httpx.URL(host.url)
        foreign = [
            "https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1:1@evil", "",
            "http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", f"http://localhost:{own.port}",
            f"http://[::1]:{own.port}", "http://127.0.0.1", f"ftp://127.0.0.1:{own.port}", f"{host.url}/",
            f"http://x@127.0.0.1:{own.port}",
        ]  # fmt: skip
        for origin in foreign:
            headers = {"origin": origin}
            reply = await host.http.post("/v1/runs", json={"workflow": "expense"}, headers=headers)
            problem(reply, 403, "forbidden")
            assert "access-control-allow-origin" not in reply.headers
            problem(await host.http.get("/v1/stream/runs/r1/journal", headers=headers), 403, "forbidden")
            problem(await host.http.options("/v1/runs", headers=headers), 403, "forbidden")
        assert await host.everything() == before
        for origin in ("https://app.example", host.url):
            reply = await host.http.get("/v1/runs", headers={"origin": origin})
            assert reply.headers["access-control-allow-origin"] == origin
            assert "origin" in reply.headers["vary"]


async def test_a_proxy_that_keeps_the_host_is_the_page_s_own_server() -> None:
    """The way a development server passes requests on: the page's origin and the address asked for are the same."""

    async with hosting(config=ServerConfig(public_url="https://signoff.example/x", hosts=("box.local",))) as host:
        for origin, name in (
            ("http://localhost:5173", "localhost:5173"),
            ("https://localhost", "localhost"),
            ("https://localhost", "localhost:443"),
            ("http://box.local:3000", "box.local:3000"),
            ("https://signoff.example", "localhost:4437"),
        ):
            headers = {"origin": origin, "host": name}
            reply = await host.http.post("/v1/runs", json={"workflow": "expense"}, headers=headers)
            assert reply.status_code == 201, (origin, name)
        rebound = {"origin": "http://evil.example:4437", "host": "evil.example:4437"}
        problem(await host.http.get("/v1/runs", headers=rebound), 403, "forbidden")


async def test_without_a_key_nothing_is_a_part_of_a_foreign_page() -> None:
    """A browser sends images and scripts of a page without its origin, and says that they are of another site."""

    async with hosting() as host:
        for site in ("cross-site", "same-site"):
            part = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
            problem(await host.http.get("/v1/stream/runs/r1", headers=part), 403, "forbidden")
            problem(await host.http.get("/v1/runs", headers=part), 403, "forbidden")
            link = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
            assert (await host.http.get("/v1/runs", headers=link)).status_code == 200
        for site in ("same-origin", "none"):
            own = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
            assert (await host.http.get("/v1/runs", headers=own)).status_code == 200


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({}, ("traceparent", "tracestate", "baggage")),
        ({"allow_headers": ("x-request-id",)}, ("x-request-id",)),
        ({"allow_headers": ()}, ()),
    ],
)
async def test_preflights_allow_the_headers_a_server_is_told_of(config: dict[str, Any], names: tuple[str, ...]) -> None:
    asks = {"origin": "https://app.example", "access-control-request-method": "POST"}
    async with hosting(config=ServerConfig(secret=SECRET, origins=("https://app.example",), **config)) as host:
        for path in ("/v1/runs", "/v1/stream/chat"):
            reply = await host.http.options(path, headers=asks)
            allowed = set(reply.headers["access-control-allow-headers"].split(", "))
            assert {"authorization", "content-type", *names} <= allowed
            told = {"traceparent", "tracestate", "baggage", "x-request-id"}
            assert allowed & told == set(names)


@pytest.mark.parametrize("name", ["", "a b", "a\r\nb", "a,b", "ä"])
def test_what_is_no_header_is_not_allowed(name: str) -> None:
    with pytest.raises(ValueError, match="no header's name"):
        ServerConfig(allow_headers=(name,))


@pytest.mark.parametrize("origin", ["localhost:5173", "*", "https://a.example/page", "https://u@a.example", "null", ""])
def test_what_is_no_origin_is_not_allowed(origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        ServerConfig(origins=(origin,))


async def test_preflights_allow_what_the_client_sends() -> None:
    async with hosting(config=ServerConfig(secret=SECRET, origins=("https://app.example",))) as host:
        asks = {"origin": "https://app.example", "access-control-request-method": "POST"}
        reply = await host.http.options("/v1/runs", headers=asks)
        assert reply.status_code == 204
        assert reply.headers["access-control-allow-origin"] == "https://app.example"
        assert "authorization" in reply.headers["access-control-allow-headers"]
        assert "POST" in reply.headers["access-control-allow-methods"]
        other = await host.http.options("/v1/runs", headers={**asks, "origin": "https://evil.example"})
        assert not [name for name in other.headers if name.startswith("access-control")]
        refused = await host.http.get("/v1/runs", headers={"origin": "https://app.example"})
        problem(refused, 401, "unauthorized")
        assert refused.headers["access-control-allow-origin"] == "https://app.example"


# -- binding -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_no_key(host: str) -> None:
    check_binding(host, None)
    assert ServerConfig().keyless


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "signoff.example"])
def test_a_network_needs_a_key(host: str) -> None:
    check_binding(host, SECRET)
    with pytest.raises(Forbidden, match="SIGNOFF_SECRET"):
        check_binding(host, None)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(Forbidden, match="at least 32"):
        check_binding("127.0.0.1", b"short")
    for secret in (b"", b"short", b"x" * 31):
        with pytest.raises(Forbidden, match="at least 32"):
            ServerConfig(secret=secret)
    with pytest.raises(TypeError, match="is bytes"):
        ServerConfig(secret="a text that is long enough for a key")  # type: ignore[arg-type]


def test_a_key_is_not_shown() -> None:
    assert SECRET.decode() not in repr(KEYED)
    assert "secret" not in repr(KEYED)


@pytest.mark.parametrize(("client", "allowed"), [("127.0.0.1", True), ("::1", True), ("192.0.2.7", False)])
def test_a_server_without_a_key_serves_this_machine_alone(client: str, allowed: bool) -> None:
    origins = Origins(ServerConfig())
    scope = {"client": (client, 40000), "headers": [(b"host", b"localhost")], "method": "GET", "type": "http"}
    if allowed:
        origins.check(scope)
        assert origins.headers(scope) == []
    else:
        with pytest.raises(Forbidden, match="SIGNOFF_SECRET"):
            origins.check(scope)
