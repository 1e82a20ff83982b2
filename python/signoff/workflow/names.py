"""What may be called what: one pattern for workflow, step, input, timer, topic and row names."""

from __future__ import annotations

import re

from signoff.errors import InvalidName

PATTERN = r"[A-Za-z0-9_.-]{1,128}"
_fits = re.compile(PATTERN).fullmatch


def check_name(name: object, what: str = "name") -> str:
    """Return `name` if it is one.

    Args:
        name: what was given.
        what: what it names, for the error.

    Raises:
        InvalidName: it is not a string that matches `[A-Za-z0-9_.-]{1,128}`.
    """
    if isinstance(name, str) and _fits(name):
        return name
    raise InvalidName(f"{name!r:.200} is no {what}: use 1 to 128 of the characters A-Z a-z 0-9 _ . -")


def check_text(text: object, what: str) -> None:
    """Refuse what is neither None nor text that can be written.

    Raises:
        TypeError, ValueError: it is another type, or has a lone surrogate.
    """
    if text is None:
        return
    if not isinstance(text, str):
        raise TypeError(f"The {what} is a text or None, not {type(text).__name__}.")
    text.encode()
