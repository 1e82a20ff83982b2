from __future__ import annotations

from tests.protocol.material import complaints
from tests.server.hosting import KEYED, bearer, hosting, problem


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
