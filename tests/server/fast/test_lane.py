"""The fast lane answers as the application does: whatever it serves, and whatever it leaves to the application."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import pytest

from signoff.clock import ManualClock
from signoff.errors import Forbidden
from signoff.server.access.tokens import LEEWAY_S
from signoff.server.config import ServerConfig
from signoff.server.http.reply import Scope
from signoff.stores.open import open_store
from tests.server.fast.scene import Line, Scene, post, request, running
from tests.server.hosting import KEYED, bearer
from tests.server.streams.scene import site
from tests.servers import fresh_url
from tests.service.streams.scene import JSON, until

CONFIG = replace(KEYED, max_append=1000)
TOKEN = "authorization: " + bearer("ann", "stream:write:*")["authorization"]
EXPIRED = "authorization: " + bearer("ann", "stream:write:*", exp=1)["authorization"]
READER = "authorization: " + bearer("bob", "stream:read:*")["authorization"]
PLAIN = post("s", b'{"n":1}', TOKEN)


def producer(epoch: int, seq: int, body: bytes = b'"p"', *more: str) -> bytes:
    """Append as a producer."""
    return post("s", body, TOKEN, "producer-id: p", f"producer-epoch: {epoch}", f"producer-seq: {seq}", *more)


@dataclass(frozen=True)
class Case:
    """Hold requests, the statuses they are answered with, and how many of them take the lane if they can."""

    name: str
    requests: tuple[bytes, ...]
    statuses: tuple[int, ...]
    lane: int = 0


CASES = [
    Case("plain", (PLAIN, PLAIN, post("s", b"[1,2]", TOKEN)), (204, 204, 204), 3),
    Case("new of a producer, repeated", (producer(0, 0), producer(0, 1), producer(0, 1)), (200, 200, 204), 1),
    Case("gap of a producer", (producer(0, 0), producer(0, 2)), (200, 409)),
    Case("fenced producer", (producer(3, 0), producer(4, 0), producer(3, 1)), (200, 200, 403), 1),
    Case("producer in parts", (post("s", b"1", TOKEN, "producer-id: p"),), (400,)),
    Case(
        "sequence",
        (post("s", b"1", TOKEN, "stream-seq: b"), post("s", b"2", TOKEN, "stream-seq: c")),
        (204, 204),
        2,
    ),
    Case(
        "sequence that goes back",
        (post("s", b"1", TOKEN, "stream-seq: b"), post("s", b"2", TOKEN, "stream-seq: a")),
        (204, 409),
        1,
    ),
    Case("empty sequence", (post("s", b"1", TOKEN, "stream-seq: "),), (400,)),
    Case("closing", (post("s", b"1", TOKEN, "stream-closed: true"), PLAIN), (204, 409), 1),
    Case("closing of a producer", (producer(0, 0), producer(0, 1, b"2", "stream-closed: true")), (200, 200), 1),
    Case("closing alone", (post("s", b"", TOKEN, "stream-closed: true"), PLAIN), (204, 409)),
    Case("not quite closing", (post("s", b"1", TOKEN, "stream-closed: yes"),), (204,), 1),
    Case("another content type", (post("s", b"1", TOKEN, "content-type: text/plain"),), (409,)),
    Case(
        "content type with parameters",
        (post("s", b"1", TOKEN, "content-type: application/json;charset=utf-8"),),
        (204,),
        1,
    ),
    Case("content type that is none", (post("s", b"1", TOKEN, "content-type: json"),), (400,)),
    Case("two content types", (post("s", b"1", TOKEN, *["content-type: application/json"] * 2),), (400,)),
    Case("not JSON", (post("s", b"{", TOKEN),), (400,)),
    Case("an empty array", (post("s", b"[]", TOKEN),), (400,)),
    Case("nothing", (post("s", b"", TOKEN),), (400,)),
    Case("unknown stream", (post("none", b"1", TOKEN),), (404,)),
    Case("the engine's stream", (post("runs/r1", b"1", TOKEN),), (403,)),
    Case("reserved path", (post("__ds/subscriptions/x", b"{}", TOKEN),), (405,)),
    Case("no path", (post("a//b", b"1", TOKEN),), (400,)),
    Case("encoded path", (post("%73", b"1", TOKEN),), (204,), 1),
    Case("query", (post("s?offset=now", b"1", TOKEN),), (204,), 1),
    Case("too large", (post("s", b'"%s"' % (b"x" * 999), TOKEN), PLAIN), (413, 204), 1),
    Case("as large as allowed", (post("s", b'"%s"' % (b"x" * 998), TOKEN),), (204,), 1),
    Case("without a token", (post("s", b"1"), PLAIN), (401, 204), 1),
    Case("with a bad token", (post("s", b"1", "authorization: Bearer x.y.z"),), (401,)),
    Case("with a token that has expired", (post("s", b"1", EXPIRED),), (401,)),
    Case("without the grant", (post("s", b"1", READER),), (403,)),
    Case("two at once", (PLAIN + producer(0, 0), PLAIN), (204, 200, 204), 1),
    Case("close", (post("s", b"1", TOKEN, "connection: close"), PLAIN), (204, 204), 1),
    Case("HTTP/1.0", (post("s", b"1", TOKEN, "connection: close", version="1.0"),), (204,)),
    Case("HEAD", (request("HEAD", "s", b"", READER),), (200,)),
    Case("PUT", (request("PUT", "s", b"", TOKEN),), (200,)),
    Case("chunked", (post("s", b"1\r\n1\r\n0\r\n\r\n", TOKEN, "transfer-encoding: chunked"),), (204,)),
    Case("compressed", (post("s", b"1", TOKEN, "content-encoding: gzip"),), (415,)),
    Case("not compressed", (post("s", b"1", TOKEN, "content-encoding: identity"),), (204,)),
    Case("expecting 100", (post("s", b"1", TOKEN, "expect: 100-continue"),), (100, 204)),
    Case("asking for HTTP/2", (post("s", b"1", TOKEN, "connection: upgrade", "upgrade: h2c"),), (204,)),
    Case("of a page", (post("s", b"1", TOKEN, "origin: https://app.example"),), (204,), 1),
    Case("two hosts", (post("s", b"1", TOKEN, "host: other"),), (400,)),
]
KEYLESS = [
    Case("by this machine", (post("s", b"1"),), (204,), 1),
    Case("another host", (post("s", b"1", host="evil.example"),), (403,)),
    Case("of a foreign page", (post("s", b"1", "origin: https://evil.example"),), (403,)),
    Case("of another page of this machine", (post("s", b"1", "origin: http://localhost:3000"),), (403,)),
    Case("of its own page", (post("s", b"1", "origin: http://127.0.0.1"),), (204,), 1),
    Case("as a part of another page", (post("s", b"1", "sec-fetch-site: same-site"),), (403,)),
]


@dataclass(frozen=True)
class Way:
    """Hold how requests come to what answers them."""

    lane: bool = True
    split: bool = False


SHORT, SPLIT, WITHOUT = Way(), Way(split=True), Way(lane=False)


@dataclass(frozen=True)
class Outcome:
    """Hold what became of a case: the answers, what is stored, and how many requests took the lane."""

    answers: list[bytes]
    kept: object
    taken: int


@functools.cache
def outcomes(kind: str, way: Way, *, keyed: bool) -> dict[str, Outcome]:
    """Go through all cases on one server."""

    async def main() -> dict[str, Outcome]:
        with tempfile.TemporaryDirectory() as folder:
            url = fresh_url(kind, Path(folder))
            async with running(open_store(url), CONFIG if keyed else ServerConfig(), lane=way.lane) as scene:
                return {case.name: await outcome(scene, case, way) for case in (CASES if keyed else KEYLESS)}

    return asyncio.run(main())


async def outcome(scene: Scene, case: Case, way: Way) -> Outcome:
    """Go through one case on a fresh stream."""
    await scene.engine.streams.create("s", JSON)
    answers: list[bytes] = []
    before, line = scene.app.taken, await scene.line()
    for sent in case.requests:
        if line.reader.at_eof():
            line = await scene.line()
        await send(scene, line, sent, split=way.split)
        expected = sent.count(b" HTTP/1.") + sent.count(b"100-continue")
        answers += [await line.answer() for _ in range(expected)]
    await scene.leave()
    head = await scene.engine.streams.head("s")
    kept = (await scene.stored("s"), head.tail, head.closed, head.last_seq, head.closed_by)
    await scene.engine.streams.delete("s")
    return Outcome(answers, kept, scene.app.taken - before)


async def send(scene: Scene, line: Line, data: bytes, *, split: bool) -> None:
    """Send a request, in two packets if it is to be split after its (first) head."""
    if split:
        cut, asked = data.index(b"\r\n\r\n") + 4, scene.app.asked
        line.send(data[:cut])
        data = data[cut:]
        await until(lambda: scene.app.asked > asked or not scene.connections)
        if not scene.connections:
            return
    line.send(data)


@pytest.mark.parametrize(
    ("keyed", "case"),
    [
        *(pytest.param(True, case, id=case.name) for case in CASES),
        *(pytest.param(False, case, id=f"keyless, {case.name}") for case in KEYLESS),
    ],
)
def test_a_request_is_answered_alike_whichever_way_it_takes(backend: str, case: Case, *, keyed: bool) -> None:
    short = outcomes(backend, SHORT, keyed=keyed)[case.name]
    assert [int(answer.split()[1]) for answer in short.answers] == list(case.statuses)
    assert short.taken == case.lane
    for way in (SPLIT, WITHOUT):
        other = outcomes(backend, way, keyed=keyed)[case.name]
        assert other.answers == short.answers
        assert other.kept == short.kept
        assert other.taken == 0


async def test_a_plan_lasts_as_long_as_the_token_it_was_made_for() -> None:
    ends = 4_000_000_000
    token = "authorization: " + bearer("ann", "stream:write:*", exp=ends)["authorization"]

    clock = ManualClock((ends - 1) * 1000)
    async with running(open_store("memory:"), CONFIG, clock=clock) as scene:
        await scene.engine.streams.create("s", JSON)
        for later, taken, asked in ((0, 1, 0), (LEEWAY_S, 2, 0), (1, 2, 1)):
            clock.advance(later * 1000)
            await scene.ask(post("s", b"1", token))
            assert (scene.app.taken, scene.app.asked) == (taken, asked)


async def test_who_may_append_may_have_to_be_waited_for() -> None:
    async def authorize(scope: Scope, _path: str, _method: str) -> float:
        await asyncio.sleep(0)
        if (b"x-editor", b"yes") not in scope["headers"]:
            raise Forbidden("Editors alone. Nothing was done.")
        return inf

    async with site(authorize=authorize) as s:
        editor = {"x-editor": "yes", "content-type": "text/plain"}
        assert (await s.web.put("s")).status_code == 403
        assert (await s.web.put("s", headers=editor)).status_code == 201
        assert (await s.web.get("s")).status_code == 403
        for headers, status in ((editor, 204), ({"content-type": "text/plain"}, 403)):
            assert (await s.web.post("s", headers=headers, content="x")).status_code == status
        assert (await s.web.get("s", headers=editor)).text == "x"


async def test_a_defect_in_who_may_append_is_told() -> None:
    def authorize(_scope: Scope, _path: str, _method: str) -> None:
        raise RuntimeError("on purpose")

    async with site(authorize=authorize) as s:
        status, headers, _ = await s.raw(post("s", b"1"))
        assert (status, headers["content-type"]) == (500, "application/problem+json")
