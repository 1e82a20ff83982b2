"""Durable streams over HTTP: what the official suite does not ask, on a real server."""

from __future__ import annotations

import asyncio
import json

import pytest

from signoff.errors import Forbidden, Unauthorized
from signoff.server.http.reply import Scope
from signoff.testing.store_contract.laws import grow
from tests.server.streams.scene import problem, site

TEXT = {"content-type": "text/plain"}
JSON = {"content-type": "application/json"}


async def test_a_day_in_the_life() -> None:
    async with site() as s:
        made = await s.web.put("/chat/1", headers={**JSON, "stream-ttl": "60"}, content=b'[{"n":1}]')
        assert made.status_code == 201
        assert made.headers["location"] == f"http://127.0.0.1:{s.port}/v1/stream/chat/1"
        assert made.headers["stream-next-offset"] == "0000000000000001"
        again = await s.web.put("/chat/1", headers={**JSON, "stream-ttl": "60"})
        assert again.status_code == 200
        assert "location" not in again.headers
        sent = await s.web.post("/chat/1", headers=JSON, content=b'{"n":12345678901234567890123}')
        assert (sent.status_code, sent.headers["stream-next-offset"]) == (204, "0000000000000002")
        got = await s.web.get("/chat/1", params={"offset": "-1"})
        assert got.content == b'[{"n":1},{"n":12345678901234567890123}]'
        assert got.headers["stream-up-to-date"] == "true"
        described = await s.web.head("/chat/1")
        assert described.headers["stream-ttl"] == "60"
        assert "content-length" not in described.headers
        closed = await s.web.post("/chat/1", headers={"stream-closed": "TRUE"})
        assert closed.headers["stream-closed"] == "true"
        late = await s.web.post("/chat/1", headers=JSON, content=b"1")
        problem(late, 409, "stream_closed")
        assert late.headers["stream-closed"] == "true"
        assert late.headers["stream-next-offset"] == "0000000000000002"
        assert (await s.web.delete("/chat/1")).status_code == 204
        problem(await s.web.get("/chat/1"), 404, "stream_not_found")


async def test_a_read_from_within_an_append_alters_no_byte() -> None:
    async with site() as s:
        await s.web.put("/s", headers=JSON, content=b'[1.0, {"a" : [2,3]} ,"x,y", 1e2]')
        got = await s.web.get("/s", params={"offset": "0000000000000001"})
        assert got.content == b'[{"a" : [2,3]} ,"x,y", 1e2]'
        assert got.headers["etag"].strip('"').split(":")[1:] == ["0000000000000001", "0000000000000004"]


async def test_producers_learn_where_they_are() -> None:
    async with site() as s:
        await s.web.put("/s", headers=TEXT)

        async def send(epoch: int, seq: int) -> tuple[int, dict[str, str]]:
            marks = {"producer-id": "p", "producer-epoch": str(epoch), "producer-seq": str(seq)}
            response = await s.web.post("/s", headers={**TEXT, **marks}, content=b"x")
            return response.status_code, {k: v for k, v in response.headers.items() if k.startswith("producer")}

        assert await send(0, 0) == (200, {"producer-epoch": "0", "producer-seq": "0"})
        assert await send(0, 1) == (200, {"producer-epoch": "0", "producer-seq": "1"})
        assert await send(0, 0) == (204, {"producer-epoch": "0", "producer-seq": "1"})
        assert await send(0, 3) == (409, {"producer-expected-seq": "2", "producer-received-seq": "3"})
        assert await send(1, 0) == (200, {"producer-epoch": "1", "producer-seq": "0"})
        assert await send(0, 2) == (403, {"producer-epoch": "1"})
        assert (await s.web.get("/s")).text == "xxx"


async def test_caching() -> None:
    async with site() as s:
        await s.web.put("/s", headers=TEXT, content=b"abc")
        got = await s.web.get("/s")
        assert got.headers["cache-control"] == "public, max-age=60, stale-while-revalidate=300"
        fresh = await s.web.get("/s", headers={"if-none-match": f'"other", {got.headers["etag"]}'})
        assert (fresh.status_code, fresh.content) == (304, b"")
        assert "content-length" not in fresh.headers
        await s.web.post("/s", headers={"stream-closed": "true"})
        assert (await s.web.get("/s", headers={"if-none-match": got.headers["etag"]})).status_code == 200
        mine = await s.web.get("/s", headers={"authorization": "Bearer x"})
        assert mine.headers["cache-control"].startswith("private")
        now = await s.web.get("/s", params={"offset": "now"})
        assert now.headers["cache-control"] == "no-store"
        assert "etag" not in now.headers
        await s.one.committer.commit(grow("inbox/user:a", 0, b"1"))
        inbox = await s.web.get("/inbox/user:a")
        assert inbox.headers["cache-control"] == "private, no-store"
        assert inbox.headers["cross-origin-resource-policy"] == "same-origin"
        assert got.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_html_in_a_stream_cannot_act_in_the_server_s_name() -> None:
    async with site() as s:
        await s.web.put("/s", headers={"content-type": "text/html"}, content=b"<script>alert(1)</script>")
        got = await s.web.get("/s")
        assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert got.headers["x-content-type-options"] == "nosniff"


async def test_the_engine_s_streams_take_no_foreign_writes() -> None:
    async with site() as s:
        for path in ("runs/r1", "inbox/user:a", "workflows/w", "runs/r1/journal"):
            problem(await s.web.put(f"/{path}", headers=JSON), 403, "engine_owned")
            problem(await s.web.post(f"/{path}", headers=JSON, content=b"1"), 403, "engine_owned")
            problem(await s.web.post(f"/{path}", headers={"stream-closed": "true"}), 403, "engine_owned")
            problem(await s.web.delete(f"/{path}"), 403, "engine_owned")
            assert await s.one.store.load_stream(path) is None


async def test_what_is_not_there_yet_says_so() -> None:
    async with site() as s:
        problem(await s.web.put("/__ds/subscriptions/a", headers=JSON), 501, "not_supported")
        problem(await s.web.get("/f"), 404, "stream_not_found")


async def test_access_is_asked_before_anything_is_told() -> None:
    asked: list[tuple[str, str]] = []

    def authorize(_scope: Scope, path: str, method: str) -> None:
        asked.append((path, method))
        if path == "secret":
            raise Unauthorized if method == "GET" else Forbidden

    async with site(authorize=authorize) as s:
        refused = await s.web.get("/secret")
        problem(refused, 401, "unauthorized")
        assert refused.headers["www-authenticate"] == "Bearer"
        for method in ("PUT", "POST", "DELETE"):
            problem(await s.web.request(method, "/secret", headers=TEXT, content=b"x"), 403, "forbidden")
        assert (await s.web.head("/secret")).status_code == 403
        assert await s.one.store.load_stream("secret") is None
        assert (await s.web.put("/open", headers=TEXT)).status_code == 201
        assert (await s.web.options("/secret")).status_code == 204
    assert asked[0] == ("secret", "GET")
    assert asked[-1] == ("open", "PUT")


async def test_cors_for_everybody_and_for_some() -> None:
    page = {"origin": "https://app.example"}
    async with site() as s:
        preflight = await s.web.options("/s", headers={**page, "access-control-request-method": "POST"})
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "*"
        allowed = preflight.headers["access-control-allow-headers"]
        assert all(name in allowed for name in ("authorization", "producer-seq", "stream-closed", "if-none-match"))
        assert "DELETE" in preflight.headers["access-control-allow-methods"]
        missing = await s.web.get("/s", headers=page)
        assert "stream-next-offset" in missing.headers["access-control-expose-headers"]
    async with site(origins=("https://app.example",)) as s:
        own = await s.web.get("/s", headers=page)
        assert own.headers["access-control-allow-origin"] == "https://app.example"
        assert own.headers["vary"] == "origin"
        other = await s.web.get("/s", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        assert other.headers["vary"] == "origin"


async def test_other_methods() -> None:
    async with site() as s:
        for method in ("PATCH", "TRACE", "QUERY"):
            status, headers, body = await s.ask(method, "/v1/stream/s")
            assert status == 405, method
            assert headers["allow"] == "GET, HEAD, POST, PUT, DELETE, OPTIONS"
            assert json.loads(body)["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "target",
    [b"/v1/stream/", b"/v1/stream//", b"/v1/stream/a//b", b"/v1/stream/a/", b"/v1/stream/../secret",
     b"/v1/stream/a/../b", b"/v1/stream/%2e%2e/b", b"/v1/stream/a/%2e", b"/v1/stream/a%2fb", b"/v1/stream/a%5Cb",
     b"/v1/stream/a%00b", b"/v1/stream/a%0d%0aset-cookie:x", b"/v1/stream/%ff%fe", b"/v1/stream/%252e%252e",
     b"/v1/stream/" + b"x" * 1025, b"/v1/stream/%ed%a0%80"],
)  # fmt: skip
async def test_path_tricks(target: bytes) -> None:
    async with site() as s:
        for method in ("GET", "PUT", "POST", "DELETE"):
            status, _, body = await s.ask(method, target, "content-type: text/plain")
            assert (status, json.loads(body)["code"]) == (400, "bad_request"), method
        assert not s.one.committer.changes


@pytest.mark.parametrize(
    "query",
    ["offset=", "offset=abc", "offset=-2", "offset=0,1", "offset=0%201", "offset=%00", "offset=%ff", "offset=..%2f..",
     "offset=-1&offset=-1", "offset=a&offset=b", "offset=0000000000000099", "offset=-1&live=websocket", "live=sse",
     "live=long-poll", "offset=-1&live=", "offset=-1&live=sse&live=sse", "offset=x&live=sse", "offset=x&live=long-poll",
     "offset=-1&cursor=1&cursor=2", "&".join(f"a{n}=1" for n in range(100)), "offset=" + "9" * 5000],
)  # fmt: skip
async def test_malformed_queries(query: str) -> None:
    async with site() as s:
        await s.web.put("/s", headers=TEXT, content=b"abc")
        response = await s.web.get(f"/s?{query}")
        assert response.status_code == 400
        assert response.headers["content-type"] == "application/problem+json"
        assert s.one.hub.watched == 0


@pytest.mark.parametrize(
    ("method", "headers", "body"),
    [
        ("PUT", {"stream-ttl": "01"}, b""),
        ("PUT", {"stream-ttl": "60", "stream-expires-at": "2030-01-01T00:00:00Z"}, b""),
        ("PUT", {"stream-expires-at": "soon"}, b""),
        ("PUT", {"content-type": "nonsense"}, b""),
        ("PUT", {"content-type": "text/plain; \x01"}, b""),
        ("PUT", JSON, b"{"),
        ("PUT", JSON, b"\xff"),
        ("POST", JSON, b""),
        ("POST", JSON, b"[]"),
        ("POST", JSON, b'{"a":1}{"b":2}'),
        ("POST", JSON, b"\xff\xfe"),
        ("POST", JSON, b'"\\ud800"'),
        ("POST", JSON, b"[" * 2000 + b"]" * 2000),
        ("POST", {}, b"1"),
        ("POST", {"content-type": "x"}, b"1"),
        ("POST", {**JSON, "stream-seq": ""}, b"1"),
        ("POST", {**JSON, "producer-id": "p"}, b"1"),
        ("POST", {**JSON, "producer-id": "p", "producer-epoch": "0", "producer-seq": "1e3"}, b"1"),
        ("POST", {**JSON, "producer-id": "", "producer-epoch": "0", "producer-seq": "0"}, b"1"),
        ("POST", {**JSON, "stream-closed": "true"}, b"[]"),
    ],
)  # fmt: skip
async def test_malformed_writes_store_nothing(method: str, headers: dict[str, str], body: bytes) -> None:
    async with site() as s:
        await s.web.put("/s", headers=JSON)
        before = len(s.one.committer.changes)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        path = "/s" if method == "POST" else "/new"
        raw = f"{method} /v1/stream{path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        status, _, told = await s.raw(raw.encode() + "".join(f"{x}\r\n" for x in lines).encode() + b"\r\n" + body)
        if status != 400 or told[:1] != b"{":  # the HTTP parser refuses control characters by itself
            assert (status, told) == (400, b"Invalid HTTP request received.")
        assert len(s.one.committer.changes) == before


@pytest.mark.parametrize("name", ["content-type", "producer-id", "stream-closed", "stream-seq", "authorization"])
async def test_headers_that_decide_something_come_once(name: str) -> None:
    async with site() as s:
        status, _, body = await s.ask("POST", "/v1/stream/s", f"{name}: a", f"{name}: b")
        assert (status, json.loads(body)["code"]) == (400, "bad_request")


async def test_a_location_repeats_no_nonsense_host() -> None:
    async with site() as s:
        raw = b'PUT /v1/stream/s HTTP/1.1\r\nhost: evil/"<x>\r\nconnection: close\r\n\r\n'
        status, headers, _ = await s.raw(raw)
        assert (status, headers["location"]) == (201, "/v1/stream/s")


async def test_bodies_are_bounded_whether_announced_or_not() -> None:
    async with site() as s:
        await s.web.put("/s", headers=TEXT)
        limit = 64 * 1024
        assert (await s.web.post("/s", headers=TEXT, content=b"x" * limit)).status_code == 204
        head = b"POST /v1/stream/s HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n"
        status, headers, body = await s.raw(head + b"content-length: %d\r\n\r\n" % (limit + 1))
        assert (status, headers["connection"], json.loads(body)["code"]) == (413, "close", "payload_too_large")
        chunk = b"%x\r\n%s\r\n" % (40_000, b"x" * 40_000)
        status, _, body = await s.raw(head + b"transfer-encoding: chunked\r\n\r\n" + chunk * 2)
        assert (status, json.loads(body)["limit"]) == (413, limit)
        assert (await s.web.head("/s")).headers["stream-next-offset"] == f"{limit:016d}"


async def test_compressed_bodies_are_refused() -> None:
    async with site() as s:
        await s.web.put("/s", headers=TEXT)
        for method, path in (("POST", "/s"), ("PUT", "/new")):
            refused = await s.web.request(method, path, headers={**TEXT, "content-encoding": "gzip"}, content=b"x")
            problem(refused, 415, "unsupported_media_type")
        assert (await s.web.get("/s")).content == b""
        problem(await s.web.get("/new"), 404, "stream_not_found")


async def test_a_client_that_leaves_amid_its_body_stores_nothing() -> None:
    async with site() as s:
        await s.web.put("/s", headers=TEXT)
        _, writer = await asyncio.open_connection("127.0.0.1", s.port)
        writer.write(b"POST /v1/stream/s HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n")
        writer.write(b"content-length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await s.web.get("/s")).content == b""
