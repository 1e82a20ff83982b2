"""JSON Pointers (RFC 6901): names of members as they stand in one."""

from __future__ import annotations


def escaped(name: str) -> str:
    """Return a name as a JSON Pointer writes it.

    Example:
        >>> escaped("a/b~c")
        'a~1b~0c'
    """
    return name.replace("~", "~0").replace("/", "~1")


def unescaped(token: str) -> str:
    """Return the name that a JSON Pointer writes so.

    Example:
        >>> unescaped("a~1b~0c")
        'a/b~c'
    """
    return token.replace("~1", "/").replace("~0", "~")
