"""What a decision is made on, and what it can be: append these, it is done already, or delete. A refusal is raised.

Every `decide.py` has pure functions `(loaded, what is asked, who, now) -> AppendEntries | AlreadyDone | DeleteRun`.
Whoever calls one loads the run, projects the entries, and commits them as a compare-and-swap on what was loaded; a lost
race is decided anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar

from signoff.errors import SignoffError
from signoff.frozen import frozen
from signoff.workflow.entry import DecidedBy, Entry
from signoff.workflow.view import Past, RunFold, View

R = TypeVar("R")


@frozen
class Remembered:
    """What was accepted before under the id that a client chose.

    Attributes:
        digest: of what was sent, to tell a retry from a reuse.
        outcome: the first reply, as `Remember.dumps` wrote it.
    """

    digest: str
    outcome: bytes


@frozen
class Loaded:
    """A run as it was loaded for a decision.

    Attributes:
        view: its rows, as far as the decision is about them.
        public_tail: number of messages in the run's stream.
        wake_at: milliseconds of the next thing due by time, or None.
        leased_until: milliseconds until which a worker holds it, or None.
        remembered: what was accepted under the id of this request, if anything was.
        forsaken: nobody who is there knows its workflow, as far as that was looked for.
        size: bytes of the parts that were loaded, as they are stored.
        ready: there is something to do about it for a worker now.
        last: the position of the last entry of its journal, and its hash (`workflow/chain.py`), for those who refer to
            it; nothing where that is not known.
    """

    view: View
    public_tail: int = 0
    wake_at: int | None = None
    leased_until: int | None = None
    remembered: Remembered | None = None
    forsaken: bool = False
    size: int = 0
    ready: bool = True
    last: tuple[int | None, str | None] = (None, None)

    @property
    def run(self) -> RunFold:
        """Return what the fold remembers of the run."""
        assert self.view.run is not None, "the first entry of a run is run.started"
        return self.view.run

    @property
    def status(self) -> str:
        """Return the run's status."""
        return str(self.run.row["status"])

    @property
    def past(self) -> Past:
        """Return what came before, of a run that was loaded with it."""
        assert self.view.past is not None, "whoever undoes something loads the whole journal"
        return self.view.past

    def time(self, now_ms: int) -> int:
        """Return the time of an entry that is written now: a journal's times never go back."""
        return max(now_ms, self.run.last_at)


@frozen
class Remember(Generic[R]):
    """The id a client chose, under which the reply is kept: the same request again gets the first reply.

    Attributes:
        scope: ids are unique in a run and a scope, e.g. `answer`.
        id: the client's.
        digest: of what was sent.
        dumps: writes the reply as JSON.
    """

    scope: str
    id: str
    digest: str
    dumps: Callable[[R], bytes] = field(default=lambda _: b"{}", compare=False)


@frozen
class AppendEntries(Generic[R]):
    """The decision to write to a run.

    Attributes:
        entries: what its journal gets; may be empty when only the index changes.
        reply: makes the reply of the view and the public tail as they are afterwards.
        ready: a worker has something to do about it.
        wake_at: milliseconds of the next thing due by time afterwards, or None.
        ends: the run ends by this: the view it is projected on needs the rows of open steps, and no worker holds the
            run afterwards.
        release: no worker holds the run afterwards: whatever one does for it is undone.
        remember: under which id the reply is kept.
        known: ids that count as used in the run from now on.
        refusal: makes what the caller is refused with, once this is written: his request came too late.
    """

    entries: tuple[Entry, ...]
    reply: Callable[[View, int], R] = field(compare=False)
    ready: bool = True
    wake_at: int | None = None
    ends: bool = False
    release: bool = False
    remember: Remember[R] | None = None
    known: tuple[Remember[Any], ...] = ()
    refusal: Callable[[View], SignoffError] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class StartAnother(Generic[R]):
    """The decision to start another run.

    Attributes:
        run_id: its id.
        decide: called with the run that has this id; None: none has.
    """

    run_id: str
    decide: Callable[[Loaded | None], AppendEntries[R] | AlreadyDone[R]] = field(compare=False)


@frozen
class AlreadyDone(Generic[R]):
    """The decision to write nothing, because it was done before."""

    reply: R


@dataclass(frozen=True, slots=True)
class DeleteRun(Generic[R]):
    """The decision to delete the run with all that belongs to it: journal, rows, requests, what it remembers.

    Attributes:
        reply: what the caller gets.
        at: milliseconds, for the message that takes it out of its workflow's listing.
    """

    reply: R
    at: int


@dataclass(frozen=True, slots=True)
class LoadWhole:
    """The decision is about all that the run has done: load that, and ask again."""


DECISIONS: Final = (AppendEntries, AlreadyDone, DeleteRun, StartAnother, LoadWhole)
"""What a decision is an instance of."""

Decision = AppendEntries[R] | AlreadyDone[R] | DeleteRun[R] | StartAnother[R] | LoadWhole


def run_row(view: View, _: int) -> dict[str, Any]:
    """Return the run's row, for replies."""
    assert view.run is not None
    return view.run.row


def with_evidence(decision: Decision[R], by: DecidedBy, evidence: dict[str, Any]) -> Decision[R]:
    """Return a decision whose entries keep what is known of whoever acts, where they say that it was they.

    Args:
        decision: what was decided; a request that came too late is not theirs any more.
        by: who acts.
        evidence: see `input/evidence.py`; empty: there is none.
    """
    if not evidence:
        return decision
    if isinstance(decision, StartAnother):
        begin = decision.decide
        return replace(decision, decide=lambda run: with_evidence(begin(run), by, evidence))  # type: ignore[arg-type, return-value]
    if not isinstance(decision, AppendEntries) or decision.refusal is not None:
        return decision
    return replace(decision, entries=tuple([_with_evidence(one, by, evidence) for one in decision.entries]))


def _with_evidence(entry: Entry, by: DecidedBy, evidence: dict[str, Any]) -> Entry:
    if getattr(entry, "by", None) != by or getattr(entry, "evidence", by) is not None:
        return entry
    return replace(entry, evidence=evidence)  # type: ignore[call-arg]
