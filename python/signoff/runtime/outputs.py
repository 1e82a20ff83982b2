"""Write what steps say while they run: batched, one append under way at a time, with a bound on what waits.

All of it happens on the worker's event loop. A sync step, in its thread, hands its calls over and waits for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Final, Self, TypeVar

import orjson

from signoff.errors import PayloadTooLarge, ProducerFenced, SignoffError, StoreError
from signoff.runtime.port import OutputAppend, RunLease, RunPort
from signoff.workflow import codec
from signoff.workflow.step.output import CONTENT_TYPES, Output, OutputFormat, OutputSession, path_of

log = logging.getLogger(__name__)

T = TypeVar("T")

GATHER_S: Final = 0.03
"""How long the first value waits for others, in seconds."""

APPEND_BYTES: Final = 256 << 10
"""How much is written at once, more or less: one value is never parted."""

WAITING_BYTES: Final = 1 << 20
"""How much may wait before who writes waits too."""

VALUE_BYTES: Final = 1 << 20
"""How large one value may be."""

_endings: Final[set[asyncio.Task[None]]] = set()

_PAUSES_S: Final = (0.05, 0.2, 0.5, 1.0, 2.0)
"""How long to wait before an append is sent again when the store cannot be reached."""


class AttemptOutputs:
    """The outputs of one attempt of a step.

    Args:
        port: where to write.
        lease: of the run.
        step: `name:n`.
        attempt: from 1.
    """

    __slots__ = ("_attempt", "_lease", "_opened", "_port", "_step", "loop")

    def __init__(self, port: RunPort, lease: RunLease, step: str, attempt: int) -> None:
        self._port = port
        self._lease = lease
        self._step = step
        self._attempt = attempt
        self._opened: dict[str, StepOutput] | None = None
        self.loop = asyncio.get_running_loop()

    @property
    def used(self) -> bool:
        """Return True if the step has opened an output."""
        return self._opened is not None

    def open(self, name: str, format: OutputFormat, *, keep_open: bool) -> Output:  # noqa: A002
        """Return the output of this name; the first call says what it is."""
        if format not in CONTENT_TYPES:
            raise ValueError(f"An output has the format json, text or ui-message, not {format!r}.")
        opened = self._opened
        if opened is None:
            opened = self._opened = {}
        found = opened.get(name)
        if found is None:
            found = opened[name] = StepOutput(self, name, format, keep_open=keep_open)
        return found

    async def read_file(self, file: str) -> bytes:
        """Return the bytes of a file of the run."""
        return await self._port.read_file(self._lease.run_id, file)

    def read_file_sync(self, file: str) -> bytes:
        """Return the same, called in any thread but that of the loop."""
        return asyncio.run_coroutine_threadsafe(self.read_file(file), self.loop).result()

    async def finish(self, *, for_good: bool) -> None:
        """Write what waits, and close what is not kept open if there is no further attempt."""
        for output in (self._opened or {}).values():
            await output.finish(close=for_good and not output.keep_open)

    def give_up(self) -> None:
        """End what was begun, in the background: the code waits for the step no more, and it is not tried again."""
        if self._opened is not None:
            task = self.loop.create_task(self._give_up())
            _endings.add(task)
            task.add_done_callback(_endings.discard)

    async def _give_up(self) -> None:
        for output in (self._opened or {}).values():
            try:
                if output.begun:
                    await output.finish(close=not output.keep_open)
            except SignoffError as error:
                log.warning("%s is closed with its run, not with the step %s (%s)", output.path, self._step, error)

    async def begin(self, name: str, content_type: str) -> OutputSession:
        """Begin to write to an output.

        Raises:
            ProducerFenced: the lease is lost, or a later attempt writes.
        """
        session = await self._port.begin_output(self._lease, name, content_type, self._step, self._attempt)
        if session is None:
            raise ProducerFenced(
                f"The run has ended, or another worker has it by now. {self._step} has written nothing more."
            )
        return session

    async def resume(self, name: str, content_type: str) -> OutputSession | None:
        """Go on with an output that turned out to be closed; None: that is how it shall be."""
        return await self._port.begin_output(self._lease, name, content_type, self._step, self._attempt, resumed=True)

    def marker(self, format: OutputFormat) -> Any:  # noqa: A002
        """Return what tells readers that what this step has written so far is written again."""
        what = {"step": self._step, "attempt": self._attempt}
        match format:
            case "text":
                return f"--- {self._step}, attempt {self._attempt} ---\n"
            case "ui-message":
                return {"type": "data-signoff-attempt", "id": self._step, "data": what, "transient": True}
            case _:
                return {"signoff": what}

    async def append(self, append: OutputAppend) -> bool:
        """Append, and again if the store cannot be reached for a moment."""
        for pause in _PAUSES_S:
            try:
                return await self._port.append_output(append)
            except StoreError:
                await asyncio.sleep(pause)  # in real time, as steps run
        return await self._port.append_output(append)

    async def read(self, session: OutputSession) -> list[Any]:
        """Return the messages of an output."""
        found: list[Any] = orjson.loads(await self._port.read_output(session))
        return found

    @property
    def run_id(self) -> str:
        """Return the id of the run."""
        return self._lease.run_id

    @property
    def step(self) -> str:
        """Return the id of the step."""
        return self._step


class StepOutput:
    """An output, for one attempt (`workflow.step.output.Output` says what each method does)."""

    def __init__(self, of: AttemptOutputs, name: str, format: OutputFormat, *, keep_open: bool) -> None:  # noqa: A002
        self.name = name
        self.path = path_of(of.run_id, name)
        self.format = format
        self.keep_open = keep_open
        self.step = of.step
        self._of = of
        self._session: OutputSession | None = None
        self._seq = 0
        self._waiting: list[bytes] = []
        self._size = 0
        self._closing = False
        self._gone = False
        self._told = False
        self._failure: Exception | None = None
        self._writing: asyncio.Task[None] | None = None
        self._now = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def again(self) -> bool:
        """Return True if an earlier attempt of the step wrote to this output."""
        return self._session is not None and self._session.again

    @property
    def begun(self) -> bool:
        """Return True if this attempt has written to it."""
        return self._session is not None

    # -- what the step calls ---------------------------------------------------------------------------------------

    def write(self, value: Any) -> Awaitable[None]:
        """Write one value."""
        data = self._encoded(value)
        if len(data) > VALUE_BYTES:
            raise PayloadTooLarge(f"One value of an output has at most {VALUE_BYTES >> 20} MiB; this was not written.")
        return self._call(self._write(data))

    def flush(self) -> Awaitable[None]:
        """Wait until all is durable."""
        return self._call(self._flush())

    def shown(self) -> Awaitable[list[Any]]:
        """Return what readers have."""
        return self._call(self._shown())

    def close(self) -> Awaitable[None]:
        """Close the stream."""
        return self._call(self.finish(close=True))

    async def __aenter__(self) -> Self:
        await self._begun()
        return self

    async def __aexit__(self, kind: object, error: object, trace: object, /) -> None:
        if kind is None:
            await self._flush()

    def __enter__(self) -> Self:
        self._call(self._begun())
        return self

    def __exit__(self, kind: object, error: object, trace: object, /) -> None:
        if kind is None:
            self._call(self._flush())

    # -- on the worker's loop --------------------------------------------------------------------------------------

    async def finish(self, *, close: bool) -> None:
        """Write what waits; then close the stream, if that is asked for."""
        if self._told and isinstance(self._failure, PayloadTooLarge):
            self._failure = None  # the step knows what is missing, and that it has ended all the same is its decision
        await self._begun()
        self._closing = self._closing or close
        await self._flush()

    def _call(self, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Do something on the worker's loop: awaited there, waited for here in any other thread."""
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self._of.loop:
            return work
        ended: Future[T] = asyncio.run_coroutine_threadsafe(work, self._of.loop)
        return _ReadyValue(ended.result())

    def _encoded(self, value: Any) -> bytes:
        if self.format != "text":
            return orjson.dumps(codec.public_json(value))
        if not isinstance(value, str):
            raise TypeError(f"A text output takes text, not {type(value).__name__}. Nothing was written.")
        return value.encode()

    async def _write(self, data: bytes) -> None:
        self._check()
        if self._gone or not data:
            return
        self._waiting.append(data)
        self._size += len(data)
        self._start()
        if self._size >= APPEND_BYTES:
            self._now.set()
        while self._size > WAITING_BYTES and self._failure is None:
            self._room.clear()
            await self._room.wait()
        self._check()

    async def _flush(self) -> None:
        self._check()
        if (self._waiting or self._closing) and not self._gone:
            self._start()
        while self._writing is not None:
            self._now.set()
            await asyncio.wait([self._writing])
        self._check()

    async def _shown(self) -> list[Any]:
        await self._flush()
        return await self._of.read(await self._begun())

    def _check(self) -> None:
        if self._failure is not None:
            self._told = True
            raise self._failure

    def _start(self) -> None:
        if self._writing is None:
            self._writing = self._of.loop.create_task(self._write_out())

    async def _begun(self) -> OutputSession:
        if self._session is None:
            session = await self._of.begin(self.name, CONTENT_TYPES[self.format])
            if self._session is None:
                self._session = session
                if session.again:
                    await self._append(session, [self._encoded(self._of.marker(self.format))], close=False)
        return self._session

    async def _write_out(self) -> None:
        """Write until nothing waits; an error is raised to whoever writes next."""
        try:
            if self._waiting and not self._closing and not self._now.is_set():
                try:
                    async with asyncio.timeout(GATHER_S):
                        await self._now.wait()
                except TimeoutError:
                    pass
            self._now.clear()
            session = await self._begun()
            while (self._waiting or self._closing) and not self._gone:
                batch = self._take()
                await self._append(self._session or session, batch, close=self._closing and not self._waiting)
        except Exception as error:
            self._failure = error
            self._waiting.clear()
            self._size = 0
        finally:
            self._writing = None
            self._room.set()

    def _take(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0]) <= APPEND_BYTES):
            batch.append(self._waiting.pop(0))
            size += len(batch[-1])
        self._size -= size
        self._room.set()
        return batch

    async def _append(self, session: OutputSession, batch: list[bytes], *, close: bool) -> None:
        as_text = self.format == "text" or not batch
        body = b"".join(batch) if as_text else b"[%b]" % b",".join(batch)
        if await self._of.append(OutputAppend(session, self._seq, body, close)):
            self._seq += 1
            self._gone = close
            return
        # A run that fails has its outputs closed; one that is retried at the same moment goes on with them.
        resumed = await self._of.resume(self.name, session.content_type)
        if resumed is None:
            self._gone = True
        else:
            self._session, self._seq = resumed, 0
            await self._append(resumed, batch, close=close)


class _ReadyValue(Awaitable[T]):
    """What is there already."""

    def __init__(self, value: T) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, T]:
        yield from ()
        return self._value
