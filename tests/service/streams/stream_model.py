"""What streams are, said as simply as possible: lists in a dictionary. A fork copies its source's list.

Time is in milliseconds. A stream that is over goes when somebody next looks at it, as in the product; nobody can tell
that from its going at once, but for what it holds on to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from signoff.errors import (
    BadRequest,
    InvalidOffset,
    ProducerFenced,
    ProducerGap,
    StreamClosed,
    StreamConflict,
    StreamDeleted,
    StreamNotFound,
)
from signoff.streams.stream import ProducerMark


@dataclass(frozen=True, slots=True)
class Life:
    """How long a stream lives: idle seconds, or until a time."""

    ttl_s: int | None = None
    ends: int | None = None


FOREVER = Life()


@dataclass(slots=True)
class Modelled:
    """A stream."""

    kind: str
    units: list[bytes]
    closed: bool
    life: Life
    touched: int
    source: str | None = None
    at: int = 0
    deleted: bool = False
    closed_by: ProducerMark | None = None
    seq: str | None = None
    producers: dict[str, ProducerMark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """What a writer is told."""

    new: bool
    tail: int
    closed: bool


@dataclass(slots=True)
class Model:
    """All streams."""

    now: int
    streams: dict[str, Modelled] = field(default_factory=dict)

    def create(
        self,
        path: str,
        kind: str,
        units: list[bytes],
        *,
        closed: bool = False,
        life: Life = FOREVER,
        source: str | None = None,
        at: int | None = None,
    ) -> Said:
        self._end_if_over(path)
        origin = None
        if source is not None:
            self._end_if_over(source)
            origin = self.streams.get(source)
            if life == FOREVER and origin is not None:
                life = origin.life
        if (old := self.streams.get(path)) is not None:
            alike = (
                not old.deleted
                and (old.source, old.kind, old.life, old.closed) == (source, kind, life, closed)
                and (source is None or at in {None, old.at})
            )
            if not alike:
                raise StreamConflict
            return Said(False, len(old.units), old.closed)
        inherited: list[bytes] = []
        if source is not None:
            inherited = _inherited(origin, kind, at)
        made = Modelled(kind, inherited + units, closed, life, self.now, source, len(inherited))
        self.streams[path] = made
        return Said(True, len(made.units), closed)

    def append(
        self,
        path: str,
        kind: str,
        units: list[bytes],
        *,
        close: bool = False,
        seq: str | None = None,
        mark: ProducerMark | None = None,
    ) -> Said:
        stream = self._there(path)
        if stream.closed:
            if mark is None or mark != stream.closed_by:
                raise StreamClosed
            return Said(False, len(stream.units), True)
        if kind != stream.kind:
            raise StreamConflict
        if self._is_retry(stream, mark):
            return Said(False, len(stream.units), False)
        if seq is not None:
            if stream.seq is not None and seq <= stream.seq:
                raise StreamConflict
            stream.seq = seq
        stream.units += units
        return self._wrote(stream, close, mark)

    def close(self, path: str, mark: ProducerMark | None = None) -> Said:
        stream = self._there(path)
        if stream.closed or self._is_retry(stream, mark):
            return Said(False, len(stream.units), stream.closed)
        return self._wrote(stream, True, mark)

    def delete(self, path: str) -> None:
        self._there(path)
        self._drop(path)

    def read(self, path: str, start: int) -> tuple[list[bytes], bool]:
        stream = self._there(path)
        if start > len(stream.units):
            raise InvalidOffset
        stream.touched = self.now
        return stream.units[start:], stream.closed

    def head(self, path: str) -> tuple[int, bool, str, Life]:
        stream = self._there(path)
        return len(stream.units), stream.closed, stream.kind, stream.life

    def forks(self, path: str) -> int:
        return sum(stream.source == path for stream in self.streams.values())

    def _there(self, path: str) -> Modelled:
        self._end_if_over(path)
        stream = self.streams.get(path)
        if stream is None:
            raise StreamNotFound
        if stream.deleted:
            raise StreamDeleted
        return stream

    def _wrote(self, stream: Modelled, close: bool, mark: ProducerMark | None) -> Said:
        if mark is not None:
            stream.producers[mark.producer_id] = mark
        if close:
            stream.closed, stream.closed_by = True, mark
        stream.touched = self.now
        return Said(True, len(stream.units), close)

    def _is_retry(self, stream: Modelled, mark: ProducerMark | None) -> bool:
        if mark is None:
            return False
        last = stream.producers.get(mark.producer_id)
        if last is not None and mark.epoch < last.epoch:
            raise ProducerFenced
        if last is not None and mark.epoch > last.epoch:
            if mark.seq:
                raise BadRequest
            return False
        following = 0 if last is None else last.seq + 1
        if mark.seq > following:
            raise ProducerGap
        return mark.seq < following

    def _end_if_over(self, path: str) -> None:
        stream = self.streams.get(path)
        if stream is None or stream.deleted:
            return
        ttl, ends = stream.life.ttl_s, stream.life.ends
        if (ends is not None and self.now >= ends) or (ttl is not None and self.now - stream.touched > ttl * 1000):
            self._drop(path)

    def _drop(self, path: str) -> None:
        if self.forks(path):
            self.streams[path].deleted = True
            return
        source = self.streams.pop(path).source
        if source is not None and self.streams[source].deleted:
            self._drop(source)


def _inherited(origin: Modelled | None, kind: str, at: int | None) -> list[bytes]:
    if origin is None:
        raise StreamNotFound
    if origin.deleted or origin.kind != kind:
        raise StreamConflict
    if at is not None and at > len(origin.units):
        raise InvalidOffset
    return origin.units[:at]
