"""JSON mode: bodies become messages, messages become arrays (Durable Streams §9.1).

Messages are kept as their sender wrote them, joined by commas: no number is re-written, no member re-ordered, and a
read is concatenation. A body is parsed once, to know that it is JSON and how many messages it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import orjson

from signoff.errors import BadRequest
from signoff.streams.stream import JSON, Payload, media_type

_BLANK: Final = b" \t\r\n"
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)


def payload(content_type: str, body: bytes) -> Payload:
    """Turn a body into units: messages if it is declared to be JSON, bytes otherwise.

    Raises:
        BadRequest: the body is declared to be JSON and is not.
    """
    if media_type(content_type) == JSON and body:
        return Payload(content_type, *parse(body))
    return Payload(content_type, body, len(body))


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
    text = body.strip(_BLANK)
    flat = text[:1] == b"["
    try:
        # A single value is checked as readers will get it, in an array: what we hand out is never too deep to be read.
        messages = orjson.loads(text if flat else b"[" + text + b"]")
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}. Nothing was stored.") from error
    if flat:
        return text[1:-1].strip(_BLANK), len(messages)
    if len(messages) != 1:
        raise BadRequest("The body must be one JSON value. Nothing was stored.")
    return text, 1


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
    return [data[start:end].strip(_BLANK) for start, end in _bounds(data)]


def skip(data: bytes, count: int) -> bytes:
    """Return the messages after the first `count`.

    Args:
        data: valid messages, as `parse` returned them.
        count: less than their number.
    """
    if count == 0:
        return data
    for index, (start, _end) in enumerate(_bounds(data)):
        if index == count:
            return data[start:].lstrip(_BLANK)
    raise ValueError(f"there are not more than {count} messages")


def first(data: bytes, count: int) -> bytes:
    """Return the first `count` messages.

    Args:
        data: valid messages, as `parse` returned them.
        count: from 1 to their number.
    """
    for index, (_start, end) in enumerate(_bounds(data), start=1):
        if index == count:
            return data[:end].rstrip(_BLANK)
    raise ValueError(f"there are not {count} messages")


def _bounds(data: bytes) -> Iterable[tuple[int, int]]:
    """Yield where each message starts and ends: at the commas outside of everything."""
    if not data:
        return
    depth = start = 0
    for token in _TOKEN.finditer(data):
        match data[token.start()]:
            case 0x5B | 0x7B:
                depth += 1
            case 0x5D | 0x7D:
                depth -= 1
            case 0x2C if depth == 0:
                yield start, token.start()
                start = token.end()
    yield start, len(data)
