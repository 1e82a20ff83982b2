"""Offsets: the opaque, sortable tokens by which a client names a position (Durable Streams §8).

A position is the number of units before it: messages in JSON mode, bytes otherwise. Its token is the number in sixteen
decimal digits, so that tokens sort as their positions do. Two words are reserved: `-1` is the start, `now` is the tail.

A token may also name its stream: `-` and the stream's incarnation follow the digits. It is no position in another, such
as one that was made at the same path after a deletion. All tokens of a stream that have a mark have the same, so
they sort as before, and behind the one without.
"""

from __future__ import annotations

import re
from typing import Final

from signoff.errors import InvalidOffset

START: Final = "-1"
NOW: Final = "now"
WIDTH: Final = 16
LAST: Final = 10**WIDTH - 1
"""The highest position that has a token. A byte stream would have to hold nine petabytes to get there."""

PATTERN: Final = b"%%0%dd" % WIDTH
"""What writes a position below `LAST` as its token in ASCII."""

_DIGITS: Final = frozenset("0123456789")
_MARK: Final = re.compile(r"-([0-9A-Za-z]{1,64})", re.ASCII)


def encode(position: int) -> str:
    """Write a position as its token.

    Raises:
        ValueError: the position is negative or has no token.

    Example:
        >>> encode(42)
        '0000000000000042'
    """
    if not 0 <= position <= LAST:
        raise ValueError(f"position {position} has no offset")
    return f"{position:016d}"


def marked(position: int, incarnation: str) -> str:
    """Write a position as a token that names the stream, too.

    Example:
        >>> marked(42, "5f0c")
        '0000000000000042-5f0c'
    """
    return f"{encode(position)}-{incarnation}"


def mark(token: str) -> str | None:
    """Return the incarnation of the stream that a token names; None: it names none.

    Example:
        >>> mark("0000000000000042-5f0c")
        '5f0c'
    """
    found = _MARK.fullmatch(token, WIDTH)
    return None if found is None else found[1]


def line(position: int) -> bytes:
    """Write a position as its token in ASCII.

    Example:
        >>> line(42)
        b'0000000000000042'
    """
    return PATTERN % position if 0 <= position <= LAST else encode(position).encode()


def decode(token: str) -> int:
    """Read a token back as a position; `-1` is position 0.

    `now` is not a position but a question about the present, so it is refused here; see `resolve`.

    Raises:
        InvalidOffset: the text is not an offset this server could have handed out.

    Example:
        >>> decode("0000000000000042")
        42
    """
    if len(token) == WIDTH and _DIGITS.issuperset(token):
        return int(token)
    if token == START:
        return 0
    if len(token) > WIDTH and _DIGITS.issuperset(token[:WIDTH]) and mark(token) is not None:
        return int(token[:WIDTH])
    raise InvalidOffset(
        "This offset was not handed out by this server. Send `-1` to read from the start, `now` to read from the tail, "
        "or the last `Stream-Next-Offset` unchanged."
    )


def resolve(token: str, tail: int) -> int:
    """Read a token back as a position, `now` being `tail`.

    Raises:
        InvalidOffset: the text is not an offset this server could have handed out.
    """
    return tail if token == NOW else decode(token)
