"""Whatever is done to streams, by whichever process and over whichever store: they are what the model says."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from signoff.clock import ManualClock
from signoff.errors import SignoffError
from signoff.service.streams.writer import WriteResult
from signoff.streams import offset
from signoff.streams.stream import Branch, Payload, ProducerMark
from tests.servers import fresh_url
from tests.service.streams.scene import Process, opened, process
from tests.service.streams.stream_model import FOREVER, Life, Model, Said

Place = tuple[str, int]

START = 1_800_000_000_000
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
PATHS = ("a", "b", "c", "d", "e")
TYPES = {"text": "text/plain", "json": "application/json"}

places = st.tuples(st.sampled_from(PATHS), st.integers(0, 19))
"""A path, and which of the streams that exist to take instead, most of the time."""

kinds = st.sampled_from(["text", "json", "json"])
bodies = st.lists(st.sampled_from([b"1", b"2", b"3"]), min_size=1, max_size=4)
lives = st.sampled_from([FOREVER, FOREVER, FOREVER, Life(ttl_s=100), Life(ttl_s=300), Life(ends=START + 300_000)])
marks = st.none() | st.builds(
    ProducerMark, st.sampled_from("pq"), st.sampled_from([0, 0, 1]), st.sampled_from([0, 0, 1, 1, 2])
)
processes = st.integers(0, 1)
seldom = st.sampled_from([False, False, False, True])


def payload(kind: str, units: list[bytes]) -> Payload:
    return Payload(TYPES[kind], (b"," if kind == "json" else b"").join(units), len(units))


class Streams(RuleBasedStateMachine):
    """Do the same to two processes over one store and to the model."""

    backend = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(START)
        self.clock = ManualClock(START)
        self.runner = asyncio.Runner()
        self.open = AsyncExitStack()
        self.folder = tempfile.TemporaryDirectory(dir=IN_MEMORY)
        self.runner.run(self._start())

    async def _start(self) -> None:
        url = fresh_url(self.backend, Path(self.folder.name))
        self.store = await self.open.enter_async_context(opened(url))
        self.processes: list[Process] = [
            await self.open.enter_async_context(process(self.store, self.clock)) for _ in range(2)
        ]

    def teardown(self) -> None:
        self.runner.run(self.open.aclose())
        self.runner.close()
        self.folder.cleanup()

    def agree(self, ours: Awaitable[Any], theirs: Callable[[], Any]) -> None:
        """Compare what both say, or how both refuse."""

        async def ask() -> Any:
            return await ours

        expected: Any
        try:
            expected = theirs()
        except SignoffError as refusal:
            expected = type(refusal)
        try:
            said = self.runner.run(ask())
        except SignoffError as refusal:
            said = type(refusal)
        if isinstance(said, WriteResult):
            said = Said(said.new, said.head.tail, said.head.closed)
        assert said == expected

    def there(self, place: Place) -> str:
        """Return the path of a stream that exists, or did, or any."""
        path, number = place
        existing = sorted(self.model.streams)
        return existing[number % len(existing)] if existing and number < 15 else path

    def free(self, place: Place) -> str:
        """Return a path where nothing is, or any."""
        path, number = place
        free = [each for each in PATHS if each not in self.model.streams]
        return free[number % len(free)] if free and number < 15 else path

    @rule(who=processes, place=places, kind=kinds, units=bodies | st.just([]), closed=seldom, life=lives)
    def create(self, who: int, place: Place, kind: str, units: list[bytes], closed: bool, life: Life) -> None:
        path = self.free(place)
        made = self.processes[who].streams.create(
            path, payload(kind, units), closed=closed, ttl_s=life.ttl_s, expires_at=_text(life.ends)
        )
        self.agree(made, lambda: self.model.create(path, kind, units, closed=closed, life=life))

    @rule(
        who=processes, place=places, origin=places, wrong=seldom, at=st.none() | st.integers(0, 6),
        units=bodies | st.just([]), closed=seldom, life=lives,
    )  # fmt: skip
    def fork(
        self,
        who: int,
        place: Place,
        origin: Place,
        wrong: bool,
        at: int | None,
        units: list[bytes],
        closed: bool,
        life: Life,
    ) -> None:
        path, source = self.free(place), self.there(origin)
        known = self.model.streams.get(source)
        kind = "json" if known is None or (known.kind == "text") == wrong else "text"
        made = self.processes[who].streams.create(
            path,
            payload(kind, units),
            closed=closed,
            ttl_s=life.ttl_s,
            expires_at=_text(life.ends),
            fork=Branch(source, at),
        )
        self.agree(made, lambda: self.model.create(path, kind, units, closed=closed, life=life, source=source, at=at))

    @rule(
        who=processes, place=places, kind=kinds, units=bodies, close=seldom, mark=marks,
        seq=st.sampled_from([None, None, "a", "b", "c"]),
    )  # fmt: skip
    def append(
        self,
        who: int,
        place: Place,
        kind: str,
        units: list[bytes],
        close: bool,
        mark: ProducerMark | None,
        seq: str | None,
    ) -> None:
        path = self.there(place)
        if (known := self.model.streams.get(path)) is not None and seq != "c":
            kind = known.kind  # most of the time
        done = self.processes[who].streams.append(path, payload(kind, units), close=close, seq=seq, producer=mark)
        self.agree(done, lambda: self.model.append(path, kind, units, close=close, seq=seq, mark=mark))

    @rule(who=processes, place=places, mark=marks)
    def close(self, who: int, place: Place, mark: ProducerMark | None) -> None:
        path = self.there(place)
        self.agree(self.processes[who].streams.close(path, mark), lambda: self.model.close(path, mark))

    @rule(who=processes, place=places)
    def delete(self, who: int, place: Place) -> None:
        path = self.there(place)
        self.agree(self.processes[who].streams.delete(path), lambda: self.model.delete(path))

    @rule(who=processes, place=places, start=st.integers(0, 8), size=st.sampled_from([1, 2, 3, 1000]))
    def read(self, who: int, place: Place, start: int, size: int) -> None:
        path = self.there(place)
        self.agree(_read(self.processes[who], path, start, size), lambda: self.model.read(path, start))

    @rule(who=processes, number=st.integers(0, 9), at=st.none() | st.integers(0, 6))
    def fork_again(self, who: int, number: int, at: int | None) -> None:
        forks = [(path, each) for path, each in sorted(self.model.streams.items()) if each.source is not None]
        if not forks:
            return
        path, known = forks[number % len(forks)]
        assert known.source is not None
        made = self.processes[who].streams.create(
            path, payload(known.kind, []), closed=known.closed, fork=Branch(known.source, at)
        )
        self.agree(
            made,
            lambda: self.model.create(path, known.kind, [], closed=known.closed, source=known.source, at=at),
        )

    @rule(who=processes, place=places)
    def head(self, who: int, place: Place) -> None:
        path = self.there(place)

        async def ask() -> tuple[int, bool, str, Life]:
            head = await self.processes[who].streams.head(path)
            ends = None if head.expires_at is None else START + 300_000
            return head.tail, head.closed, "json" if head.json else "text", Life(head.ttl_s, ends)

        self.agree(ask(), lambda: self.model.head(path))

    @rule(step=st.sampled_from([60_000, 200_000]))
    def wait(self, step: int) -> None:
        self.clock.advance(step)
        self.model.now += step

    @invariant()
    def a_source_counts_its_forks_and_nothing_is_left_behind(self) -> None:
        async def look() -> None:
            for path in PATHS:
                state = await self.store.load_stream(path)
                kept = self.model.streams.get(path)
                assert (state is None) == (kept is None)
                if state is not None and kept is not None:
                    assert (state.head.refs, state.head.deleted) == (self.model.forks(path), kept.deleted)

        self.runner.run(look())


def _text(ends: int | None) -> str | None:
    return None if ends is None else datetime.fromtimestamp(ends / 1000, UTC).isoformat()


async def _read(one: Process, path: str, start: int, size: int) -> tuple[list[bytes], bool]:
    """Read to the tail in chunks of about `size` bytes."""
    found: list[bytes] = []
    while True:
        chunk = await one.streams.read(path, offset.encode(start), max_bytes=size)
        units = chunk.data.split(b",") if chunk.head.json and chunk.data else [b"%c" % byte for byte in chunk.data]
        assert (chunk.start, chunk.end - chunk.start) == (start, len(units))
        found += units
        if chunk.up_to_date:
            return found, chunk.closed
        assert units, "a read that is not at the tail brings something"
        start = chunk.end


def test_streams_are_what_the_model_says(backend: str) -> None:
    machine = type(f"{backend}Streams", (Streams,), {"backend": backend})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=120 if backend == "memory" else 60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
