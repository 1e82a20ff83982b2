"""Counts in sentences for people."""

from __future__ import annotations


def counted(count: int, one: str) -> str:
    """Return so many of something in words.

    Example:
        >>> counted(1, "run"), counted(2, "run")
        ('1 run', '2 runs')
    """
    return f"{count} {one}" if count == 1 else f"{count} {one}s"
