"""Tokens: who they say calls, which are refused, and what ends with them."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any
from urllib.parse import quote

import jwt
import pytest

from signoff.client import SignoffClient
from signoff.errors import Unauthorized
from signoff.server.access.identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from signoff.server.access.tokens import LEEWAY_S, TokenVerifier
from signoff.server.config import ServerConfig
from tests.server.hosting import KEYED, SECRET, bearer, hosting, problem, unsecured

KEYLESS = ServerConfig()


def identify(config: ServerConfig, headers: dict[str, str]) -> Identity:
    return TokenVerifier(config.keyring, config.audience).identify(headers.get("authorization"))


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


def test_a_token_may_say_that_it_was_issued_before_there_were_clocks() -> None:
    token = jwt.encode({"sub": "alice", "iat": -(10**400)}, SECRET, "HS256")
    assert identify(KEYED, {"authorization": f"Bearer {token}"}).sub == "alice"


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
