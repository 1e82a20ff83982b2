"""JSON mode: bodies become messages, messages become arrays (Durable Streams §9.1).

Messages are kept as their sender wrote them, joined by commas: no number is re-written, no member re-ordered, and a
read is concatenation. A body is parsed once, to know that it is JSON and how many messages it holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import orjson

from signoff.errors import BadRequest
from signoff.streams import content_type, json_scan
from signoff.streams.json_scan import BLANK
from signoff.streams.slices import Sliced, finish
from signoff.streams.stream import JSON, Cuts, Payload, media_type

AT_ONCE: Final = 64 * 1024
"""Bytes of a body that are parsed in one go."""

_FLAT: Final = 1024
"""Bytes that cannot nest deeper than half the depth that is parsed."""


def payload(kind: str, body: bytes) -> Payload:
    """Turn a body into units: messages if it is declared to be JSON, bytes otherwise.

    What cannot be stored becomes a payload with a `fault`, since whether that is what speaks is for `decide` to say.

    Args:
        kind: a content type, checked.
    """
    if media_type(kind) != JSON or not body:
        return Payload(kind, body, len(body))
    try:
        if len(body) > AT_ONCE:
            data, units, cuts = finish(parse_in_slices(body))
        else:
            (data, units), cuts = parse(body), ()
    except BadRequest as error:
        return Payload(kind, b"", 0, fault=error.detail)
    return Payload(kind, data, units, None, None, cuts)


def payload_in_slices(declared: str | None, body: bytes) -> Sliced[Payload]:
    """Do in slices what `payload` does.

    Args:
        declared: the content type as it came, if any did.
    """
    if declared is None:
        return Payload("", b"", 0, fault="An append says its Content-Type. Nothing was appended.")
    try:
        kind = content_type.check(declared)
        if media_type(kind) == JSON and len(body) > AT_ONCE:
            data, units, cuts = yield from parse_in_slices(body)
            return Payload(kind, data, units, cuts=cuts)
    except BadRequest as error:
        return Payload(declared, b"", 0, fault=error.detail)
    return payload(kind, body)


def parse(body: bytes) -> tuple[bytes, int]:
    """Turn a body into messages, flattening one level of array (§9.1.2).

    Returns:
        The messages joined by commas, and their number (0 for an empty array).

    Raises:
        BadRequest: the body is not JSON.

    Example:
        >>> parse(b'[[1,2], 12345678901234567890123]')
        (b'[1,2], 12345678901234567890123', 2)
    """
    if len(body) > AT_ONCE:
        return finish(parse_in_slices(body))[:2]
    # What most bodies are, an object and nothing around it, needs no second look; nor brackets, if it is small.
    alone = body[:1] == b"{" and body[-1:] == b"}"
    data, flat = (body, False) if alone else _inside(body)
    try:
        if alone and len(body) <= _FLAT:
            orjson.loads(body)
            return body, 1
        # A single value is checked as readers will get it, in an array: what we hand out is never too deep to be read.
        return _counted(data, flat, len(orjson.loads(b"[" + data + b"]")))
    except orjson.JSONDecodeError as error:
        raise _not_json(error) from error


def parse_in_slices(body: bytes) -> Sliced[tuple[bytes, int, Cuts]]:
    """Do in slices what `parse` does; return also where the messages may be parted."""
    data, flat = _inside(body)
    cuts: list[tuple[int, int]] = []
    try:
        count = (yield from json_scan.check(data, cuts)) if data else 0
        return *_counted(data, flat, count), tuple(cuts)
    except ValueError as error:
        raise _not_json(error) from error


def _inside(body: bytes) -> tuple[bytes, bool]:
    """Return what is to be an array when it is put into brackets, and whether it was one."""
    text = body.strip(BLANK)
    if text[:1] == b"[" and text[-1:] == b"]":
        return text[1:-1].strip(BLANK), True
    return text, False


def _counted(data: bytes, flat: bool, count: int) -> tuple[bytes, int]:
    if count != 1 and not flat:
        raise BadRequest("The body must be one JSON value. Nothing was stored.")
    return data, count


def _not_json(error: ValueError) -> BadRequest:
    return BadRequest(f"The body is not JSON: {error}. Nothing was stored.")


def array(batches: Iterable[bytes]) -> bytes:
    """Wrap stored messages in the array that readers get (§9.1.5)."""
    return b"[" + b",".join(batches) + b"]"


def split(data: bytes) -> list[bytes]:
    """Part messages joined by commas, without altering a byte of them.

    Args:
        data: valid messages, as `parse` returned them.

    Example:
        >>> split(b'{"a":[1,2]}, "x,y"')
        [b'{"a":[1,2]}', b'"x,y"']
    """
    if not data:
        return []
    starts = [0, *(stop.position for stop in json_scan.commas(data, each=True) if not stop.brackets), len(data) + 1]
    return [data[start : after - 1].strip(BLANK) for start, after in pairwise(starts)]


def skip(data: bytes, count: int) -> Sliced[bytes]:
    """Return the messages after the first `count`.

    Args:
        data: valid messages, as `parse` returned them.
        count: less than their number.
    """
    return data[(yield from _after(data, count)) :].lstrip(BLANK) if count else data


def first(data: bytes, count: int) -> Sliced[bytes]:
    """Return the first `count` messages.

    Args:
        data: valid messages, as `parse` returned them.
        count: from 1 to less than their number.
    """
    return data[: (yield from _after(data, count)) - 1].rstrip(BLANK)


def _after(data: bytes, count: int) -> Sliced[int]:
    """Return the position behind the comma that follows so many messages."""
    for stop in json_scan.commas(data, count):
        if stop.passed == count:
            return stop.position
        if stop.pause:
            yield
    raise ValueError(f"there are not more than {count} messages")
