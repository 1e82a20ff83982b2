"""Revoked tokens: refused in the API, by the fast lane, and in the middle of a live read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from signoff import tokens
from tests.server.hosting import KEYED, SECRET, Host, bearer, hosting, problem

BOSS = bearer("boss", "operator")


def of(sub: str, jti: str, *grants: str) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens.mint(SECRET, sub, grants=grants, jti=jti)}"}


async def revoke(host: Host, **body: str) -> None:
    answer = await host.post("/v1/tokens/revoke", body, **BOSS)
    assert answer.status_code == 200, answer.text


async def test_one_token_or_all_of_a_person_is_refused_at_once() -> None:
    async with hosting(config=KEYED) as host:
        one, two, bob = of("alice", "a1"), of("alice", "a2"), of("bob", "b1")

        async def statuses() -> list[int]:
            return [(await host.http.get("/v1/inputs", headers=who)).status_code for who in (one, two, bob)]

        assert await statuses() == [200, 200, 200]
        await revoke(host, jti="a1")
        assert await statuses() == [401, 200, 200]
        await revoke(host, sub="alice")
        assert await statuses() == [401, 401, 200]


async def test_the_fast_lane_refuses_what_it_had_planned() -> None:
    async with hosting(config=KEYED) as host:
        writer, other = of("alice", "a1", "stream:write:*"), of("bob", "b1", "stream:write:*")
        text = {"content-type": "text/plain"}
        assert (await host.http.put("/v1/stream/chat/1", headers={**writer, **text})).status_code == 201

        async def append(who: dict[str, str]) -> int:
            return (await host.http.post("/v1/stream/chat/1", content=b"x", headers={**who, **text})).status_code

        assert [await append(who) for who in (writer, writer, other, other)] == [204] * 4
        await revoke(host, jti="a1")
        assert [await append(who) for who in (writer, writer, other, other)] == [401, 401, 204, 204]


async def test_live_reads_end_with_what_let_them_begin() -> None:
    async with hosting(config=KEYED) as host:
        reader, other = of("alice", "a1", "stream:read:*"), of("bob", "b1", "stream:read:*")
        put = {**BOSS, "content-type": "text/plain"}
        assert (await host.http.put("/v1/stream/chat/1", headers=put, content=b"x")).status_code == 201
        url = "/v1/stream/chat/1?offset=-1&live=sse"
        async with (
            asyncio.timeout(10),
            host.http.stream("GET", url, headers=reader) as ending,
            host.http.stream("GET", url, headers=other) as going_on,
        ):
            await anext(lines := ending.aiter_lines())
            await anext(others := going_on.aiter_lines())
            now = await host.http.get("/v1/stream/chat/1", headers=reader)
            poll = f"/v1/stream/chat/1?offset={now.headers['stream-next-offset']}&live=long-poll"
            waiting = asyncio.create_task(host.http.get(poll, headers=reader))
            await _readers(host, 3)
            await revoke(host, sub="alice")
            assert [line async for line in lines]  # and then the response has ended
            problem(await waiting, 401, "unauthorized")
            await host.http.post("/v1/stream/chat/1", headers=put, content=b"more")
            assert await _says(others, "more")


async def _readers(host: Host, count: int) -> None:
    while len(host.engine.hub._channels["chat/1"].waiting) != count:
        await asyncio.sleep(0.01)


async def _says(lines: AsyncIterator[str], text: str) -> bool:
    async for line in lines:
        if text in line:
            return True
    return False
