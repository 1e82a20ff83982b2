"""The fast lane when others write too, when the store fails, and when clients or the server leave."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

import orjson
import pytest

from signoff.errors import StoreUnavailable
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Change, Outcome, Rejected
from signoff.stores.open import open_store
from tests.server.fast.scene import Line, Scene, post, request, running
from tests.service.streams.scene import JSON, until

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n"


class Gate:
    """Hold up the commits of a store, or let them fail."""

    def __init__(self, store: WorkflowStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.fail: Exception | None = None
        self.waiting = 0
        self._commit = store.commit
        monkeypatch.setattr(store, "commit", self.commit)

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        """Commit when told to."""
        self.waiting += len(changes)
        await self.go.wait()
        self.waiting -= len(changes)
        if self.fail is not None:
            raise self.fail
        return await self._commit(changes)


def offset_of(answer: bytes) -> bytes:
    """Return the offset an answer tells."""
    found = re.search(rb"stream-next-offset: (\d+)", answer)
    assert found is not None
    assert answer.startswith(NO_CONTENT)
    return found[1]


async def test_two_servers_append_to_one_stream_and_nothing_is_lost_nor_twice(shared_url: str) -> None:
    count = 100

    async def append(line: Line, name: str) -> list[bytes]:
        told = []
        for n in range(count):
            line.send(post("s", orjson.dumps([name, n])[1:-1].join((b"[[", b"]]"))))
            told.append(offset_of(await line.answer()))
        return told

    async with running(open_store(shared_url)) as one, running(open_store(shared_url)) as other:
        await one.engine.streams.create("s", JSON)
        lines = [await scene.line() for scene in (one, one, other, other)]
        told = await asyncio.gather(*(append(line, name) for line, name in zip(lines, "abcd", strict=True)))
        assert len({offset for offsets in told for offset in offsets}) == 4 * count
        stored = orjson.loads(await one.stored("s"))
        assert len(stored) == 4 * count
        for name, offsets in zip("abcd", told, strict=True):
            assert [n for by, n in stored if by == name] == list(range(count))
            assert [stored[int(offset) - 1] for offset in offsets] == [[name, n] for n in range(count)]
        assert one.app.taken > 0
        assert other.app.taken > 0


async def test_what_conflicts_on_the_lane_is_decided_again_by_the_application(shared_url: str) -> None:
    async with running(open_store(shared_url)) as one, running(open_store(shared_url)) as other:
        await one.engine.streams.create("s", JSON)
        lines = [await one.line(), await other.line()]
        for n in range(10):
            lines[n % 2].send(post("s", b"%d" % n))
            assert int(offset_of(await lines[n % 2].answer())) == n + 1
        assert orjson.loads(await one.stored("s")) == list(range(10))
        # Whoever writes after the other conflicts; the first time the other has nothing to conflict with.
        assert (one.app.taken, one.app.asked) == (5, 4)
        assert (other.app.taken, other.app.asked) == (4, 5)


@pytest.mark.parametrize(
    ("error", "status"), [(StoreUnavailable("The disk is full; nothing was written."), 503), (RuntimeError("x"), 500)]
)
async def test_a_commit_that_fails_is_told_once(
    new_store_url: Callable[[], str], error: Exception, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answers(*, lane: bool) -> list[list[bytes]]:
        kept = open_store(new_store_url())
        gate = Gate(kept, monkeypatch)
        async with running(kept, lane=lane) as scene:
            await scene.engine.streams.create("s", JSON)
            lines = [await scene.line() for _ in range(3)]
            rounds = []
            for gate.fail in (None, error, None, None):
                for line in lines:
                    line.send(post("s", b"1"))
                rounds.append(sorted([await line.answer() for line in lines]))
            assert await scene.stored("s") == b"[1,1,1,1,1,1,1,1,1]"
            # After the failure the head has to be loaded again, so that one round does not take the lane.
            assert scene.app.taken == (9 if lane else 0)
            return rounds

    rounds = await answers(lane=True)
    for answer in rounds[1]:
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b"content-type: application/problem+json\r\n" in answer
    same = await answers(lane=False)
    assert [[without_reference(answer) for answer in answered] for answered in rounds] == [
        [without_reference(answer) for answer in answered] for answered in same
    ]


def without_reference(answer: bytes) -> bytes:
    """Return an answer without what differs each time."""
    return re.sub(rb"[0-9a-f]{12}", b"", answer)


async def test_who_leaves_before_the_commit_ends_has_appended_all_the_same(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = open_store(store)
    gate = Gate(kept, monkeypatch)
    async with running(kept) as scene:
        await scene.engine.streams.create("s", JSON)
        gate.go.clear()
        (await scene.line()).send(post("s", b"1"))
        await until(lambda: gate.waiting == 1)
        await scene.leave()
        gate.go.set()
        assert offset_of(await scene.ask(post("s", b"2"))) == b"0000000000000002"
        assert await scene.stored("s") == b"[1,2]"
        assert (scene.app.taken, scene.app.asked) == (2, 0)


async def test_a_server_that_stops_answers_what_is_under_way(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = open_store(store)
    gate = Gate(kept, monkeypatch)
    async with running(kept) as scene:
        await scene.engine.streams.create("s", JSON)
        idle = await scene.line()
        lines = [await scene.line() for _ in range(5)]
        gate.go.clear()
        for line in lines:
            line.send(post("s", b"1"))
        await until(lambda: scene.app.taken == 5)
        scene.server.should_exit = True
        assert await idle.reader.read() == b""
        gate.go.set()
        for line in lines:
            answer = await line.answer()
            assert answer.startswith(NO_CONTENT)
            assert answer.count(b"connection: close\r\n") == 1
            assert line.reader.at_eof()
        assert await scene.stored("s") == b"[1,1,1,1,1]"
        assert scene.app.asked == 0


async def test_a_conflict_while_the_server_stops_is_answered_too(
    shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = open_store(shared_url)
    gate = Gate(kept, monkeypatch)
    async with running(kept) as scene, running(open_store(shared_url)) as other:
        await scene.engine.streams.create("s", JSON)
        idle, line = await scene.line(), await scene.line()
        gate.go.clear()
        line.send(post("s", b"1"))
        await until(lambda: scene.app.taken == 1)
        assert offset_of(await other.ask(post("s", b"2"))) == b"0000000000000001"
        scene.server.should_exit = True
        assert await idle.reader.read() == b""
        gate.go.set()
        answer = await line.answer()
        assert offset_of(answer) == b"0000000000000002"
        assert b"connection: close\r\n" in answer
        assert await other.stored("s") == b"[2,1]"
        assert scene.app.asked == 1


async def test_who_reads_no_answers_is_not_written_more(store: str) -> None:
    """While an answer is not taken, nothing more is served on its connection: what comes waits outside."""
    size, count = 16 << 20, 200

    def buffered(scene: Scene) -> int:
        return max(one._transport.get_write_buffer_size() for one in scene.connections)

    async with running(open_store(store)) as scene:
        await scene.engine.streams.create("s", JSON)
        await scene.engine.streams.create("large", JSON._replace(data=b'"%s"' % (b"x" * size), units=1))
        line = await scene.line()
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        line.send(request("GET", "large"))
        await until(lambda: any(one.unsent is not None for one in scene.connections))
        for n in range(count):
            line.send(post("s", b"%d" % n))
        other = await scene.line()
        for n in range(20):
            other.send(post("large", b"%d" % n))
            assert offset_of(await other.answer()) == b"%016d" % (n + 2)
        assert (await scene.engine.streams.head("s")).tail == 0
        assert scene.app.asked == 1
        assert buffered(scene) < 1 << 20
        line.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await line.answer()) > size
        offsets = [offset_of(await line.answer()) for _ in range(count)]
        assert offsets == [b"%016d" % n for n in range(1, count + 1)]
