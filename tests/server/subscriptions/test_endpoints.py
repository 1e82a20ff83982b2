"""Subscriptions over HTTP, on a real server with real receivers."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signoff.server.config import ServerConfig
from tests.server.hosting import KEYED, bearer
from tests.server.subscriptions.scene import JSON, Receiver, Site, receiving, refusal, site, until


def hook(receiver: Receiver, **more: Any) -> dict[str, Any]:
    return {"type": "webhook", "pattern": "e/*", "webhook": {"url": receiver.url}, **more}


PULL: dict[str, Any] = {"type": "pull-wake", "pattern": "e/*", "wake_stream": "wake", "lease_ttl_ms": 1_000}


async def test_a_subscription_is_created_read_and_deleted(store: str) -> None:
    async with site(store) as s:
        await s.stream("e/a", 1, 2)
        await s.stream("wake")
        made = await s.put("jobs", **PULL, streams=["x/y"], description="d")
        assert made["streams"] == [
            {"path": "e/a", "link_type": "glob", "acked_offset": "0000000000000002"},
            {"path": "x/y", "link_type": "explicit", "acked_offset": "0000000000000000"},
        ]
        assert made == await s.get("jobs") == await s.put("jobs", 200, **PULL, streams=["/x/y"], description="d")
        assert (made["status"], made["webhook"], made["subscription_id"]) == ("active", None, "jobs")
        other = await s.web.put("__ds/subscriptions/jobs", json=PULL)
        refusal(other, 409, "SUBSCRIPTION_ALREADY_EXISTS")
        assert (await s.web.delete("__ds/subscriptions/jobs")).status_code == 204
        refusal(await s.web.get("__ds/subscriptions/jobs"), 404, "SUBSCRIPTION_NOT_FOUND")
        refusal(await s.web.delete("__ds/subscriptions/jobs"), 404, "SUBSCRIPTION_NOT_FOUND")
        refusal(await s.post("jobs/streams", streams=["a"]), 404, "SUBSCRIPTION_NOT_FOUND")


async def test_explicit_streams_come_and_go(store: str) -> None:
    async with site(store) as s:
        await s.stream("other/a", 1)
        await s.stream("wake")
        await s.put("jobs", **PULL)
        for _ in range(2):
            assert (await s.post("jobs/streams", streams=["other/a", "e/later"])).status_code == 204
        assert await s.cursors("jobs") == {"other/a": 1, "e/later": 0}
        assert (await s.web.delete("__ds/subscriptions/jobs/streams/other%2Fa")).status_code == 204
        assert (await s.web.delete("__ds/subscriptions/jobs/streams/other/a")).status_code == 204
        assert await s.cursors("jobs") == {"e/later": 0}
        refusal(await s.post("jobs/streams", streams=["wake"]), 400, "INVALID_REQUEST")


async def test_a_webhook_is_signed_by_a_key_that_stays(shared_url: str) -> None:
    async with receiving() as receiver:
        kids = []
        for number in range(2):
            async with site(shared_url) as s:
                made = await s.put("jobs", 200 if number else 201, **hook(receiver))
                await s.stream("e/a", {"n": number})
                call = await receiver.got(number + 1)
                parts = dict(part.split("=", 1) for part in call.headers["webhook-signature"].split(","))
                [key] = (await s.web.get("__ds/jwks.json")).json()["keys"]
                assert parts["kid"] == key["kid"] == made["webhook"]["signing"]["kid"]
                public = Ed25519PublicKey.from_public_bytes(_decoded(key["x"]))
                public.verify(_decoded(parts["ed25519"]), parts["t"].encode() + b"." + call.raw)
                assert "d" not in key
                kids.append(key["kid"])
                await until(lambda s=s, number=number: _at(s, "e/a", number + 1))  # type: ignore[misc]
        assert kids[0] == kids[1]


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def _at(s: Site, path: str, position: int) -> bool:
    return (await s.cursors("jobs")).get(path) == position


async def test_what_comes_during_a_wake_wakes_again(store: str) -> None:
    async with receiving(hold=asyncio.Event()) as receiver, site(store) as s:
        assert receiver.hold is not None
        await s.put("jobs", **hook(receiver))
        await s.stream("e/a", 1)
        first = await receiver.got(1)
        await s.stream("e/a", 2, 3)
        await s.stream("e/b", 1)
        receiver.hold.set()
        second = await receiver.got(2)
        assert (first.body["generation"], second.body["generation"]) == (1, 2)
        assert first.body["wake_id"] != second.body["wake_id"]
        told = {one["path"]: (one["acked_offset"], one["tail_offset"]) for one in second.body["streams"]}
        assert told["e/a"] == ("0000000000000001", "0000000000000003")
        assert told["e/b"] == ("0000000000000000", "0000000000000001")
        await until(lambda: _at(s, "e/a", 3))
        assert len(receiver.calls) == 2


async def test_an_asynchronous_receiver_calls_back(store: str) -> None:
    async with receiving(answer=(202, b"")) as receiver, site(store) as s:
        await s.put("jobs", **hook(receiver))
        await s.stream("e/a", 1, 2)
        wake = (await receiver.got()).body
        url, token = wake["callback_url"], wake["callback_token"]
        said = {"wake_id": wake["wake_id"], "generation": wake["generation"]}
        ack = {"stream": "e/a", "offset": "0000000000000001"}
        reply = await s.post(url, token, **said, acks=[ack])
        assert reply.json() == {"ok": True, "next_wake": False}
        assert await s.cursors("jobs") == {"e/a": 1}
        refusal(await s.post(url, None, **said), 401, "UNAUTHORIZED")
        refusal(await s.post(url, "nonsense", **said), 401, "TOKEN_INVALID")
        refusal(await s.post(url, token, **said | {"wake_id": "w_0"}, done=True), 409, "FENCED")
        refusal(await s.post(url, token, **said, acks=[ack | {"stream": "e/z"}]), 409, "INVALID_OFFSET")
        refusal(await s.post(url, token, **said, acks=[ack | {"offset": "-1"}]), 409, "INVALID_OFFSET")
        refusal(await s.post(url, token, **said, acks="all"), 400, "INVALID_REQUEST")
        refusal(await s.post("jobs/ack", token, **said), 400, "INVALID_REQUEST")
        reply = await s.post(url, token, **said, done=True)
        assert reply.json() == {"ok": True, "next_wake": True}, "one message is left"
        refusal(await s.post(url, token, **said, done=True), 409, "FENCED")
        assert (await receiver.got(2)).body["generation"] == 2
        assert (await s.web.delete("__ds/subscriptions/jobs")).status_code == 204
        refusal(await s.post(url, token, **said, done=True), 404, "SUBSCRIPTION_NOT_FOUND")


async def test_a_failed_delivery_is_repeated_later(store: str) -> None:
    async with receiving(answer=(500, {})) as receiver, site(store) as s:
        await s.put("jobs", **hook(receiver))
        await s.stream("e/a", 1)
        await receiver.got(1)
        await until(lambda: _status(s, "failed"))
        receiver.answer = (200, {"done": True})
        again = await receiver.got(2)
        assert again.body["generation"] == 2
        await until(lambda: _at(s, "e/a", 1))
        assert await _status(s, "active")


async def _status(s: Site, status: str) -> bool:
    return bool((await s.get("jobs"))["status"] == status)


async def test_workers_claim_and_give_back(store: str) -> None:
    async with site(store) as s:
        await s.stream("wake")
        await s.put("jobs", **PULL)
        refusal(await s.post("jobs/claim", worker="one"), 409, "NO_PENDING_WORK")
        await s.stream("e/a", 1)
        await until(lambda: _events(s, 1))
        [event] = await s.read("wake")
        assert event | {"ts": 0} == {
            "type": "wake",
            "subscription_id": "jobs",
            "stream": "e/a",
            "generation": 1,
            "ts": 0,
        }
        claimed = (await s.post("jobs/claim", worker="one")).json()
        assert claimed["generation"] == 1
        busy = refusal(await s.post("jobs/claim", worker="two"), 409, "ALREADY_CLAIMED")
        assert (busy["current_holder"], busy["generation"]) == ("one", 1)
        said = {"wake_id": claimed["wake_id"], "generation": 1}
        assert (await s.post("jobs/release", claimed["token"], **said)).status_code == 204
        refusal(await s.post("jobs/release", claimed["token"], **said), 409, "FENCED")
        await until(lambda: _events(s, 2))
        claimed = (await s.post("jobs/claim", worker="two")).json()
        assert claimed["generation"] == 2
        await until(lambda: _events(s, 3))  # the lease of one second ends
        refusal(await s.post("jobs/ack", claimed["token"], wake_id=claimed["wake_id"], generation=2), 409, "FENCED")
        refusal(await s.post("jobs/callback", claimed["token"], **said), 400, "INVALID_REQUEST")


async def _events(s: Site, count: int) -> bool:
    return len(await s.read("wake")) >= count


async def test_a_wake_stream_that_is_not_there_yet_gets_its_event_later(store: str) -> None:
    async with site(store) as s:
        await s.put("jobs", **PULL)
        await s.stream("e/a", 1)
        await until(lambda: _status(s, "failed"))
        await s.stream("wake")
        await until(lambda: _events(s, 1))
        await until(lambda: _status(s, "active"))


async def test_a_stream_that_was_deleted_is_forgotten_and_a_new_one_begins_anew(store: str) -> None:
    async with receiving() as receiver, site(store) as s:
        await s.put("jobs", **hook(receiver))
        await s.stream("e/a", 1, 2, 3)
        await until(lambda: _at(s, "e/a", 3))
        await s.web.delete("e/a")
        await until(lambda: _no_streams(s))
        await s.stream("e/a", 1)
        await until(lambda: _at(s, "e/a", 1))


async def _no_streams(s: Site) -> bool:
    return await s.cursors("jobs") == {}


async def test_the_engine_s_streams_wake_too(store: str) -> None:
    async with receiving() as receiver, site(store) as s:
        await s.put("jobs", **hook(receiver) | {"pattern": "runs/*"})
        await s.engine.runs.start("expense", {}, run_id="r1")
        call = await receiver.got()
        assert [one["path"] for one in call.body["streams"]] == ["runs/r1"]


async def test_with_a_key_operators_manage_and_tokens_call_back() -> None:
    operator, person = bearer("ops", "operator"), bearer("alice", "stream:read:*", "stream:write:*")
    async with site(config=KEYED) as s:
        for headers, status, code in ((None, 401, "UNAUTHORIZED"), (person, 403, "FORBIDDEN")):
            for method, target in (
                ("PUT", ""),
                ("GET", ""),
                ("DELETE", ""),
                ("POST", "/streams"),
                ("POST", "/claim"),
            ):
                reply = await s.web.request(method, f"__ds/subscriptions/jobs{target}", headers=headers, json={})
                refusal(reply, status, code)
        assert (await s.web.get("__ds/jwks.json")).status_code == 200
        for path in ("e/a", "wake"):
            assert (await s.web.put(path, headers=operator | JSON)).status_code == 201
        assert (await s.web.put("__ds/subscriptions/jobs", json=PULL, headers=operator)).status_code == 201
        await s.web.post("e/a", json=1, headers=operator)
        claimed = (await s.web.post("__ds/subscriptions/jobs/claim", json={"worker": "w"}, headers=operator)).json()
        said = {"wake_id": claimed["wake_id"], "generation": claimed["generation"], "done": True}
        reply = await s.web.post("__ds/subscriptions/jobs/ack", json=said, headers=operator)
        refusal(reply, 401, "TOKEN_INVALID")
        assert (await s.post("jobs/ack", claimed["token"], **said)).status_code == 200
        url = {"type": "webhook", "pattern": "e/*", "webhook": {"url": "http://127.0.0.1:1/x"}}
        reply = await s.web.put("__ds/subscriptions/hook", json=url, headers=operator)
        refusal(reply, 400, "WEBHOOK_URL_REJECTED")


@pytest.mark.parametrize("action", ["callback", "ack", "release"])
async def test_who_has_no_token_does_not_learn_what_subscriptions_there_are(store: str, action: str) -> None:
    async with receiving() as receiver, site(store) as s:
        await s.stream("wake")
        await s.put("hook", **hook(receiver))
        await s.put("pull", **PULL)
        said = {"wake_id": "w", "generation": 1}
        for token in ("junk", "e30.e30", None):
            replies = [await s.post(f"{name}/{action}", token, **said) for name in ("hook", "pull", "none")]
            assert {reply.status_code for reply in replies} == {401}
            assert len({reply.text for reply in replies}) == 1


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "code"),
    [
        ("GET", "__ds", None, 404, "NOT_FOUND"),
        ("PUT", "__ds", None, 404, "NOT_FOUND"),
        ("GET", "__ds/", None, 404, "NOT_FOUND"),
        ("GET", "__ds/other", None, 404, "NOT_FOUND"),
        ("GET", "__ds/subscriptions", None, 404, "NOT_FOUND"),
        ("GET", "__ds/subscriptions/", None, 404, "NOT_FOUND"),
        ("GET", "__ds/subscriptions/a/b", None, 404, "NOT_FOUND"),
        ("GET", "__ds/subscriptions/a/claim/b", None, 404, "NOT_FOUND"),
        ("POST", "__ds/subscriptions/a", None, 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "__ds/jwks.json", None, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "__ds/subscriptions/a%20b", None, 400, "INVALID_REQUEST"),
        ("GET", "__ds/subscriptions/%ff", None, 400, "INVALID_REQUEST"),
        ("GET", "__ds/subscriptions/..%2fa", None, 400, "INVALID_REQUEST"),
        ("PUT", "__ds/subscriptions/a", "{", 400, "INVALID_REQUEST"),
        ("PUT", "__ds/subscriptions/a", "[]", 400, "INVALID_REQUEST"),
        ("PUT", "__ds/subscriptions/a", "[" * 20 + "]" * 20, 400, "INVALID_REQUEST"),
        ("POST", "__ds/subscriptions/a/claim", "{}", 400, "INVALID_REQUEST"),
        ("DELETE", "__ds/subscriptions/a/streams/%00", None, 400, "INVALID_REQUEST"),
    ],
)
async def test_bad_requests(method: str, target: str, body: str | None, status: int, code: str) -> None:
    async with site() as s:
        raw = f"{s.url}{target}"
        refusal(await s.web.request(method, raw, content=body, headers=JSON if body else {}), status, code)
        large = await s.web.put("__ds/subscriptions/a", content=b" " * (1 << 20) + b"{}", headers=JSON)
        refusal(large, 413, "PAYLOAD_TOO_LARGE")
        refusal(await s.web.put("__ds/subscriptions/a", content=b"{}"), 415, "UNSUPPORTED_MEDIA_TYPE")


async def test_callers_are_told_the_public_address() -> None:
    config = ServerConfig(public_url="https://signoff.example/")
    async with receiving() as receiver, site(config=config) as s:
        made = await s.put("jobs", **hook(receiver))
        assert made["webhook"]["signing"]["jwks_url"] == "https://signoff.example/v1/stream/__ds/jwks.json"
        await s.stream("e/a", 1)
        expected = "https://signoff.example/v1/stream/__ds/subscriptions/jobs/callback"
        assert (await receiver.got()).body["callback_url"] == expected
