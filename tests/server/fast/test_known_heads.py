"""Heads that were seen before: each request's is parsed once, whichever way it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httptools
import pytest

from signoff.stores.open import open_store
from tests.server.fast.scene import Scene, post, running
from tests.service.streams.scene import JSON

PRODUCER = ("producer-id: p", "producer-epoch: 0")
PARSER = httptools.HttpRequestParser


class Parsed:
    """The bytes that all parsers were fed together."""

    def __init__(self) -> None:
        self.data = b""

    def parser(self, protocol: object) -> Any:
        """Make a parser that is watched."""
        return _Watched(PARSER(protocol), self)


class _Watched:
    def __init__(self, parser: Any, parsed: Parsed) -> None:
        self._parser = parser
        self._parsed = parsed

    def feed_data(self, data: bytes) -> None:
        self._parsed.data += data
        self._parser.feed_data(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Parsed:
    """Watch what is parsed."""
    found = Parsed()
    monkeypatch.setattr(httptools, "HttpRequestParser", found.parser)
    return found


def head(request: bytes) -> bytes:
    """Return the head of a request."""
    return request[: request.index(b"\r\n\r\n") + 4]


def answer(run_id: str) -> bytes:
    """Write an answer to a request for input."""
    body = b'{"submission_id":"s","action":"submit","value":null,"seen_offset":"-1"}'
    return post("s", body).replace(b"/v1/stream/s", f"/v1/runs/{run_id}/inputs/a:0/answer".encode())


async def status(scene: Scene, request: bytes) -> int:
    """Send a request on a connection of its own; return how it was answered."""
    return int((await scene.ask(request)).split()[1])


async def test_what_the_lane_takes_is_parsed_once_for_all_that_repeat_it(parsed: Parsed) -> None:
    async with running(open_store("memory:")) as scene:
        await scene.engine.streams.create("s", JSON)
        for _ in range(3):
            assert await status(scene, post("s", b"1")) == 204
        assert parsed.data == head(post("s", b"1"))
        assert (scene.app.taken, scene.app.asked) == (3, 0)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(post("t", b"1"), 204, id="a stream that is not in memory"),
        pytest.param(post("t", b"1", *PRODUCER, "producer-seq: 0"), 200, id="a producer that is not in memory"),
        pytest.param(post("t", b"1", *PRODUCER, "producer-seq: 1"), 409, id="a refusal"),
        pytest.param(post("none", b"1"), 404, id="no stream"),
        pytest.param(post("t", b"{"), 400, id="no JSON"),
        pytest.param(post("runs/r1", b"1"), 403, id="no plan"),
    ],
)
async def test_what_the_lane_does_not_take_is_asked_of_the_application_as_it_was_parsed(
    parsed: Parsed, request_: bytes, expected: int, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    async with running(open_store(url)) as before:
        await before.engine.streams.create("t", JSON)
    async with running(open_store(url)) as scene:
        assert await status(scene, request_) == expected
        assert parsed.data == head(request_)
        assert (scene.app.taken, scene.app.asked) == (0, 1)


async def test_what_is_not_the_lanes_is_parsed_once_and_takes_no_room_in_it(parsed: Parsed) -> None:
    async with running(open_store("memory:")) as scene:
        await scene.engine.streams.create("s", JSON)
        assert await status(scene, post("s", b"1")) == 204
        line = await scene.line()
        for number in range(1_100):
            request = answer(f"r{number}")
            parsed.data = b""
            line.send(request)
            assert (await line.answer()).startswith(b"HTTP/1.1 404 ")
            assert parsed.data == request
        assert await status(scene, post("s", b"1")) == 204
        assert scene.app.planned == 1
