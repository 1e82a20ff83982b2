"""Signoff inside applications of others, over uvicorn as it comes: at the root, below a prefix, stopped, restarted."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from signoff import App, Context
from signoff.embed import Signoff
from signoff.errors import Forbidden, Unauthorized
from signoff.server.access.authenticator import Identify
from signoff.server.access.identity import Identity
from signoff.server.app import Application, create_app
from signoff.server.config import ServerConfig
from signoff.server.http.reply import ASGI, Message, Scope
from signoff.server.streams.endpoints import StreamEndpoints
from signoff.service.engine import Engine
from signoff.stores.open import open_store
from tests.server.hosting import KEYED, bearer, problem

ROOT = Path(__file__).parents[1]
JSON = {"content-type": "application/json"}
OCTETS = "application/octet-stream"
app = App()


@app.workflow(expose=("output",))
async def double(ctx: Context, number: int) -> int:
    return 2 * number


async def _own(_request: object) -> PlainTextResponse:
    return PlainTextResponse("the host's own")


def starlette(signoff: Signoff, prefix: str) -> ASGI:
    return Starlette(lifespan=signoff.lifespan, routes=[Route("/own", _own), Mount(prefix, signoff)])


def fastapi(signoff: Signoff, prefix: str) -> ASGI:
    host = FastAPI(lifespan=signoff.lifespan)
    host.get("/own", response_class=PlainTextResponse)(lambda: "the host's own")
    host.mount(prefix, signoff)
    return host


@asynccontextmanager
async def serving(host: ASGI, *, root_path: str = "", **how: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Serve a host as uvicorn does by itself; give a client."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(host, log_config=None, access_log=False, lifespan="on", root_path=root_path, **how)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve(sockets=[listening]))
    try:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as http:
            yield http
    finally:
        server.should_exit = True
        await running


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A built page."""
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "index.html").write_text("the page")
    (folder / "code.js").write_text("export {}")
    return folder


async def until(condition: Callable[[], Any]) -> Any:
    """Wait for something to be so."""
    async with asyncio.timeout(20):
        while not (found := await condition()):
            await asyncio.sleep(0.01)
        return found


ADDRESSES = {"/": "", "/x": "/x", "/a b/{tenant}": "/a%20b/t%31"}
"""Where it is mounted, and how a client may write that."""


@pytest.mark.parametrize("make", [starlette, fastapi])
@pytest.mark.parametrize("prefix", ADDRESSES)
async def test_everything_is_there(make: Callable[[Signoff, str], ASGI], prefix: str, store: str, page: Path) -> None:
    below = ADDRESSES[prefix]

    signoff = Signoff(store, app, config=ServerConfig(page=page))
    async with serving(make(signoff, prefix)) as http:
        assert (await http.get("/own")).text == "the host's own"
        assert (await http.get(f"{below}/health")).json()["status"] == "ok"
        assert (await http.get(f"{below}/")).text == "the page"
        assert (await http.get(f"{below}/code.js")).headers["content-type"].startswith("text/javascript")
        problem(await http.get(f"{below}/v1/nothing"), 404, "not_found")
        problem(await http.get(f"{below}/v1%2Fruns"), 400, "invalid_name")
        await _streams(http, below)
        await _runs(http, below)
        assert (await signoff.engine.runs.start("double", 1)).created


async def _streams(http: httpx.AsyncClient, below: str) -> None:
    made = await http.put(f"{below}/v1/stream/chat/a%20b", headers=JSON)
    address = made.headers["location"]
    assert address == f"{str(http.base_url).rstrip('/')}{below}/v1/stream/chat/a%20b"
    assert (await http.post(address, json={"n": 1})).status_code == 204
    assert (await http.get(address)).json() == [{"n": 1}]
    source = {"stream-forked-from": httpx.URL(address).raw_path.decode()}
    assert (await http.put(f"{below}/v1/stream/fork", headers=source)).status_code == 201
    assert (await http.get(f"{below}/v1/stream/fork")).json() == [{"n": 1}]
    hook = {"type": "webhook", "streams": ["fork"], "webhook": {"url": "http://127.0.0.1:9/"}}
    shown = await http.put(f"{below}/v1/stream/__ds/subscriptions/s", json=hook)
    assert shown.status_code == 201, shown.text
    assert "keys" in (await http.get(f"{below}/v1/stream/__ds/jwks.json")).json()


async def _runs(http: httpx.AsyncClient, below: str) -> None:
    started = await http.post(f"{below}/v1/runs", json={"workflow": "double", "input": 21, "run_id": "r1"})
    assert (await http.get(started.headers["location"])).json()["run"]["id"] == "r1"
    async with http.stream("GET", f"{below}{started.json()['stream']}?offset=-1&live=sse") as rows:
        async for line in rows.aiter_lines():
            if '"output":42' in line:
                return
    raise AssertionError("the run did not end")


async def test_an_input_that_does_not_fit_starts_nothing(store: str) -> None:
    async with serving(starlette(Signoff(store, app), "/")) as http:
        refused = problem(
            await http.post("/v1/runs", json={"workflow": "double", "input": "many", "run_id": "r1"}),
            422,
            "invalid_input",
        )
        assert refused["errors"][0]["pointer"] == ""
        assert (await http.get("/v1/runs/r1")).status_code == 404
        elsewhere = await http.post("/v1/runs", json={"workflow": "elsewhere", "input": "many"})
        assert elsewhere.status_code == 201
        await http.post("/v1/runs", json={"workflow": "double", "input": 4, "run_id": "r1"})
        result = await http.get("/v1/runs/r1/result?wait=15")
        assert (result.status_code, result.json()["output"]) == (200, 8)


async def test_a_root_path_of_the_server(store: str, page: Path) -> None:
    signoff = Signoff(store, app, config=ServerConfig(page=page))
    async with serving(signoff, root_path="/x") as http:  # a proxy takes /x away, uvicorn puts it back
        assert (await http.get("/health")).status_code == 200
        assert (await http.get("/")).text == "the page"
        made = await http.put("/v1/stream/a", headers=JSON)
        assert made.headers["location"] == f"{str(http.base_url).rstrip('/')}/x/v1/stream/a"
        assert (await http.post("/v1/stream/a", json=[1])).status_code == 204
        assert (await http.get("/v1/stream/a")).json() == [1]


async def test_the_public_url_is_told(store: str) -> None:
    signoff = Signoff(store, config=ServerConfig(public_url="https://app.example/x/"))
    forwarded = {"x-forwarded-proto": "gopher", "x-forwarded-host": "evil.example"}
    async with serving(starlette(signoff, "/x"), proxy_headers=False) as http:
        made = await http.put("/x/v1/stream/a%20b", headers=forwarded)
        assert made.headers["location"] == "https://app.example/x/v1/stream/a%20b"
        source = {"stream-forked-from": "/x/v1/stream/a%20b"}
        assert (await http.put("/x/v1/stream/fork", headers=source)).status_code == 201
        run = await http.post("/x/v1/runs", json={"workflow": "double", "run_id": "r1"})
        assert run.headers["location"] == "https://app.example/x/v1/runs/r1"
    # A proxy may take the prefix away and tell nobody.
    # A proxy may take the prefix away and say so nowhere.
    engine = await Engine.open(open_store("memory:"))
    async with serving(create_app(engine, config=ServerConfig(public_url="https://app.example/x"))) as http:
        made = await http.put("/v1/stream/a")
        assert made.headers["location"] == "https://app.example/x/v1/stream/a"
        source = {"stream-forked-from": "/x/v1/stream/a"}
        assert (await http.put("/v1/stream/fork", headers=source)).status_code == 201
    await engine.close()
    async with serving(starlette(Signoff("memory:"), "/x"), proxy_headers=False) as http:
        made = await http.put("/x/v1/stream/a", headers=forwarded)
        assert made.headers["location"] == f"{str(http.base_url).rstrip('/')}/x/v1/stream/a"


async def test_subscriptions_run_after_a_restart(tmp_path: Path) -> None:
    signoff = Signoff(f"sqlite:///{tmp_path / 'test.db'}")
    host = starlette(signoff, "/x")
    async with serving(host) as http:
        for path in ("w", "jobs/a"):
            assert (await http.put(f"/x/v1/stream/{path}", headers=JSON)).status_code == 201
        follow = {"type": "pull-wake", "pattern": "jobs/*", "wake_stream": "w"}
        assert (await http.put("/x/v1/stream/__ds/subscriptions/s", json=follow)).status_code == 201

    async with serving(host) as again:
        assert (await again.post("/x/v1/stream/jobs/a", json=1)).status_code == 204

        async def woken() -> Any:
            return (await again.get("/x/v1/stream/w")).json()

        assert (await until(woken))[0]["stream"] == "jobs/a"
    _nothing_is_left()


def _nothing_is_left() -> None:
    left = [task.get_name() for task in asyncio.all_tasks()]
    assert [name for name in left if name.startswith("signoff")] == []


async def test_subscriptions_end_with_the_engine_they_are_over() -> None:
    engine = await Engine.open(open_store("memory:"))
    host = Starlette(routes=[Mount("/", create_app(engine))])  # no lifespan reaches what is mounted
    async with serving(host) as http:
        assert (await http.get("/v1/stream/__ds/subscriptions/s")).status_code == 404
    await engine.close()
    _nothing_is_left()


async def test_without_its_lifespan_it_says_so() -> None:
    signoff = Signoff("memory:")

    host = Starlette(routes=[Mount("/x", signoff)])
    async with serving(host) as http:
        problem(await http.get("/x/health"), 503, "server_busy")
    with pytest.raises(RuntimeError, match=r"lifespan=signoff\.lifespan"):
        _ = signoff.engine
    async with signoff.lifespan():
        assert signoff.engine.hub.watched == 0
        with pytest.raises(RuntimeError, match="running already"):
            async with signoff.lifespan():
                pass


async def test_a_host_says_who_calls(store: str) -> None:
    def identify(scope: Scope) -> Identity:
        cookies = dict(scope["headers"]).get(b"cookie", b"").decode()
        if not cookies.startswith("user="):
            raise Unauthorized("Sign in first. Nothing was done.")
        return Identity(cookies.removeprefix("user="), grants=frozenset({"stream:read:*", "stream:write:*"}))

    async with serving(starlette(Signoff(store, config=KEYED, identify=identify), "/x")) as http:
        problem(await http.put("/x/v1/stream/a"), 401, "unauthorized")
        problem(await http.get("/x/v1/runs"), 401, "unauthorized")
        problem(await http.put("/x/v1/stream/a", headers=bearer("alice", "operator")), 401, "unauthorized")
        alice = {"cookie": "user=alice"}
        assert (await http.put("/x/v1/stream/a", headers=alice)).status_code == 201
        read = await http.get("/x/v1/stream/a", headers=alice)
        assert read.headers["cache-control"].startswith("private")
        assert (await http.get("/x/v1/inputs", headers=alice)).json()["inputs"] == []
        problem(await http.get("/x/v1/runs", headers=alice), 403, "forbidden")


def _by_cookie(scope: Scope) -> Identity:
    name = dict(scope["headers"]).get(b"cookie", b"").decode().removeprefix("user=")
    if name == "fault":
        raise KeyError("the session's own fault")
    if name == "nothing":
        return None  # type: ignore[return-value]
    if name == "nobody":
        return Identity()
    if not name:
        raise Unauthorized("Sign in first. Nothing was done.")
    return Identity(name, grants={"stream:read:*", "stream:write:*", "workflow:list:*"})


async def _by_cookie_later(scope: Scope) -> Identity:
    await asyncio.sleep(0)
    return _by_cookie(scope)


class _ByCookie:
    async def __call__(self, scope: Scope) -> Identity:
        return await _by_cookie_later(scope)


@pytest.mark.parametrize("identify", [_by_cookie, _by_cookie_later, _ByCookie()], ids=["at once", "awaited", "object"])
async def test_what_identify_does_concerns_its_own_request_alone(
    store: str, page: Path, identify: Identify, caplog: pytest.LogCaptureFixture
) -> None:
    signoff = Signoff(store, config=ServerConfig(page=page), identify=identify)
    async with serving(starlette(signoff, "/x")) as http:
        bob = {"cookie": "user=bob"}
        for cookie in ("user=fault", "user=nothing", "user=bob", "user=nobody", ""):
            for open_to_all in ("/x/health", "/x/", "/x/v1/stream/__ds/jwks.json"):
                assert (await http.get(open_to_all, headers={"cookie": cookie})).status_code == 200
            assert (await http.options("/x/v1/stream/a", headers={"cookie": cookie})).status_code == 204
        assert (await http.put("/x/v1/stream/a", headers=bob)).status_code == 201
        for cookie in ("user=fault", "user=nothing"):
            broken = {"cookie": cookie}
            for method, path in (
                ("GET", "/x/v1/runs"),
                ("GET", "/x/v1/stream/a"),
                ("POST", "/x/v1/stream/a"),
                ("PUT", "/x/v1/stream/b"),
            ):
                caplog.clear()
                told = problem(await http.request(method, path, headers=broken), 500, "error")
                assert told["detail"].startswith("This application failed to say who calls. Nothing was done.")
                assert "own fault" not in str(told)
                [record] = [one for one in caplog.records if one.name == "signoff.server"]
                assert told["reference"] in record.getMessage()
                assert record.exc_info is not None
                assert ("own fault" if cookie == "user=fault" else "gave NoneType") in str(record.exc_info[1])
            subscription = await http.get("/x/v1/stream/__ds/subscriptions/s", headers=broken)
            assert subscription.status_code == 500
        for nobody in ({}, {"cookie": "user=nobody"}):
            problem(await http.get("/x/v1/runs", headers=nobody), 401, "unauthorized")
            problem(await http.get("/x/v1/stream/a", headers=nobody), 401, "unauthorized")
        assert (await http.get("/x/v1/stream/a", headers=bob)).headers["cache-control"].startswith("private")
        assert (await http.get("/x/v1/runs?workflow=double", headers=bob)).json()["runs"] == []
        posted = await http.post("/x/v1/stream/a", headers=bob | {"content-type": OCTETS}, content=b"x")
        assert posted.status_code == 204


async def test_what_is_read_live_ends_when_identify_says_so(store: str) -> None:
    async def identify(_scope: Scope) -> Identity:
        return Identity("alice", grants={"stream:read:a", "stream:write:a"}, until=time.time() + 0.5)

    async with serving(starlette(Signoff(store, identify=identify), "/x")) as http:
        assert (await http.put("/x/v1/stream/a")).status_code == 201
        began = time.monotonic()
        for live, status in (("sse", 200), ("long-poll", 204)):
            assert (await http.get(f"/x/v1/stream/a?offset=-1&live={live}")).status_code == status
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("secret", [b"", b"short", b"x" * 31])
def test_a_key_that_could_be_guessed_is_refused(secret: bytes) -> None:
    with pytest.raises(Forbidden, match="at least 32"):
        Signoff("memory:", config=ServerConfig(secret=secret))


async def test_streams_alone_are_private_if_access_is_checked() -> None:
    engine = await Engine.open(open_store("memory:"))
    checked = StreamEndpoints(engine.streams, lambda scope, path, method: None)
    host = Starlette(routes=[Mount("/open", StreamEndpoints(engine.streams)), Mount("/checked", checked)])
    async with serving(host) as http:
        await http.put("/open/v1/stream/a")
        assert (await http.get("/open/v1/stream/a")).headers["cache-control"].startswith("public")
        assert (await http.get("/checked/v1/stream/a")).headers["cache-control"].startswith("private")
    await engine.close()


@pytest.mark.parametrize("path", ["/health", "/v1/stream/a", "/x/health", "/x/v1/stream/a"])
async def test_a_server_that_gives_no_raw_path(path: str) -> None:
    engine = await Engine.open(open_store("memory:"))
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "PUT" if "stream" in path else "GET",
        "path": path,
        "root_path": "/x" if path.startswith("/x") else "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    await create_app(engine)(scope, receive, send)
    await engine.close()
    assert sent[0]["status"] == (201 if "stream" in path else 200)


async def test_the_express_lane_knows_where_it_is_mounted() -> None:
    engine = await Engine.open(open_store("memory:"))
    headers = [(b"host", b"localhost"), (b"content-type", b"text/plain")]
    scope = {"method": "POST", "path": "/x/v1/stream/a", "raw_path": b"/x/v1/stream/a", "headers": headers}
    lane = create_app(engine)
    assert isinstance(lane, Application)
    assert lane.plan({**scope, "root_path": "/x"}) is not None
    assert lane.plan({**scope, "root_path": ""}) is None
    await engine.close()


def test_the_express_lane_is_for_the_whole_server_alone() -> None:
    """Under a host the way is through the host: its middleware must see every request."""
    signoff = Signoff("memory:")
    assert not hasattr(signoff, "lane")
    assert not hasattr(starlette(signoff, "/"), "lane")
