"""Operations as clients saw them: what was asked, when, and what came back."""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call of one client.

    Attributes:
        client: who called.
        subject: what it was about; operations on different subjects have nothing to do with each other.
        name: what was asked for, such as `append`.
        given: with what; whatever the model reads.
        called: when, in nanoseconds of a clock that all clients share.
        returned: when the reply was there; None: there was none, so whether it happened is unknown.
        result: the reply; None if there was none.
    """

    client: str
    subject: str
    name: str
    given: Any
    called: int
    returned: int | None = None
    result: Any = None

    @property
    def unknown(self) -> bool:
        """Tell whether the client never learned what became of it."""
        return self.returned is None

    def __str__(self) -> str:
        came = "(no reply)" if self.unknown else repr(self.result)
        return f"{self.client} {self.name} {self.given!r} -> {came}"


class Recorder:
    """A history in the making, for any number of clients in this process.

    Times are of the machine's monotonic clock, so histories of several processes of one machine can be put together; no
    two times of one recorder are equal.

    Args:
        unknown: errors after which nobody can tell whether it happened.
        sink: called with the number of each call and the call as it begins, and again when it has returned, or with
            None if it is forgotten: so what a process saw is known also if it is killed.

    Example:
        >>> recorder = Recorder(unknown=(OutcomeUnknown,))
        >>> await recorder.record("c1", "s", "append", b"a", lambda: append(b"a"))
    """

    def __init__(
        self,
        unknown: tuple[type[BaseException], ...] = (),
        sink: Callable[[int, RecordedCall | None], None] = lambda _, __: None,
    ) -> None:
        self._unknown = unknown
        self._sink = sink
        self._operations: dict[int, RecordedCall] = {}
        self._numbers = itertools.count()
        self._last = 0

    @property
    def operations(self) -> list[RecordedCall]:
        """Return all operations in the order in which they were called; those under way are unknown ones."""
        return sorted(self._operations.values(), key=lambda one: one.called)

    async def record(
        self, client: str, subject: str, name: str, given: Any, call: Callable[[], Awaitable[T]]
    ) -> T | None:
        """Do an operation and record it; return what came back, None if that is unknown."""
        result: T | None = None
        with self.calling(client, subject, name, given) as returned:
            result = await call()
            returned(result)
        return result

    @contextmanager
    def calling(self, client: str, subject: str, name: str, given: Any) -> Iterator[Callable[[Any], None]]:
        """Record an operation that is done in the block, which calls what it is given with the result."""
        number = self.begin(client, subject, name, given)
        with suppress(*self._unknown):
            yield lambda result: self.end(number, result)

    def begin(self, client: str, subject: str, name: str, given: Any) -> int:
        """Record that an operation begins; return its number."""
        number = next(self._numbers)
        self._keep(number, RecordedCall(client, subject, name, given, self.now()))
        return number

    def end(self, number: int, result: Any) -> None:
        """Record that an operation has returned."""
        self._keep(number, replace(self._operations[number], returned=self.now(), result=result))

    def forget(self, number: int) -> None:
        """Take back an operation that has certainly not happened."""
        self._keep(number, None)

    def _keep(self, number: int, operation: RecordedCall | None) -> None:
        if operation is None:
            del self._operations[number]
        else:
            self._operations[number] = operation
        self._sink(number, operation)

    def now(self) -> int:
        """Return the time in nanoseconds; no two are equal."""
        self._last = max(time.monotonic_ns(), self._last + 1)
        return self._last


def write(path: Path, operations: Iterable[RecordedCall], *, seed: int | None = None, why: object = None) -> Path:
    """RecordWrite a history for people to read: a line an operation, in the order of calls, times in milliseconds.

    Args:
        path: the file.
        operations: what was recorded.
        seed: with what it was made.
        why: what is wrong with it; stands first.
    """
    found = sorted(operations, key=lambda one: one.called)
    first = found[0].called if found else 0
    lines = [f"seed {seed}"] if seed is not None else []
    lines += [str(why), ""] if why is not None else []
    for one in found:
        end = "         ?" if one.returned is None else f"{(one.returned - first) / 1e6:10.3f}"
        lines.append(f"{(one.called - first) / 1e6:10.3f} {end}  {one.subject:<12} {one}")
    path.write_text("\n".join(lines) + "\n")
    return path
