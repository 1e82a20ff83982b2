"""What the journal says of requests that are handed on, or changed by operators."""

from __future__ import annotations

from typing import Any, ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import DecidedBy, Notification


@frozen
class InputDelegated(Notification):
    """A person's part that another one takes over.

    `forbid`: whose part it was is asked through a group as well, and may not answer any more.
    """

    type: ClassVar[str] = "input.delegated"
    id: str
    to: str
    reason: str
    by: DecidedBy
    forbid: bool = False
    evidence: dict[str, Any] | None = None


@frozen
class InputReassigned(Notification):
    """Others that a request is asked of from now on."""

    type: ClassVar[str] = "input.reassigned"
    id: str
    to: tuple[str, ...]
    reason: str
    by: DecidedBy
    evidence: dict[str, Any] | None = None


@frozen
class InputAmended(Notification):
    """What an operator changes about a request: `changes` replaces members of the spec, or the deadline."""

    type: ClassVar[str] = "input.amended"
    id: str
    changes: dict[str, Any]
    reason: str
    by: DecidedBy
    evidence: dict[str, Any] | None = None
