"""What every entry of a journal is made of; the entries themselves stand in the folders of their nouns.

A run is its journal: an append-only list of entries, of two kinds.
*Commands* are what the code asked for, in the order it asked; *notifications* are what the world answered, in the order
it was written down. Replay feeds the notifications one at a time, runs the code until it is idle after each, and
compares the commands that come out with those in the journal: the two sequences are ordered each for itself, so a
notification may stand in the journal before commands that an earlier notification caused.

Ids are `name:n`, n counting that name's uses in the run from 0, over all kinds of commands, so that an id names one
thing in a run. Times (`at`, `fire_at`, …) are milliseconds. Values are what `codec` makes of Python values: plain JSON
with tags for what JSON cannot say.
"""

from __future__ import annotations

import sys
from dataclasses import field
from typing import Any, ClassVar, Final, Literal

from signoff.frozen import frozen

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The Python that runs here, as journals record it."""

Encoded = Any
"""A value as `codec` writes it: JSON-ready."""


@frozen
class Entry:
    """One entry of a run's journal.

    Attributes:
        type: as the journal names it, e.g. `step.completed`.
        at: when it was written, in milliseconds.
    """

    type: ClassVar[str]
    at: int


@frozen
class Command(Entry):
    """An entry that the code asked for; replay compares it with what the code asks for again.

    Attributes:
        optional: code that does not ask for it any more agrees with the journal all the same.
    """

    optional: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """Return what identifies it among others of its type."""
        return getattr(self, "id", "")


@frozen
class Notification(Entry):
    """An entry that the world wrote; replay feeds it to the code."""

    @property
    def txid(self) -> str | None:
        """Return the id that whoever wrote it looks for in the headers of the rows it changes; None: nobody does."""
        return None


class Same:
    """The mark of what people see as nothing but the value itself, where even None would be something else."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return its name."""
        return "SAME"


SAME: Final = Same()


@frozen
class StackFrame:
    """A place that an exception passed on its way.

    Attributes:
        file: as the interpreter knows it.
        line: counted from 1.
        function: its name.
        source: the line's text, or empty where it cannot be read.
    """

    file: str
    line: int
    function: str
    source: str = ""


@frozen
class Error:
    """An error as the journal keeps it.

    Attributes:
        code: stable, snake_case; the class name of the exception in snake_case when it has no `code`.
        message: for operators; reaches browsers only if `public`.
        type: qualified name of the exception class.
        public: the exception is meant for people (`PublicError`).
        frames: where it was raised, the innermost last; for operators, and for them alone. They are no part of what
            an error is: the same one from another line is equal.
    """

    code: str
    message: str
    type: str = ""
    public: bool = False
    frames: tuple[StackFrame, ...] = field(default=(), compare=False)


@frozen
class DecidedBy:
    """Who decided: a person, a timeout, a policy or an operator."""

    kind: Literal["person", "timeout", "policy", "operator", "workflow"]
    id: str | None = None
