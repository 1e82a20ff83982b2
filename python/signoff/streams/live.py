"""What readers are told besides the bytes: entity tags, cursors and SSE events (Durable Streams §5.8, §10)."""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Iterator
from typing import Final

import orjson

from signoff.streams import content_type, json_mode, offset
from signoff.streams.stream import Head

CURSOR_EPOCH_MS: Final = 1_728_432_000_000
"""October 9, 2024, 00:00:00 UTC: cursors count intervals from here."""

CURSOR_INTERVAL_MS: Final = 20_000
MAX_JITTER_S: Final = 3600

EVENT_BYTES: Final = 64 * 1024
"""Bytes that one event carries at most of a stream that has no messages."""

KEEP_ALIVE: Final = b":\n\n"
"""A comment, which SSE readers ignore and proxies count as life."""

_CURSOR: Final = re.compile(r"[0-9]{1,15}", re.ASCII)


def etag(head: Head, start: int, end: int, rows_at: int = 0) -> str:
    """Return the entity tag of the units `[start, end)`, which tells an open end from a closed one (§10.1).

    Args:
        rows_at: the position of the live rows that stand for the units before it; 0: none do.
    """
    mark = ":c" if head.closed and end == head.tail else ""
    begin = f"rows-{offset.encode(rows_at)}" if rows_at else offset.encode(start)
    return f'"{head.incarnation}:{begin}:{offset.encode(end)}{mark}"'


def matches(tag: str, if_none_match: str) -> bool:
    """Tell whether an `If-None-Match` header names this tag (RFC 9110 §13.1.2, weak comparison)."""
    candidates = (item.strip().removeprefix("W/") for item in if_none_match.split(","))
    return any(item in {tag, "*"} for item in candidates)


def cursor(now: int, given: str | None, jitter_s: int) -> str:
    """Return the cursor for a live response: the number of the interval, but always beyond the one given (§10.1).

    Args:
        now: milliseconds.
        given: the cursor the client echoes, if any; text that is none of ours is ignored.
        jitter_s: a random number of seconds from 1 to `MAX_JITTER_S`, used when the given cursor is not in the past.
    """
    current = max(0, (now - CURSOR_EPOCH_MS) // CURSOR_INTERVAL_MS)
    if given is None or not _CURSOR.fullmatch(given) or int(given) < current:
        return str(current)
    return str(int(given) + max(1, jitter_s * 1000 // CURSOR_INTERVAL_MS))


def needs_base64(head: Head) -> bool:
    """Tell whether SSE carries this stream in base64 (§5.8)."""
    return not (head.json or content_type.is_text(head.content_type))


def parts(head: Head, start: int, end: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Part what was read into what one event each may carry; yield the position after it, and the data.

    An event that one large append makes is not much larger than those that many small ones make. Messages are not
    parted from each other, and neither are the bytes of a character or of a line ending.

    Args:
        data: the units `[start, end)`.
    """
    at = 0
    while not head.json and len(data) - at > EVENT_BYTES:
        stop = at + EVENT_BYTES
        if not needs_base64(head):
            stop -= _unfinished(data[stop - 3 : stop])
            stop -= data[stop - 1 : stop + 1] == b"\r\n"
        yield start + stop, data[at:stop]
        at = stop
    yield end, data[at:] if at else data


def unfinished(head: Head, data: bytes) -> int:
    """Return how many bytes at the end are the beginning of a character that the next append may finish.

    An event carries text, so it cannot carry them: a reader by SSE gets them with the rest of the character, and is
    told a position before them until then. Only what carries bytes as text has such ends.
    """
    return 0 if head.json or needs_base64(head) else _unfinished(data)


def data_event(head: Head, data: bytes) -> bytes:
    """Return the SSE event that carries one or more batches.

    Args:
        head: of the stream; tells the encoding.
        data: raw bytes, or messages joined by commas.

    Whatever the bytes are, they stay data: every line of theirs becomes a `data:` line.
    """
    if head.json:
        return b"event: data\n" + _lines(json_mode.array((data,))) + b"\n"
    if needs_base64(head):
        return b"event: data\ndata:" + base64.b64encode(data) + b"\n\n"
    return b"event: data\n" + _lines(_utf8(data)) + b"\n"


def token(head: Head, position: int) -> str:
    """Return the offset of a position, as readers of a stream get it.

    That of a run's stream names it: the run can be deleted and its id used again, and who has read the one shall not go
    on in the other. Offsets of applications' streams hold in forks, too.
    """
    return offset.marked(position, head.incarnation) if head.engine else offset.encode(position)


def control_event(head: Head, position: int, *, cursor: str, up_to_date: bool, closed: bool) -> bytes:
    """Return the SSE event that follows every data event: where the reader is (§5.8).

    Args:
        head: of the stream.
        position: up to where the reader has everything.
        cursor: to send along when reconnecting; left out at the end of a closed stream.
        up_to_date: the reader has all there is.
        closed: the stream has ended at `position`.
    """
    control: dict[str, object] = {"streamNextOffset": token(head, position)}
    if not closed:
        control["streamCursor"] = cursor
    if up_to_date or closed:
        control["upToDate"] = True
    if closed:
        control["streamClosed"] = True
    return b"event: control\ndata:" + orjson.dumps(control) + b"\n\n"


def _lines(data: bytes) -> bytes:
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\n" not in data:
        return (b"data: " if data[:1] == b" " else b"data:") + data + b"\n"
    lines = (b"\n" + data).replace(b"\n", b"\ndata:")
    # Readers strip one space after the colon, so a line that starts with one gets another.
    return lines.replace(b"\ndata: ", b"\ndata:  ")[1:] + b"\n"


def _unfinished(data: bytes) -> int:
    """Return how many bytes at the end are the beginning of a character, of which more may follow."""
    end = data[-3:]
    _, finished = codecs.utf_8_decode(end, "replace", False)
    return len(end) - finished


def _utf8(data: bytes) -> bytes:
    """Return the bytes if they are UTF-8, as an event stream must be; otherwise with replacement characters."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").encode("utf-8")
    return data
