"""What the journal says of requests for input: what people are asked, and what they decide."""

from __future__ import annotations

from typing import Any, ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import Command, DecidedBy, Encoded, Notification


@frozen
class InputRequested(Command):
    """A request to people for an input.

    Attributes:
        spec: the request as the row carries it (see `state.py`).
        policy: the rules it is decided by, beside whom it is asked and until when; each is a member of its own.
    """

    type: ClassVar[str] = "input.requested"
    id: str
    spec: dict[str, Any]
    to: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    deadline: int | None = None
    expose: bool = False
    policy: dict[str, Any] | None = None


@frozen
class InputRevised(Command):
    """What people are shown instead: `changes` replaces members of the spec."""

    type: ClassVar[str] = "input.revised"
    id: str
    changes: dict[str, Any]


@frozen
class InputWithdrawn(Command):
    """The end of a request that the workflow takes back; without effect if it is already decided."""

    type: ClassVar[str] = "input.withdrawn"
    id: str
    reason: str | None = None


@frozen
class InputAnswered(Notification):
    """An accepted answer. `submission_id` is the txid of the rows it changes.

    `votes`: the submissions that decided it together, of a request with a quorum; the last is this one.
    """

    type: ClassVar[str] = "input.answered"
    id: str
    submission_id: str
    digest: str
    action: str
    value: Encoded
    by: DecidedBy
    votes: tuple[str, ...] = ()

    @property
    def txid(self) -> str:
        """Return the submission id."""
        return self.submission_id


@frozen
class InputExpired(Notification):
    """The end of a request whose deadline passed."""

    type: ClassVar[str] = "input.expired"
    id: str


@frozen
class InputRecalled(Notification):
    """The end of a request that somebody outside has taken back."""

    type: ClassVar[str] = "input.recalled"
    id: str
    reason: str
    by: DecidedBy
