"""What the journal says of requests for input: what people are asked, and what they decide."""

from __future__ import annotations

from typing import Any, ClassVar

from signoff.frozen import frozen
from signoff.workflow import codec
from signoff.workflow.entry import SAME, Command, DecidedBy, Encoded, Notification


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
    """An accepted answer, or the default at the deadline.

    `submission_id` is the txid of the rows that a submission changes.

    Attributes:
        checked: a worker has read the value by the code's own type, and written what came of it: it is read back as it
            is, whatever the type's validators would say of it by then.
        shown: the value as people fill it in, if that is another form.
        reason: why a policy has decided so.
        votes: the submissions that decided it together, of a request with a quorum; the last is this one.
        evidence: what whoever sent it saw, and by what they are known (`evidence.py`); None: nobody sent it, or an
            earlier release wrote it.
    """

    type: ClassVar[str] = "input.answered"
    id: str
    submission_id: str
    digest: str
    action: str
    value: Encoded
    by: DecidedBy
    checked: bool = False
    shown: Any = SAME
    reason: str | None = None
    votes: tuple[str, ...] = ()
    evidence: dict[str, Any] | None = None

    @property
    def txid(self) -> str | None:
        """Return the submission id, if there was a submission."""
        return None if self.by.kind == "timeout" else self.submission_id

    @property
    def filled_in(self) -> Encoded:
        """Return the value as people would fill it in."""
        return self.value if self.shown is SAME else codec.encode(self.shown)


@frozen
class InputExpired(Notification):
    """The end of a request whose deadline passed."""

    type: ClassVar[str] = "input.expired"
    id: str


@frozen
class InputReminded(Notification):
    """A reminder of a request; those that were to come before it and had not are passed over.

    Attributes:
        n: which of the request's schedule.
    """

    type: ClassVar[str] = "input.reminded"
    id: str
    n: int


@frozen
class InputEscalated(Notification):
    """The time from which others are asked.

    Attributes:
        n: which of the request's schedule.
        to: who is asked now.
        keep: and those who were asked before.
    """

    type: ClassVar[str] = "input.escalated"
    id: str
    n: int
    to: tuple[str, ...]
    keep: bool = True


@frozen
class InputRecalled(Notification):
    """The end of a request that somebody outside has taken back."""

    type: ClassVar[str] = "input.recalled"
    id: str
    reason: str
    by: DecidedBy
    evidence: dict[str, Any] | None = None
