"""A stream as clients over HTTP may rely on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from signoff.testing.histories import RecordedCall


class AppendGiven(NamedTuple):
    """What `append` is given.

    Attributes:
        message: like no other.
        producer: its id; None: none.
        seq: the producer's number of this append.
    """

    message: str
    producer: str | None = None
    seq: int = 0


class Content(NamedTuple):
    """What `read` results in."""

    messages: tuple[str, ...]
    closed: bool


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream that is there."""

    messages: tuple[str, ...] = ()
    closed: bool = False
    producers: tuple[tuple[str, int], ...] = ()


class StreamModel:
    """A stream; None is one that is not there.

    | operation | given | result |
    |---|---|---|
    | `create` | | `created`, `exists`, or `conflict` if it is closed |
    | `append` | `AppendGiven` | the position after it, or `repeated`, `gap`, `closed`, `missing` |
    | `close` | | `closed`, `missing` |
    | `read` | | `Content`, `missing` |
    | `delete` | | `deleted`, `missing` |

    Args:
        calls: the history. It tells where a message was ever read, so that an append without a reply is tried nowhere
            else: there are many of those, and what they did shows late.
    """

    initial: StreamState | None = None

    def __init__(self, calls: Sequence[RecordedCall]) -> None:
        self._deleted = {call.subject for call in calls if call.name == "delete"}
        self._read: dict[str, int] = {}
        for call in calls:
            if isinstance(call.result, Content):
                self._read |= {message: place for place, message in enumerate(call.result.messages)}

    def step(self, state: StreamState | None, call: RecordedCall) -> Iterable[StreamState | None]:
        """Return the states an operation may lead to."""
        result, after = _create(state) if call.name == "create" else _do(state, call)
        if not call.unknown:
            return [after] if result == call.result else []
        if after == state or (call.name == "append" and not self._may_be(state, call)):
            return []
        return [after]

    def _may_be(self, state: StreamState | None, call: RecordedCall) -> bool:
        """Tell whether an append may come here for all that was ever read; the last read of a stream sees all of it."""
        place = self._read.get(call.given.message)
        if place is None:
            return call.subject in self._deleted
        return state is not None and len(state.messages) == place


def _create(state: StreamState | None) -> tuple[object, StreamState | None]:
    if state is None:
        return "created", StreamState()
    return ("conflict" if state.closed else "exists"), state


def _do(state: StreamState | None, call: RecordedCall) -> tuple[object, StreamState | None]:
    if state is None:
        return "missing", None
    match call.name:
        case "append":
            return _append(state, call.given)
        case "close":
            return "closed", replace(state, closed=True)
        case "read":
            return Content(state.messages, state.closed), state
        case "delete":
            return "deleted", None
    raise ValueError(call.name)


def _append(state: StreamState, given: AppendGiven) -> tuple[object, StreamState]:
    if state.closed:
        return "closed", state
    producers = dict(state.producers)
    if given.producer is not None:
        expected = producers.get(given.producer, -1) + 1
        if given.seq != expected:
            return ("gap" if given.seq > expected else "repeated"), state
        producers[given.producer] = given.seq
    after = StreamState((*state.messages, given.message), False, tuple(sorted(producers.items())))
    return len(after.messages), after
