"""What the journal says of the run itself: how it begins and ends, and what is done to it from outside."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar

from signoff.frozen import frozen
from signoff.workflow.denial.entries import InputDenied
from signoff.workflow.entry import SAME, Command, DecidedBy, Encoded, Error, Notification


@frozen
class ForkedFrom:
    """Where a run was forked from.

    Attributes:
        run_id: the other run.
        keep: how many entries of its effective journal this one begins with.
        at: when, in milliseconds.
        n: the position of the last entry that the other's journal had then; None: an earlier release wrote this.
        hash: that entry's hash (`workflow/chain.py`); None: it has none.
    """

    run_id: str
    keep: int
    at: int
    n: int | None = None
    hash: str | None = None


@frozen
class RunStarted(Command):
    """The beginning of the run; always the first entry.

    `expose` names what of the run browsers may see (`input`, `output`), as far as the starter knew the workflow. With
    `start_at` the code begins to run at that time. `python`: of the process that started it; None in journals that were
    begun before it was recorded, which were begun on 3.11. `forked_from`: the first entries are those of another run.
    `by`: who started it, of a fork the first run; None: that is not known.
    """

    type: ClassVar[str] = "run.started"
    run_id: str
    workflow: str
    version: str
    input: Encoded
    seed: str
    digest: str
    tags: tuple[str, ...] = ()
    parent: str | None = None
    start_at: int | None = None
    expose: tuple[str, ...] = ()
    python: str | None = None
    forked_from: ForkedFrom | None = None
    by: DecidedBy | None = None


@frozen
class RunCompleted(Command):
    """The end of the run, with a result. `expose`: browsers may see it, as `shown` if that is another form."""

    type: ClassVar[str] = "run.completed"
    output: Encoded
    expose: bool = False
    shown: Any = SAME


@frozen
class RunFailed(Command):
    """The end of the run, with an error; it can be rewound.

    `causes`: ids of the commands whose errors it is, or was raised for; none: the code's own. None in journals that
    were written before this was recorded.
    """

    type: ClassVar[str] = "run.failed"
    error: Error
    causes: tuple[str, ...] | None = None


@frozen
class RunCancelled(Command):
    """The end of a run that was to stop, after its cleanup has run. `error`: what the cleanup raised, if it did."""

    type: ClassVar[str] = "run.cancelled"
    reason: str | None = None
    error: Error | None = None


@frozen
class CancelRequested(Notification):
    """Somebody's wish that the run stop; pending requests are withdrawn with it."""

    type: ClassVar[str] = "run.cancel_requested"
    reason: str | None = None
    by: DecidedBy = field(default_factory=lambda: DecidedBy("operator"))
    evidence: dict[str, Any] | None = None


@frozen
class RunTerminated(Notification):
    """The end of the run from outside, without its code; whatever stands before, nothing comes after.

    Replay of a journal that ends so runs no code.
    """

    type: ClassVar[str] = "run.terminated"
    reason: str | None = None
    by: DecidedBy = field(default_factory=lambda: DecidedBy("operator"))
    evidence: dict[str, Any] | None = None


@frozen
class RunDescribed(Notification):
    """What only the code knows of its run; written once, by the first worker that takes the run up.

    Whoever starts a run need not have the code. `tags` are those to add; `expose` names what browsers may see, and
    `input` is there if that is part of it; `python` is its own, if that is another than the starter's. Replay passes
    over it.
    """

    type: ClassVar[str] = "run.described"
    version: str
    tags: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    input: Encoded = None
    python: str | None = None


@frozen
class RunBlocked(Notification):
    """The reason why the run cannot go on: code and journal disagree, or the code got stuck; replay passes over it.

    `fingerprint` stands for the code that got stuck; it is not tried again until somebody says so (`run.retried`).
    """

    type: ClassVar[str] = "run.blocked"
    error: Error
    fingerprint: str | None = None


@frozen
class RunUnblocked(Notification):
    """The mark of a run that goes on after a deploy; replay passes over it."""

    type: ClassVar[str] = "run.unblocked"


@frozen
class RunRetried(Notification):
    """Somebody's wish that a run be tried again, with whatever code there is; replay passes over it.

    A blocked run goes on as it is. In a failed one what led to the failure is undone (see `cut.py`): `keep` entries of
    the effective journal stay, with the outcomes of what they ask for; what `anew` names is open again: the attempts of
    a step begin anew, the deadline of a request or a wait counts from here. `since`: when that was wished for, if the
    run has gone on since, and came to what had failed by then (see `undo.retried_on`). `otherwise`: how many stay if
    the code, with that open, does not ask for all that is kept: what it had asked for because of the failure goes, too.
    """

    type: ClassVar[str] = "run.retried"
    by: DecidedBy = field(default_factory=lambda: DecidedBy("operator"))
    keep: int | None = None
    anew: tuple[str, ...] = ()
    since: int | None = None
    otherwise: int | None = None
    evidence: dict[str, Any] | None = None


@frozen
class RunRewound(Notification):
    """The undoing of all but the first `keep` entries of the effective journal (see `cut.py`).

    `to` is the id of a command, for people: the first that is undone, or with `after` the last that is kept. In a run
    that was forked it stands behind the entries that were copied, and undoes nothing. `anew`: what is open again, with
    as much time as it had. `submission_id`: of whoever went back to a page of a wizard.
    """

    type: ClassVar[str] = "run.rewound"
    keep: int
    to: str | None = None
    after: bool = False
    reason: str | None = None
    by: DecidedBy = field(default_factory=lambda: DecidedBy("operator"))
    anew: tuple[str, ...] = ()
    submission_id: str | None = None
    evidence: dict[str, Any] | None = None

    @property
    def txid(self) -> str | None:
        """Return the submission id."""
        return self.submission_id


@frozen
class RunPaused(Notification):
    """Somebody's wish that nothing new be begun in the run until `run.resumed`; replay passes over it."""

    type: ClassVar[str] = "run.paused"
    reason: str | None = None
    by: DecidedBy = field(default_factory=lambda: DecidedBy("operator"))
    evidence: dict[str, Any] | None = None


@frozen
class RunResumed(Notification):
    """The end of a pause; replay passes over it."""

    type: ClassVar[str] = "run.resumed"
    reason: str | None = None
    by: DecidedBy = field(default_factory=lambda: DecidedBy("operator"))
    evidence: dict[str, Any] | None = None


OUTCOMES = (RunCompleted, RunFailed, RunCancelled)
"""How the code itself ends a run."""

REMARKS = frozenset(
    {RunDescribed, RunBlocked, RunUnblocked, RunRetried, RunRewound, RunPaused, RunResumed, InputDenied}
)
"""What is noted about a run and says nothing to its code, which takes no turn at it."""
