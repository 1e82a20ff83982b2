"""Addresses: what a client puts into a path, with everything escaped that would lead elsewhere."""

from __future__ import annotations

from urllib.parse import quote

from signoff.errors import InvalidName


def stream_address(path: str) -> str:
    """Return the path of a stream's URL.

    Raises:
        InvalidName: a segment is empty, `.` or `..`, or not Unicode.
    """
    return "/v1/stream/" + "/".join(segment(part) for part in path.split("/"))


def segment(text: str) -> str:
    """Return an id or a name as a part of a path.

    Raises:
        InvalidName: it is empty, `.` or `..`, or not Unicode.
    """
    if text in {"", ".", ".."}:
        raise InvalidName(f"{text!r} cannot be part of an address.")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as error:
        raise InvalidName(f"{text!r} is not Unicode text and cannot be part of an address.") from error
