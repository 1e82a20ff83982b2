"""Globs over stream paths (Durable Streams §6.2): `*` is one segment, or a part of one; `**` any number of segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from signoff.errors import BadRequest
from signoff.streams import path as paths

ANY: Final = "**"


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern of stream paths, matched in a time that follows the lengths of pattern and path.

    A wildcard in the first segment does not match the engine's own streams, as a shell's does not match hidden files:
    who wants those names them, `runs/*`.

    Example:
        >>> Glob("events/*").matches("events/a"), Glob("events/*").matches("events/a/b")
        (True, False)
        >>> Glob("events/**").matches("events"), Glob("**").matches("runs/r1")
        (True, False)
    """

    pattern: str

    @property
    def prefix(self) -> str:
        """Return what every path begins with that matches."""
        plain = self.pattern.partition("*")[0]
        return plain[:-1] if plain.endswith("/") and self.pattern[len(plain) :].startswith(ANY) else plain

    def matches(self, path: str) -> bool:
        """Tell whether a path matches."""
        if not path.startswith(self.prefix):
            return False
        wanted = self.pattern.split("/")
        if "*" in wanted[0] and (paths.engine_owned(path) or paths.reserved(path)):
            return False
        return _fits(wanted, path.split("/"), ANY, _segment)


def check(pattern: str) -> str:
    """Return a pattern without leading slashes, if it is one.

    Raises:
        BadRequest: it could not match any stream's path, or has `**` within a segment.
    """
    text = paths.check(pattern.lstrip("/"))
    if any(ANY in segment and segment != ANY for segment in text.split("/")):
        raise BadRequest("In a pattern `**` stands for whole segments: `a/**/b`. Nothing was done.")
    if paths.reserved(text):
        raise BadRequest("The streams below `__ds` are the protocol's own. Nothing was done.")
    return text


def _segment(wanted: str, given: str) -> bool:
    if wanted in {"*", given}:
        return True
    return "*" in wanted and _fits(wanted, given, "*", str.__eq__)


def _fits(wanted: Sequence[str], given: Sequence[str], star: str, same: Callable[[str, str], bool]) -> bool:
    """Match items against a pattern where `star` stands for any number of them; only the last star is reconsidered."""
    here = at = again = 0
    last = -1
    while at < len(given):
        if here < len(wanted) and wanted[here] == star:
            last, again = here, at
            here += 1
        elif here < len(wanted) and same(wanted[here], given[at]):
            here, at = here + 1, at + 1
        elif last >= 0:
            again += 1
            here, at = last + 1, again
        else:
            return False
    return all(item == star for item in wanted[here:])
