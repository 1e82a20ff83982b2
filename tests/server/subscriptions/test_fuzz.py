"""Whatever is sent to the control API, the answer is a refusal or what was asked for: never a fault of the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.server.subscriptions.scene import Site, site

TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["", "e/a", "/e/a", "e/*", "**", "a/**b", "..", "__ds/x", "runs/r1", "\x00", "\ud800", "é" * 700]),
    st.sampled_from(["-1", "now", "0000000000000001", "00000000000000009", "+1", "\uff11", "1e3", "-0"]),
)
URLS = st.one_of(
    TEXTS,
    st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(["http", "https", "HTTP", "ftp", ""]),
        st.one_of(
            st.text("a.%-_@:[]1\\xé/?#", max_size=12),
            st.sampled_from(
                ["127.0.0.1", "[::1]", "[::1%25lo]", "[v1.a]", "a..b", ".com", "xn--a", "a" * 64, "x." * 130]
            ),
        ),
        st.sampled_from(["", ":", ":0", ":1", ":99999", ":-1", ":x"]),
        st.sampled_from(["", "/", "/hook", "?q", "#f", "/%zz", "/\udcff"]),
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.sampled_from([0, 1, 999, 1_000, 600_000, 600_001]),
    st.floats(allow_nan=True, allow_infinity=True),
    TEXTS,
    URLS,
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.sampled_from(["url"]), inner, max_size=3),
    max_leaves=6,
)


def members(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Make bodies with some of the members, each as it should be or as anything; or anything at all."""
    mixed = {name: given | ANYTHING for name, given in known.items()}
    return st.one_of(st.fixed_dictionaries({}, optional=mixed), st.fixed_dictionaries(mixed), ANYTHING)


ACK = st.fixed_dictionaries({"stream": st.just("e/a") | ANYTHING, "offset": TEXTS | ANYTHING}) | ANYTHING
REQUEST = members(wake_id=TEXTS, generation=st.integers(-2, 5), done=st.booleans(), acks=st.lists(ACK, max_size=3))
CREATION = members(
    type=st.sampled_from(["webhook", "pull-wake"]),
    pattern=TEXTS,
    streams=st.lists(TEXTS | ANYTHING, max_size=3),
    webhook=st.fixed_dictionaries({"url": URLS}),
    wake_stream=TEXTS,
    lease_ttl_ms=st.sampled_from([1_000, 600_000]),
    description=TEXTS,
)
BODIES: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("PUT", "new"): CREATION,
    ("POST", "jobs/streams"): members(streams=st.lists(TEXTS | ANYTHING, max_size=3)),
    ("POST", "jobs/claim"): members(worker=TEXTS),
    ("POST", "jobs/ack"): REQUEST,
    ("POST", "jobs/release"): REQUEST,
    ("POST", "hook/callback"): REQUEST,
}
TOKENS = st.one_of(
    st.none(), st.sampled_from(["Bearer", "Bearer a.b", "Basic eDp5", "ours"]), st.text("aZ.=_- é", max_size=9)
)


class Server:
    """Be a server that runs while it is asked."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.scene = site()
        self.site: Site = runner.run(self.scene.__aenter__())
        self.token = runner.run(self._prepare())

    async def _prepare(self) -> str:
        s = self.site
        await s.stream("wake")
        await s.put("hook", type="webhook", pattern="none/*", webhook={"url": "http://127.0.0.1:9/"})
        await s.put("jobs", type="pull-wake", pattern="e/*", wake_stream="wake", lease_ttl_ms=600_000)
        await s.stream("e/a", 1)
        token: str = (await s.post("jobs/claim", worker="w")).json()["token"]
        return token

    def ask(self, method: str, target: str, content: bytes | None, token: str | None = None) -> int:
        """Send one request; return the status of its answer."""

        async def one() -> int:
            headers = {} if content is None else {b"content-type": b"application/json"}
            if token is not None:
                headers[b"authorization"] = (f"Bearer {self.token}" if token == "ours" else token.strip()).encode()
            url = f"__ds/subscriptions/{target}"
            reply = await self.site.web.request(method, url, content=content, headers=headers)
            if method == "PUT" and reply.status_code == 201:
                assert (await self.site.web.delete(url)).status_code == 204
            assert "Traceback" not in reply.text
            return reply.status_code

        return self.runner.run(one())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with asyncio.Runner() as runner:
        made = Server(runner)
        yield made
        runner.run(made.scene.__aexit__(None, None, None))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_body_breaks_the_server(server: Server, data: st.DataObject) -> None:
    method, target = data.draw(st.sampled_from(list(BODIES)))
    content = json.dumps(data.draw(BODIES[method, target])).encode()
    token = data.draw(TOKENS) if method == "POST" else None
    assert server.ask(method, target, content, token) < 500


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=60))
@example(b'{"type": ["webhook"]}')
@example(b'{"type":"webhook","pattern":"a","webhook":{"url":"https://a..b/"}}')
def test_no_bytes_break_the_server(server: Server, content: bytes) -> None:
    for method, target in BODIES:
        assert server.ask(method, target, content, "ours") < 500


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["GET", "PUT", "DELETE", "POST", "HEAD", "PATCH"]), st.text(max_size=20), st.text(max_size=20))
def test_no_address_breaks_the_server(server: Server, method: str, name: str, below: str) -> None:
    for target in (name, f"jobs/streams/{below}", f"{name}/{below}", f"jobs?after={below}", f"jobs?{below}"):
        assert server.ask(method, quote(target, safe="/?=&"), None) < 500
