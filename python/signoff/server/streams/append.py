"""Appends over HTTP: what their heads say, what is answered, and the express lane for those that just append.

Durable Streams §5.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from signoff.errors import BadRequest, PayloadTooLarge, SignoffError
from signoff.server.fast.express import Asking
from signoff.server.http.problems import problem
from signoff.server.http.reply import Header, Reply
from signoff.server.streams import wire
from signoff.server.streams.wire import Headers
from signoff.service.streams.streams import Streams
from signoff.service.streams.writer import AppendEnded, WriteResult
from signoff.streams import json_mode, offset
from signoff.streams.stream import Append, Head, ProducerMark

_OFFSET: Final = wire.NEXT_OFFSET + b": " + offset.PATTERN + b"\r\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold what the head of an append says, all but its content type."""

    close: bool
    seq: str | None
    producer: ProducerMark | None

    @classmethod
    def read(cls, headers: Headers) -> Asked:
        """Read headers.

        Raises:
            BadRequest: a producer that is not well formed, or an empty `Stream-Seq`.
        """
        producer = headers.producer()
        seq = headers.text(b"stream-seq")
        if seq == "":
            raise BadRequest("Stream-Seq must not be empty. Nothing was appended.")
        return cls(headers.closing, seq, producer)


def status(done: WriteResult, asked: ProducerMark | None) -> int:
    """Return the status of an append: producers tell a new one (200) from a repeated one (204) by it (§5.2.1)."""
    return 200 if asked is not None and done.new else 204


def telling(done: WriteResult) -> tuple[Header, ...]:
    """Return the headers that say what was written."""
    told: list[Header] = [wire.next_offset(done.head.tail)]
    if done.head.closed:
        told.append(wire.CLOSED)
    if done.producer is not None:
        told.append((b"producer-epoch", str(done.producer.epoch).encode()))
        told.append((b"producer-seq", str(done.producer.seq).encode()))
    return tuple(told)


def refusal(error: Exception) -> Reply:
    """Return how a request to a stream is refused."""
    reply = problem(error)
    told = [*reply.headers, wire.NO_STORE]
    if isinstance(error, SignoffError):
        told += wire.telling(error)
    if isinstance(error, PayloadTooLarge):
        told.append((b"connection", b"close"))  # the rest of the body is not worth reading
    return Reply(reply.status, reply.body, tuple(told))


@dataclass(frozen=True, slots=True)
class AppendPlan:
    """Append the bodies of requests with one head.

    Attributes:
        asked: what the head says.
        declared: the content type, checked.
        always: header lines of every response.
        until: when (milliseconds since the epoch) whoever sends this head may no longer append.
    """

    streams: Streams
    path: str
    asked: Asked
    declared: str
    always: bytes
    until: float

    @property
    def repeats(self) -> bool:
        """Tell whether the same head may come again: what has a number comes once."""
        return self.asked.producer is None and self.asked.seq is None

    def serve(self, body: bytes, reply: AppendEnded) -> bool:
        """Append; False: ask the application, nothing was done."""
        now = self.streams.clock.now_ms()
        if now >= self.until:
            return False
        asked = self.asked
        payload = json_mode.payload(self.declared, body)
        command = Append(payload, asked.close, asked.seq, asked.producer)
        return self.streams.append_at_once(self.path, command, now, reply)

    def answer(self, result: Head | Exception | None, asking: Asking) -> None:
        """Say what became of it."""
        producer = self.asked.producer
        if isinstance(result, Head):
            if producer is None and not self.asked.close:
                asking.answer(204, _OFFSET % result.tail + self.always)
                return
            done = WriteResult(result, True, producer)
            code = status(done, producer)
            length = b"content-length: 0\r\n" if code != 204 else b""
            asking.answer(code, lines(telling(done)) + self.always + length)
        elif result is None:
            asking.decline()
        else:
            refused = refusal(result)
            length = b"content-length: %d\r\n" % len(refused.body)
            asking.answer(refused.status, lines(refused.headers) + self.always + length, refused.body)


def lines(headers: tuple[Header, ...]) -> bytes:
    """Write headers."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)
