"""Compaction over HTTP: the option, the snapshot and its headers, and what becomes of offsets."""

from __future__ import annotations

from typing import Any

import httpx

from signoff.streams import offset, state
from tests.server.streams.scene import Site, site

STATE = {"stream-compaction": "state", "content-type": "application/json"}


def change(n: int, key: str) -> dict[str, Any]:
    headers = {"operation": "update" if n >= 10 else "insert", "txid": f"t{n}", "timestamp": "2026-01-02T03:04:05.000Z"}
    return {"type": "reading", "key": key, "value": {"n": n}, "headers": headers}


def changes(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [change(n, f"k{n % 10}") for n in range(start, start + count)]


async def fill(here: Site, path: str, count: int) -> None:
    for start in range(0, count, 100):
        reply = await here.web.post(path, json=changes(min(100, count - start), start))
        assert reply.status_code == 204, reply.text
    here.one.compactor.want(path[1:])
    await here.one.compactor.idle()


async def refused(here: Site, method: str, path: str, **request: Any) -> str:
    reply = await here.web.request(method, path, **request)
    assert reply.status_code == 400, reply.text
    return str(reply.json()["detail"])


async def test_the_option_is_part_of_the_configuration() -> None:
    async with site() as here:
        made = await here.web.put("/s", headers=STATE)
        assert (made.status_code, made.headers["stream-compaction"]) == (201, "state")
        assert (await here.web.put("/s", headers=STATE)).status_code == 200
        assert (await here.web.put("/s", headers={"content-type": "application/json"})).status_code == 409
        assert (await here.web.head("/s")).headers["stream-compaction"] == "state"
        await here.web.put("/plain", headers={"content-type": "application/json"})
        assert "stream-compaction" not in (await here.web.head("/plain")).headers
        assert "state" in await refused(here, "PUT", "/t", headers={**STATE, "stream-compaction": "log"})
        assert "json" in await refused(here, "PUT", "/t", headers={**STATE, "content-type": "text/plain"})
        fork = {**STATE, "stream-forked-from": "/v1/stream/s"}
        assert "fork" in await refused(here, "PUT", "/t", headers=fork)
        assert "headers" in await refused(here, "POST", "/s", json=[change(1, "a"), {"n": 1}])
        assert (await here.web.head("/t")).status_code == 404
        assert (await here.web.get("/s")).json() == []


async def test_a_snapshot_says_what_it_is_of() -> None:
    async with site() as here:
        await here.web.put("/s", headers=STATE)
        await fill(here, "/s", 1000)
        for asked in ("", "?offset=-1"):
            first = await here.web.get(f"/s{asked}")
            assert first.json() == [
                {**one, "headers": {**one["headers"], "operation": "insert"}} for one in changes(10, 990)
            ]
            assert first.headers["stream-next-offset"] == offset.encode(1000)
            assert first.headers["stream-up-to-date"] == "true"
            assert first.headers["stream-compaction"] == "state"
            assert first.headers["cache-control"] == "public, no-cache"
        again = await here.web.get("/s", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.headers["stream-next-offset"]) == (304, offset.encode(1000))
        await here.web.post("/s", json=change(1000, "k0"))
        changed = await here.web.get("/s", headers={"if-none-match": first.headers["etag"]})
        assert changed.status_code == 200
        assert changed.headers["etag"] != first.headers["etag"]
        assert state.fold(changed.json()) == state.fold(changes(1001))
        history = await here.web.get("/s", params={"offset": offset.encode(0)})
        assert history.json() != changed.json()
        assert history.headers["etag"] != changed.headers["etag"]
        assert "stream-compaction" not in history.headers


async def test_live_readers_start_with_rows() -> None:
    async with site() as here:
        await here.web.put("/s", headers=STATE)
        await fill(here, "/s", 600)
        await here.web.post("/s", json=changes(100, 600))
        polled = await here.web.get("/s", params={"offset": "-1", "live": "long-poll"})
        assert (polled.status_code, len(polled.json())) == (200, 110)  # ten rows, and what came after
        assert polled.headers["stream-next-offset"] == offset.encode(700)
        async with here.web.stream("GET", "/s", params={"offset": "-1", "live": "sse"}) as reply:
            assert reply.headers["stream-compaction"] == "state"
            text = ""
            async for part in reply.aiter_text():
                text += part
                if "event: control" in text and text.endswith("\n\n"):
                    break
        assert f'"streamNextOffset":"{offset.encode(700)}"' in text
        assert text.count("event: data") == 1


async def test_an_offset_is_valid_or_gone() -> None:
    async with site() as here:
        await here.web.put("/s", headers=STATE)
        for start in range(0, 12_600, 300):
            await here.web.post("/s", json=changes(300, start))
        await here.one.compactor.idle()
        base = (await here.one.streams.head("s")).base
        assert base == 2_000
        kept = await here.web.get("/s", params={"offset": offset.encode(base)})
        assert kept.json()[0] == change(base, "k0")
        for live in ({}, {"live": "sse"}, {"live": "long-poll"}):
            gone = await here.web.get("/s", params={"offset": offset.encode(base - 1), **live})
            assert (gone.status_code, gone.json()["code"]) == (410, "gone")
        fresh = await _follow(here.web, "-1")
        assert state.fold(fresh) == state.fold(changes(12_600))


async def _follow(web: httpx.AsyncClient, token: str) -> list[Any]:
    got: list[Any] = []
    while True:
        reply = await web.get("/s", params={"offset": token})
        got += reply.json()
        token = reply.headers["stream-next-offset"]
        if "stream-up-to-date" in reply.headers:
            return got
