from __future__ import annotations

import asyncio

from tests.protocol.material import complaints
from tests.server.hosting import KEYED, bearer, hosting, problem
from tests.servers import RedisServer


async def test_operators_are_told_what_is_wrong(store: str) -> None:
    async with hosting(store, config=KEYED) as host:
        root, alice = bearer("root", "operator"), bearer("alice", "run:read:*", "workflow:list:*")
        problem(await host.http.get("/v1/doctor"), 401, "unauthorized")
        problem(await host.http.get("/v1/doctor", headers=alice), 403, "forbidden")
        problem(await host.http.get("/v1/doctor?deep=1", headers=root), 400, "bad_request")
        reply = await host.http.get("/v1/doctor", headers=root)
        assert (reply.status_code, complaints("doctor-reply.json", reply.json())) == (200, [])
        found = {finding["check"]: finding["level"] for finding in reply.json()["findings"]}
        assert (found["store"], found["queue"], found["workers"]) == (
            "ok" if store.startswith(("sqlite:", "postgresql:")) else "note",  # Redis flushes its log every second
            "ok",
            "note",
        )


async def test_operators_are_told_why_a_store_cannot_be_used_or_trusted(own_redis: RedisServer) -> None:
    """Others are told no more than that it is so."""
    async with hosting(own_redis.url(), config=KEYED) as host:

        async def wrong() -> dict[str, str]:
            reply = await host.http.get("/v1/doctor", headers=bearer("root", "operator"))
            assert (reply.status_code, complaints("doctor-reply.json", reply.json())) == (200, [])
            return {one["check"]: one["says"] for one in reply.json()["findings"] if one["level"] == "wrong"}

        assert await wrong() == {}
        own_redis.command("CONFIG", "SET", "appendonly", "no")
        assert "keeps no append-only file" in (await wrong())["settings"]
        await asyncio.to_thread(own_redis.kill)
        found = await wrong()
        assert list(found) == ["store"]
        assert f"Redis at 127.0.0.1:{own_redis.port} cannot be used: nothing listens there" in found["store"]
        told = problem(await host.http.get("/v1/runs", headers=bearer("root", "operator")), 503, "store_unavailable")
        assert "127.0.0.1" not in told["detail"]
