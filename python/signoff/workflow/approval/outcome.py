"""What the code gets of a decision about a tool, and what a policy says of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from signoff.workflow.entry import DecidedBy
from signoff.workflow.validation.verdict import Decided

A_co = TypeVar("A_co", covariant=True)
A = TypeVar("A")

GRANT: Final = "grant:"
"""What `by.id` begins with where a remembered approval has decided; the grant's id follows."""


@dataclass(frozen=True, slots=True)
class Approved(Generic[A_co]):
    """The tool may run, as it was proposed.

    Attributes:
        args: as proposed, of the type of the tool's arguments.
        by: who approved; its `kind` tells a `person` from a `policy`.
        at: when, UTC.
        reason: why, in the words of a policy; None: a person approved.
    """

    args: A_co
    by: DecidedBy
    at: datetime
    reason: str | None = None

    @property
    def grant(self) -> str | None:
        """Return the id, `RUN/KEY`, of the remembered approval that has approved; None: it was none."""
        id_ = self.by.id or ""
        return id_.removeprefix(GRANT) if self.by.kind == "policy" and id_.startswith(GRANT) else None


@dataclass(frozen=True, slots=True)
class Edited(Generic[A_co]):
    """The tool may run, with other arguments than were proposed.

    Attributes:
        args: those to run it with, of the type of the tool's arguments.
        by, at, reason: as of `Approved`.
    """

    args: A_co
    by: DecidedBy
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The tool may not run.

    Attributes:
        reason: why, in the words of the person or the policy; None: nobody has said.
        by, at: as of `Approved`.
    """

    reason: str | None
    by: DecidedBy
    at: datetime


@dataclass(frozen=True, slots=True)
class Responded:
    """The tool does not run, and the model gets this in place of what it would have returned.

    Attributes:
        text: in the words of the person.
        by, at: as of `Approved`.
    """

    text: str
    by: DecidedBy
    at: datetime


ToolDecision = Approved[A] | Edited[A] | Rejected | Responded
"""What is decided about a tool, told apart by `match`."""


def approve(reason: str = "") -> Decided:
    """Return a policy's decision that a tool may run as it was proposed.

    Args:
        reason: for everybody who sees the request.

    Example:
        >>> def policy(tool: str, args: Mail) -> Decided | None:
        ...     return approve("to our own domain") if args.to.endswith("@example.com") else None
    """
    return Decided("approve", None, reason)


def reject(reason: str = "") -> Decided:
    """Return a policy's decision that a tool may not run.

    Args:
        reason: for the model, and for everybody who sees the request.
    """
    return Decided("reject", None, reason)
