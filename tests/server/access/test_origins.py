"""Pages of other origins, and hosts: what is refused without a key, and what CORS allows."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from signoff.errors import Forbidden
from signoff.server.access.origins import OriginPolicy
from signoff.server.config import ServerConfig
from tests.server.hosting import KEYED, SECRET, bearer, hosting, problem


async def test_without_a_key_only_this_machine_is_addressed() -> None:
    async with hosting() as host:
        for name in ("localhost", "127.0.0.1:4437", "[::1]:4437", "LOCALHOST"):
            assert (await host.http.get("/v1/runs", headers={"host": name})).status_code == 200, name
        for name in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[", "10.0.0.1"):
            problem(await host.http.get("/v1/runs", headers={"host": name}), 403, "forbidden")
            problem(await host.http.get("/v1/stream/runs/r1", headers={"host": name}), 403, "forbidden")
    async with hosting(config=KEYED) as host:
        assert (await host.http.get("/health", headers={"host": "signoff.example"})).status_code == 200


async def test_without_a_key_foreign_pages_are_refused() -> None:
    async with hosting(config=ServerConfig(origins=("https://app.example",))) as host:
        before = await host.everything()
        own = httpx.URL(host.url)
        foreign = [
            "https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1:1@evil", "",
            "http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", f"http://localhost:{own.port}",
            f"http://[::1]:{own.port}", "http://127.0.0.1", f"ftp://127.0.0.1:{own.port}", f"{host.url}/",
            f"http://x@127.0.0.1:{own.port}",
        ]  # fmt: skip
        for origin in foreign:
            headers = {"origin": origin}
            reply = await host.http.post("/v1/runs", json={"workflow": "expense"}, headers=headers)
            problem(reply, 403, "forbidden")
            assert "access-control-allow-origin" not in reply.headers
            problem(await host.http.get("/v1/stream/runs/r1/journal", headers=headers), 403, "forbidden")
            problem(await host.http.options("/v1/runs", headers=headers), 403, "forbidden")
        assert await host.everything() == before
        for origin in ("https://app.example", host.url):
            reply = await host.http.get("/v1/runs", headers={"origin": origin})
            assert reply.headers["access-control-allow-origin"] == origin
            assert "origin" in reply.headers["vary"]


async def test_a_proxy_that_keeps_the_host_is_the_page_s_own_server() -> None:
    """The way a development server passes requests on: the page's origin and the address asked for are the same."""

    async with hosting(config=ServerConfig(public_url="https://signoff.example/x", hosts=("box.local",))) as host:
        for origin, name in (
            ("http://localhost:5173", "localhost:5173"),
            ("https://localhost", "localhost"),
            ("https://localhost", "localhost:443"),
            ("http://box.local:3000", "box.local:3000"),
            ("https://signoff.example", "localhost:4437"),
        ):
            headers = {"origin": origin, "host": name}
            reply = await host.http.post("/v1/runs", json={"workflow": "expense"}, headers=headers)
            assert reply.status_code == 201, (origin, name)
        rebound = {"origin": "http://evil.example:4437", "host": "evil.example:4437"}
        problem(await host.http.get("/v1/runs", headers=rebound), 403, "forbidden")


async def test_without_a_key_nothing_is_a_part_of_a_foreign_page() -> None:
    """A browser sends images and scripts of a page without its origin, and says that they are of another site."""

    async with hosting() as host:
        for site in ("cross-site", "same-site"):
            part = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
            problem(await host.http.get("/v1/stream/runs/r1", headers=part), 403, "forbidden")
            problem(await host.http.get("/v1/runs", headers=part), 403, "forbidden")
            link = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
            assert (await host.http.get("/v1/runs", headers=link)).status_code == 200
        for site in ("same-origin", "none"):
            own = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
            assert (await host.http.get("/v1/runs", headers=own)).status_code == 200


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({}, ("traceparent", "tracestate", "baggage")),
        ({"allow_headers": ("x-request-id",)}, ("x-request-id",)),
        ({"allow_headers": ()}, ()),
    ],
)
async def test_preflights_allow_the_headers_a_server_is_told_of(config: dict[str, Any], names: tuple[str, ...]) -> None:
    asks = {"origin": "https://app.example", "access-control-request-method": "POST"}
    async with hosting(config=ServerConfig(secret=SECRET, origins=("https://app.example",), **config)) as host:
        for path in ("/v1/runs", "/v1/stream/chat"):
            reply = await host.http.options(path, headers=asks)
            allowed = set(reply.headers["access-control-allow-headers"].split(", "))
            assert {"authorization", "content-type", *names} <= allowed
            told = {"traceparent", "tracestate", "baggage", "x-request-id"}
            assert allowed & told == set(names)


async def test_preflights_allow_what_the_client_sends() -> None:
    async with hosting(config=ServerConfig(secret=SECRET, origins=("https://app.example",))) as host:
        asks = {"origin": "https://app.example", "access-control-request-method": "POST"}
        reply = await host.http.options("/v1/runs", headers=asks)
        assert reply.status_code == 204
        assert reply.headers["access-control-allow-origin"] == "https://app.example"
        assert "authorization" in reply.headers["access-control-allow-headers"]
        assert "POST" in reply.headers["access-control-allow-methods"]
        other = await host.http.options("/v1/runs", headers={**asks, "origin": "https://evil.example"})
        assert not [name for name in other.headers if name.startswith("access-control")]
        refused = await host.http.get("/v1/runs", headers={"origin": "https://app.example"})
        problem(refused, 401, "unauthorized")
        assert refused.headers["access-control-allow-origin"] == "https://app.example"


@pytest.mark.parametrize(("client", "allowed"), [("127.0.0.1", True), ("::1", True), ("192.0.2.7", False)])
def test_a_server_without_a_key_serves_this_machine_alone(client: str, allowed: bool) -> None:
    origins = OriginPolicy(keyless=True)
    scope = {"client": (client, 40000), "headers": [(b"host", b"localhost")], "method": "GET", "type": "http"}
    if allowed:
        origins.check(scope)
        assert origins.headers(scope) == []
    else:
        with pytest.raises(Forbidden, match="SIGNOFF_SECRET"):
            origins.check(scope)


FOREIGN = (
    "https://evil.example",
    "https://app.example.evil.example",
    "http://app.example",
    "https://app.example:444",
    "null",
    "*",
)


async def test_no_page_is_let_in_that_was_not_named_and_none_with_its_cookies() -> None:
    """Streams say `*`, which a browser takes for requests without cookies alone (0141); all else names the page."""
    config = ServerConfig(secret=SECRET, origins=("https://app.example",), rate=0)
    async with hosting(config=config) as host:
        await host.ask("r1")
        boss = bearer("boss", "operator")
        for path in ("/v1/runs", "/v1/runs/r1/inputs/approve:0/answer", "/v1/answer/a.b.c", "/health", "/nowhere"):
            for method in ("OPTIONS", "GET", "POST"):
                asks = {"access-control-request-method": "POST"} if method == "OPTIONS" else boss
                own = await host.http.request(method, path, headers={**asks, "origin": "https://app.example"})
                assert own.headers["access-control-allow-origin"] == "https://app.example", (method, path)
                assert "origin" in own.headers["vary"]
                assert "access-control-allow-credentials" not in own.headers
                for origin in FOREIGN:
                    other = await host.http.request(method, path, headers={**asks, "origin": origin})
                    assert not [name for name in other.headers if name.startswith("access-control-")], (path, origin)
        for path in ("runs/r1", "runs/r1/journal", "none", "__ds/jwks.json"):
            for method in ("OPTIONS", "GET", "POST"):
                asks = {"access-control-request-method": "POST"} if method == "OPTIONS" else boss
                for origin in ("https://app.example", *FOREIGN):
                    reply = await host.http.request(method, f"/v1/stream/{path}", headers={**asks, "origin": origin})
                    assert reply.headers["access-control-allow-origin"] == "*", (method, path)
                    assert "access-control-allow-credentials" not in reply.headers
                    assert "set-cookie" not in reply.headers
