"""Files that people attach to answers: sent, held to what was asked for, read by whom they concern."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from signoff.server.api.files import SAFE
from signoff.service import file_records
from signoff.workflow.input.attachment import AttachmentLimits
from signoff.workflow.input.entries import InputExpired
from tests.server.hosting import KEYED, Host, bearer, hosting, problem

ALICE = bearer("alice", groups=("finance",))
BOB = bearer("bob", groups=("finance",))
EVE = bearer("eve")
READER = bearer("ann", "run:read:r1")
BOSS = bearer("boss", "operator")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
LIMITS = AttachmentLimits(max_bytes=3 << 20, types=("image/*", "application/pdf"))
FORM = {
    "type": "object",
    "properties": {"receipt": LIMITS.schema, "more": {"type": "array", "items": LIMITS.schema}, "note": {}},
    "required": ["receipt"],
}
FILES = "/v1/runs/r1/inputs/approve:0/files"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def asked(host: Host, **how: Any) -> dict[str, Any]:
    return await host.ask(spec={"schema": FORM, **how.pop("spec", {})}, expose=True, **how)


async def put(
    host: Host,
    file: str = "f1",
    data: bytes | AsyncIterator[bytes] = PNG,
    who: dict[str, str] = ALICE,
    *,
    type_: str | None = "image/png",
    at: str = FILES,
    **query: str,
) -> httpx.Response:
    headers = {**who, **({} if type_ is None else {"content-type": type_})}
    return await host.http.put(f"{at}/{file}", content=data, params=query, headers=headers)


async def kept(host: Host, file: str = "f1", **how: Any) -> dict[str, Any]:
    """Send a file; return what refers to it."""
    sent = await put(host, file, **how)
    assert sent.status_code == 201, sent.text
    found: dict[str, Any] = sent.json()["attachment"]
    return found


async def answer(
    host: Host, value: Any, who: dict[str, str] = ALICE, number: str = "s1", key: str = "approve:0", run: str = "r1"
) -> httpx.Response:
    body = {"submission_id": number, "action": "submit", "value": value, "seen_offset": "-1"}
    row = await host.engine.inputs.get(run, key)
    body["seen_offset"] = row["revised"]
    return await host.post(f"/v1/runs/{run}/inputs/{key}/answer", body, **who)


async def streams(host: Host) -> list[str]:
    return [one.path for one in await host.engine.store.list_streams("runs/r1/files/", limit=100)]


async def test_what_was_sent_is_answered_with_and_read_back(store: str) -> None:
    big = PNG * 700
    async with hosting(store, KEYED) as host:
        row = await asked(host)
        assert [(one["kind"], one["maxBytes"], one["types"]) for one in row["form"][:1]] == [
            ("attachment", 3 << 20, ["image/*", "application/pdf"])
        ]
        first = await kept(host, data=big, name="Beleg März.png")
        assert first == {
            "stream": "runs/r1/files/f1",
            "name": "Beleg März.png",
            "type": "image/png",
            "size": len(big),
            "sha256": sha(big),
        }
        second = await kept(host, "f2", data=b"%PDF-1.7", type_="application/pdf; x=1")
        accepted = await answer(host, {"receipt": first, "more": [second]})
        assert accepted.status_code == 200, accepted.text
        assert accepted.json()["row"]["value"] == {"receipt": first, "more": [second]}
        journal = await host.engine.runs.history("r1")
        assert next(one for one in journal if one["type"] == "input.answered")["value"]["receipt"] == first
        for who in (ALICE, BOB, READER, BOSS):
            found = await host.http.get(f"{FILES}/f1", headers=who)
            assert (found.status_code, found.content) == (200, big)
        assert (await host.engine.files.read("r1", "f2")) == b"%PDF-1.7"


async def test_a_browser_keeps_it_as_a_file_and_runs_nothing_of_it(store: str) -> None:
    hostile = b"<script>alert(document.domain)</script>"
    async with hosting(store, KEYED) as host:
        await host.ask(spec={"schema": {"type": "object", "properties": {"any": AttachmentLimits().schema}}})
        found = await kept(host, data=hostile, type_="text/html", name='a"b\\c;\r\nSet-Cookie: x=1.html')
        assert found["name"] == "c; Set-Cookie: x=1.html"
        for address in (f"{FILES}/f1", "/v1/stream/runs/r1/files/f1"):
            for send in (host.http.get, host.http.head):
                reply = await send(address, headers=READER)
                assert reply.status_code == 200
                assert reply.headers["content-type"] == "application/octet-stream"
                assert reply.headers["x-content-type-options"] == "nosniff"
                assert reply.headers["content-security-policy"] == "default-src 'none'; sandbox"
                assert reply.headers["content-disposition"].startswith("attachment")
                assert reply.headers["cross-origin-resource-policy"] == "same-origin"
                assert "no-store" in reply.headers["cache-control"]
                assert "set-cookie" not in reply.headers
        named = (await host.http.get(f"{FILES}/f1", headers=READER)).headers["content-disposition"]
        assert named.endswith("filename*=UTF-8''c%3B%20Set-Cookie%3A%20x%3D1.html")
        assert dict(SAFE)[b"content-type"] == b"application/octet-stream"


async def test_who_was_not_asked_sends_nothing_and_learns_nothing(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await asked(host, forbid=("user:carol",))
        for who in (EVE, READER, bearer("carol", groups=("finance",))):
            problem(await put(host, who=who), 403, "not_in_audience")
            problem(await put(host, who=who, at="/v1/runs/r9/inputs/approve:0/files"), 403, "not_in_audience")
        problem(await host.http.put(f"{FILES}/f1", content=PNG), 401, "unauthorized")
        await kept(host)
        for who in (EVE, BOB):  # it is in no answer yet
            problem(await host.http.get(f"{FILES}/f1", headers=who), 403, "forbidden")
            problem(await host.http.get(f"{FILES}/none", headers=who), 403, "forbidden")
            refused = await host.http.get("/v1/stream/runs/r1/files/f1", headers=who)
            assert refused.status_code == 403
        problem(await host.http.delete(f"{FILES}/f1", headers=EVE), 403, "not_in_audience")
        problem(await host.http.delete(f"{FILES}/f1", headers=BOB), 404, "not_found")
        assert (await host.http.get(f"{FILES}/f1", headers=ALICE)).content == PNG


async def test_only_what_was_asked_for_is_taken(store: str) -> None:
    async def body(size: int) -> AsyncIterator[bytes]:
        for _ in range(size >> 16):
            yield b"x" * (1 << 16)

    async with hosting(store, KEYED) as host:
        await asked(host)
        problem(await put(host, type_="text/html"), 415, "unsupported_media_type")
        problem(await put(host, type_=None), 415, "unsupported_media_type")
        problem(await put(host, type_="image"), 415, "unsupported_media_type")
        said = problem(await put(host, data=b"x" * ((3 << 20) + 1)), 413, "payload_too_large")
        assert said["limit"] == 3 << 20
        problem(await put(host, data=body((3 << 20) + (1 << 16))), 413, "payload_too_large")  # chunked, of no length
        assert await streams(host) == []
        problem(await put(host, "a b"), 400, "invalid_name")
        for path in ("%2e%2e", "..%2fjournal", "%2e%2e/journal", "f1/x", "f1%00", "a%5cb", ""):
            refused = await host.http.put(
                f"{FILES}/{path}", content=PNG, headers={**ALICE, "content-type": "image/png"}
            )
            assert refused.status_code in {400, 404, 405}, path
        assert await streams(host) == []
        await host.ask(name="plain:0")
        problem(await put(host, at="/v1/runs/r1/inputs/plain:0/files"), 400, "bad_request")
        assert (await put(host, data=body(3 << 20))).status_code == 201


async def test_there_are_only_so_many_for_a_request(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_records, "MOST_FILES", 4)
    monkeypatch.setattr(file_records, "MOST_TOTAL", 100)
    async with hosting(store, KEYED) as host:
        await asked(host)
        sent = await asyncio.gather(*(put(host, f"f{number}", b"x") for number in range(6)))
        assert sorted(one.status_code for one in sent) == [201] * 4 + [413] * 2
        assert len(await streams(host)) == 4
        gone = next(one for one in range(6) if sent[one].status_code == 201)
        assert (await host.http.delete(f"{FILES}/f{gone}", headers=ALICE)).status_code == 204
        problem(await put(host, "another", b"x" * 98), 413, "payload_too_large")
        assert (await put(host, "another", b"x" * 97)).status_code == 201


async def test_the_same_again_changes_nothing_and_another_is_refused(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await asked(host)
        first = await kept(host, name="a.png")
        again = await put(host, name="a.png")
        assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
        assert again.json()["attachment"] == first
        problem(await put(host, data=PNG + b"!", name="a.png"), 409, "stream_conflict")
        problem(await put(host, name="b.png"), 409, "stream_conflict")
        problem(await put(host, name="a.png", who=BOB), 409, "stream_conflict")
        assert (await host.http.get(f"{FILES}/f1", headers=ALICE)).content == PNG


async def test_an_answer_has_only_what_its_sender_has_attached(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await asked(host)
        await asked(host, name="other:0")
        await asked(host, run_id="r2")
        mine = await kept(host, "mine")
        bobs = await kept(host, "bobs", who=BOB)
        others = await kept(host, "others", at="/v1/runs/r1/inputs/other:0/files")
        elsewhere = await kept(host, "elsewhere", at="/v1/runs/r2/inputs/approve:0/files")
        for wrong in (
            bobs,
            others,
            elsewhere,
            {**mine, "stream": "runs/r1/files/none"},
            {**mine, "stream": "runs/r2/files/mine"},
            {**mine, "size": 1},
            {**mine, "sha256": "0" * 64},
            {**mine, "type": "image/gif"},
            {**mine, "name": "other.png"},
        ):
            refused = problem(await answer(host, {"receipt": mine, "more": [wrong]}), 422, "invalid_answer")
            assert [one["pointer"] for one in refused["errors"]] == ["/more/0"], wrong
            assert refused["row"]["status"] == "pending"
        for unlike in (
            {**mine, "size": 4 << 20},
            {**mine, "type": "text/html"},
            {**mine, "more": 1},
            "runs/r1/files/mine",
        ):
            refused = problem(await answer(host, {"receipt": unlike}), 422, "invalid_answer")
            assert [one["pointer"] for one in refused["errors"]] == ["/receipt"]
        assert (await answer(host, {"receipt": mine, "note": {"a": 1}})).status_code == 200


async def test_what_a_request_shows_may_be_answered_with_and_read_by_all_who_see_it(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await asked(host)
        receipt = await kept(host)
        assert (await answer(host, {"receipt": receipt})).status_code == 200
        await asked(host, name="check:0", spec={"show": {"receipt": receipt}, "schema": FORM}, to=("user:eve",))
        at = "/v1/runs/r1/inputs/check:0/files"
        assert (await host.http.get(f"{at}/f1", headers=EVE)).content == PNG
        problem(await host.http.get(f"{FILES}/f1", headers=EVE), 403, "forbidden")
        assert (await answer(host, {"receipt": receipt}, EVE, "s2", "check:0")).status_code == 200


async def test_nothing_is_sent_for_what_is_decided(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await asked(host)
        begun, end = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield PNG
            begun.set()
            await end.wait()
            yield PNG

        sending = asyncio.create_task(put(host, "slow", slow()))
        await begun.wait()
        assert (await put(host, "quick")).status_code == 201  # nobody waits for a slow body
        assert (await host.http.get("/v1/stream/runs/r1/files/slow", headers=READER)).status_code == 404
        await host.record("r1", InputExpired(at=host.engine.clock.now_ms(), id="approve:0"))
        end.set()
        problem(await sending, 409, "expired")
        problem(await put(host, "late"), 409, "expired")
        assert await streams(host) == ["runs/r1/files/quick"]


async def test_a_body_that_breaks_off_leaves_nothing(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await asked(host)

        async def broken() -> AsyncIterator[bytes]:
            yield PNG * 1_000
            raise ConnectionError

        with suppress(ConnectionError):
            await put(host, data=broken())
        async with asyncio.timeout(20):
            while await streams(host):
                await asyncio.sleep(0.01)
            while (again := await put(host)).status_code == 409:  # the broken one is just being looked at
                assert again.json()["code"] == "stream_conflict"
                await asyncio.sleep(0.01)
        assert again.status_code == 201
