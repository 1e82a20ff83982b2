"""Who calls, as the server tells them."""

from __future__ import annotations

from signoff.embed import Signoff
from signoff.server.access.identity import Identity
from signoff.server.config import ServerConfig
from signoff.server.http.reply import Scope
from tests.server.hosting import KEYED, bearer, hosting, problem, unsecured
from tests.test_embed import serving, starlette


async def test_without_a_key_whoever_calls_is_the_operator_or_whom_they_name() -> None:
    async with hosting() as host:
        nobody: dict[str, object] = {
            "person": None,
            "principals": [],
            "operator": True,
            "grants": [],
            "sign_in": "open",
        }
        assert (await host.http.get("/v1/me")).json() == nobody
        reply = await host.http.get("/v1/me", headers=unsecured("alice", "run:read:*", groups=("finance",)))
        assert reply.json() == {
            "person": "user:alice",
            "principals": ["group:finance", "user:alice"],
            "operator": False,
            "grants": ["run:read:*"],
            "sign_in": "open",
        }


async def test_with_a_key_nobody_is_told_that_a_token_is_wanted() -> None:
    async with hosting(config=KEYED) as host:
        reply = await host.http.get("/v1/me")
        assert reply.json() == {"person": None, "principals": [], "operator": False, "grants": [], "sign_in": "token"}
        assert reply.headers["cache-control"] == "no-store"
        assert (await host.http.get("/v1/me", headers=bearer("boss", "operator"))).json()["operator"] is True
        forged = bearer("boss", key=b"another key, long enough for HS256")
        problem(await host.http.get("/v1/me", headers=forged), 401, "unauthorized")


async def test_inside_an_application_that_says_who_calls(store: str) -> None:
    def identify(scope: Scope) -> Identity:
        return Identity("ann") if b"cookie" in dict(scope["headers"]) else Identity()

    async with serving(starlette(Signoff(store, config=ServerConfig(), identify=identify), "/x")) as http:
        assert (await http.get("/x/v1/me", headers={"cookie": "a=1"})).json()["person"] == "user:ann"
        reply = (await http.get("/x/v1/me")).json()
        assert (reply["person"], reply["operator"], reply["sign_in"]) == (None, False, "host")
