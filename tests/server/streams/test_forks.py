"""Forks over HTTP: what their headers say, what is refused, and who may fork what (Durable Streams §4.2)."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from signoff.errors import Forbidden
from signoff.server.http.reply import Scope
from signoff.streams import offset
from signoff.testing.store_contract.laws import grow
from tests.server.streams.scene import Site, problem, site

TEXT = {"content-type": "text/plain"}


async def fork(s: Site, path: str, source: str, **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await s.web.put(path, headers={"stream-forked-from": f"/v1/stream/{source}", **given})


async def test_a_fork_answers_like_any_stream() -> None:
    async with site() as s:
        await s.web.put("/s", headers={**TEXT, "stream-ttl": "60"}, content=b"hello")
        made = await fork(s, "/f", "s", stream_fork_offset=offset.encode(1), stream_fork_sub_offset="2")
        assert made.status_code == 201
        assert made.headers["stream-next-offset"] == offset.encode(3)
        assert made.headers["stream-ttl"] == "60"
        assert made.headers["content-type"] == "text/plain"
        assert made.headers["location"].endswith("/v1/stream/f")
        again = await fork(s, "/f", "s", stream_fork_offset=offset.encode(3))
        assert (again.status_code, "location" in again.headers) == (200, False)
        read, head = await s.web.get("/f"), await s.web.head("/f")
        assert read.text == "hel"
        for response in (made, read, head):
            assert not [name for name in response.headers if name.startswith("stream-fork")]
        tag = read.headers["etag"]
        assert tag != (await s.web.get("/s")).headers["etag"]
        assert (await s.web.get("/f", headers={"if-none-match": tag})).status_code == 304


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"stream-fork-offset": "-1"}, 400, "bad_request"),
        ({"stream-fork-sub-offset": "0"}, 400, "bad_request"),
        ({"stream-forked-from": "/v1/stream/absent"}, 404, "stream_not_found"),
        ({"stream-forked-from": "s"}, 400, "bad_request"),
        ({"stream-forked-from": ""}, 400, "bad_request"),
        ({"stream-forked-from": "http://127.0.0.1/v1/stream/s"}, 400, "bad_request"),
        ({"stream-forked-from": "/v1/stream/"}, 400, "bad_request"),
        ({"stream-forked-from": "/v1/stream/../s"}, 400, "bad_request"),
        ({"stream-forked-from": "/v1/stream/a%2fb"}, 400, "bad_request"),
        ({"stream-forked-from": "/v1/stream/__ds/subscriptions/s"}, 400, "bad_request"),
        ({"stream-forked-from": "/v1/stream/s", "stream-fork-offset": ""}, 400, "invalid_offset"),
        ({"stream-forked-from": "/v1/stream/s", "stream-fork-offset": "3"}, 400, "invalid_offset"),
        ({"stream-forked-from": "/v1/stream/s", "stream-fork-offset": offset.encode(6)}, 400, "invalid_offset"),
        ({"stream-forked-from": "/v1/stream/s", "stream-fork-sub-offset": "1"}, 400, "bad_request"),
        (
            {"stream-forked-from": "/v1/stream/s", "stream-fork-offset": "-1", "stream-fork-sub-offset": "6"},
            400,
            "invalid_offset",
        ),
        (
            {"stream-forked-from": "/v1/stream/s", "stream-fork-offset": "-1", "stream-fork-sub-offset": "1_0"},
            400,
            "bad_request",
        ),
        ({"stream-forked-from": "/v1/stream/s", "content-type": "application/json"}, 409, "stream_conflict"),
        ({"stream-forked-from": "/v1/stream/s", "stream-ttl": "x"}, 400, "bad_request"),
    ],
)
async def test_what_cannot_be_forked_says_why_and_leaves_nothing(
    headers: dict[str, str], status: int, code: str
) -> None:
    async with site() as s:
        await s.web.put("/s", headers=TEXT, content=b"hello")
        problem(await s.web.put("/f", headers=headers), status, code)
        assert (await s.web.head("/f")).status_code == 404
        assert (await s.web.delete("/s")).status_code == 204
        assert (await s.web.head("/s")).status_code == 404


async def test_a_header_that_stands_there_twice_is_refused() -> None:
    async with site() as s:
        await s.web.put("/s", headers=TEXT, content=b"hello")
        for name in ("Stream-Forked-From: /v1/stream/s", "Stream-Fork-Offset: -1", "Stream-Fork-Sub-Offset: 0"):
            status, _, _ = await s.ask("PUT", "/v1/stream/f", "Stream-Forked-From: /v1/stream/s", name, name)
            assert status == 400


async def test_a_path_is_decoded_as_in_an_address() -> None:
    async with site() as s:
        await s.web.put("/a%20b/%C3%BC", headers=TEXT, content=b"hello")
        assert (await fork(s, "/f", "a%20b/%C3%BC")).status_code == 201
        assert (await s.web.get("/f")).text == "hello"


async def test_a_body_follows_what_is_inherited() -> None:
    async with site() as s:
        await s.web.put("/s", headers={"content-type": "application/json"}, content=b'[{"a":[1,2]}, "x,y", 3]')
        made = await s.web.put(
            "/f",
            headers={
                "stream-forked-from": "/v1/stream/s",
                "stream-fork-offset": "-1",
                "stream-fork-sub-offset": "2",
            },
            content=b'[{"mine":1}]',
        )
        assert made.status_code == 201
        assert (await s.web.get("/f")).json() == [{"a": [1, 2]}, "x,y", {"mine": 1}]
        assert (await s.web.get("/s")).json() == [{"a": [1, 2]}, "x,y", 3]


async def test_who_may_not_read_a_stream_may_not_fork_it_or_learn_of_it() -> None:
    def authorize(_scope: Scope, path: str, method: str) -> None:
        if path.startswith("runs/") and method == "GET":
            raise Forbidden("not for you")

    async with site(authorize=authorize) as s:
        await s.one.committer.commit(grow("runs/r1", 0, b"1"))
        for source in ("runs/r1", "runs/absent"):
            problem(await fork(s, "/f", source), 403, "forbidden")
            problem(await fork(s, "/f", source, stream_fork_offset="x"), 403, "forbidden")
        assert await s.one.store.load_stream("f") is None


async def test_whoever_may_read_a_run_may_go_on_from_it_elsewhere() -> None:
    async with site() as s:
        await s.one.committer.commit(grow("runs/r1", 0, b'{"a":1}', b'{"a":2}'))
        assert (await fork(s, "/mine", "runs/r1", stream_fork_offset=offset.encode(1))).status_code == 201
        await s.web.post("/mine", headers={"content-type": "application/json"}, content=b'{"mine":1}')
        assert (await s.web.get("/mine")).json() == [{"a": 1}, {"mine": 1}]
        problem(await fork(s, "/runs/r2", "mine"), 403, "engine_owned")
        # The engine goes on writing to its stream, and nobody else does.
        await s.one.committer.commit(grow("runs/r1", 1, b"3", close=True))
        assert (await s.web.get("/runs/r1")).json() == [{"a": 1}, {"a": 2}, 3]
        assert (await s.web.delete("/mine")).status_code == 204
        state = await s.one.store.load_stream("runs/r1")
        assert state is not None
        assert (state.head.refs, state.head.engine, state.head.closed, state.head.tail) == (0, True, True, 3)


async def test_a_deleted_source_is_gone_for_all_but_its_forks() -> None:
    async with site() as s:
        await s.web.put("/s", headers=TEXT, content=b"hello")
        await fork(s, "/f", "s")
        waiting = asyncio.create_task(s.web.get("/s?offset=now&live=long-poll"))
        assert (await s.web.delete("/s")).status_code == 204
        assert (await waiting).status_code in {204, 410}
        for refused in (
            s.web.get("/s"),
            s.web.get("/s?offset=now"),
            s.web.get("/s?offset=-1&live=sse"),
            s.web.post("/s", headers=TEXT, content=b"x"),
            s.web.post("/s", headers={"stream-closed": "true"}),
            s.web.delete("/s"),
        ):
            problem(await refused, 410, "stream_deleted")
        assert (await s.web.head("/s")).status_code == 410
        problem(await s.web.put("/s", headers=TEXT), 409, "stream_conflict")
        problem(await fork(s, "/g", "s"), 409, "stream_conflict")
        # The one who made the fork may still ask for it.
        assert (await fork(s, "/f", "s")).status_code == 200
        assert (await s.web.get("/f")).text == "hello"
        assert (await s.web.delete("/f")).status_code == 204
        assert (await s.web.head("/s")).status_code == 404
        assert (await s.web.put("/s", headers=TEXT)).status_code == 201
