"""Arguments that hold JSON."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from signoff.cli.misuse import Misuse
from signoff.errors import BadRequest
from signoff.server.http.body import parse

_DEEPEST = 64


def json_value(text: str | None, what: str) -> Any:
    """Read JSON from an argument, from a file (`@path`) or from standard input (`-`).

    Args:
        text: the argument; None: there is none, which is null.
        what: the option's name, for errors.

    Raises:
        Misuse: it is not JSON, or the file cannot be read.
    """
    if text is None:
        return None
    try:
        return parse(_bytes(text), _DEEPEST, what)
    except BadRequest as error:
        raise Misuse(error.detail) from error
    except OSError as error:
        raise Misuse(f"{what}: {text[1:]} cannot be read: {error.strerror}") from error


def content(text: str | None, what: str) -> bytes:
    """Read bytes from an argument, from a file (`@path`) or from standard input (`-`); none if there is no argument.

    Raises:
        Misuse: the file cannot be read.
    """
    try:
        return b"" if text is None else _bytes(text)
    except OSError as error:
        raise Misuse(f"{what}: {(text or '')[1:]} cannot be read: {error.strerror}") from error


def _bytes(text: str) -> bytes:
    if text == "-":
        return sys.stdin.buffer.read()
    if text.startswith("@"):
        return Path(text[1:]).read_bytes()
    return os.fsencode(text)
