from __future__ import annotations

import asyncio
import time

import jwt
import pytest

from signoff.errors import Forbidden, Unauthorized
from signoff.server.access import ANONYMOUS, LOCAL_OPERATOR, Access, Identity, check_stream
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


def test_streams_are_guarded_over_http(store: str) -> None:
    async def main() -> None:
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

    asyncio.run(main())


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


def test_nobody_may_do_anything() -> None:
    async def main() -> None:
        async with hosting(config=KEYED) as host:
            await host.ask("r1")
            before = await host.everything()
            for method, path in CALLS:
                body = {"workflow": "expense"} if method == "POST" else None
                reply = await host.http.request(method, path, json=body)
                problem(reply, 401, "unauthorized")
                assert reply.headers["www-authenticate"] == "Bearer"
            assert await host.everything() == before

    asyncio.run(main())


# -- pages of others ---------------------------------------------------------------------------------------------------


def test_without_a_key_only_this_machine_is_addressed() -> None:
    async def main() -> None:
        async with hosting() as host:
            for name in ("localhost", "127.0.0.1:4437", "[::1]:4437", "LOCALHOST"):
                assert (await host.http.get("/v1/runs", headers={"host": name})).status_code == 200, name
            for name in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[", "10.0.0.1"):
                problem(await host.http.get("/v1/runs", headers={"host": name}), 403, "forbidden")
                problem(await host.http.get("/v1/stream/runs/r1", headers={"host": name}), 403, "forbidden")
        async with hosting(config=KEYED) as host:
            assert (await host.http.get("/health", headers={"host": "signoff.example"})).status_code == 200

    asyncio.run(main())


def test_without_a_key_foreign_pages_are_refused() -> None:
    async def main() -> None:
        async with hosting(config=ServerConfig(origins=("https://app.example",))) as host:
            before = await host.everything()
            for origin in ("https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1:1@evil"):
                headers = {"origin": origin}
                reply = await host.http.post("/v1/runs", json={"workflow": "expense"}, headers=headers)
                problem(reply, 403, "forbidden")
                assert "access-control-allow-origin" not in reply.headers
                problem(await host.http.get("/v1/stream/runs/r1/journal", headers=headers), 403, "forbidden")
                problem(await host.http.options("/v1/runs", headers=headers), 403, "forbidden")
            assert await host.everything() == before
            for origin in ("https://app.example", "http://localhost:5173", "http://[::1]:3000", host.url):
                reply = await host.http.get("/v1/runs", headers={"origin": origin})
                assert reply.headers["access-control-allow-origin"] == origin
                assert "origin" in reply.headers["vary"]

    asyncio.run(main())


def test_preflights_allow_what_the_client_sends() -> None:
    async def main() -> None:
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

    asyncio.run(main())


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
