"""The kinds of subjects and parts Signoff keeps, declared once: what they are listed by, and when they are due.

    subject       id               parts                       found by
    run           the run's        input ledger wait           workflow, status, tag, starter; claimed by its workflow;
                                                               whether it has outputs, and has ended since
    subscription  the client's     -                           due when a delivery or a lease of its is
    worker        its owner's      -                           due when its announcement ends
    webhook-key   `1`              -                           -
    draft         person, request  -                           the request; due when it is to be looked at again
    files         run, request     -                           the run; due when it is to be looked at again
    revocation    what it revokes  -                           when it was written; due when it is of no use any more
    notify        the target's     -                           -
    probe         any              -                           -: written and deleted, to see how long that takes

    part     key            state                         found by
    input    `name:n`       the request (`InputState`)    status, who is asked, what tool is remembered
    ledger   scope, id      what a client's id led to     -
    wait     the wait's id  what the run waits for        topic and key

Stores know none of this. A new noun is a line here and the functions it needs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final

import orjson

from signoff.stores.base import Listing
from signoff.stores.change import (
    Change,
    Name,
    OwnStream,
    Part,
    PartName,
    Subject,
    SubjectDelete,
    SubjectWrite,
    new_mark,
)
from signoff.workflow import chain
from signoff.workflow.approval.remember import terms_of_grant
from signoff.workflow.decision import Remembered
from signoff.workflow.event.matching import takes
from signoff.workflow.input.state import InputState
from signoff.workflow.run.status import ENDED
from signoff.workflow.view import RunFold


class Kind(StrEnum):
    """The kinds of subjects."""

    RUN = "run"
    SUBSCRIPTION = "subscription"
    WORKER = "worker"
    WEBHOOK_KEY = "webhook-key"
    PROBE = "probe"
    DRAFT = "draft"
    FILES = "files"
    REVOCATION = "revocation"
    NOTIFY = "notify"

    @property
    def agenda(self) -> str:
        """Return the queue in which records of this kind are due. Runs have their workflow's name, without a `/`."""
        return f"due/{self.value}"


class PartKind(StrEnum):
    """The kinds of a run's parts."""

    INPUT = "input"
    LEDGER = "ledger"
    WAIT = "wait"


OUTPUTS: Final = "outputs"
"""The term of a run that goes on and has outputs."""

OUTPUTS_LEFT: Final = "outputs/left"
"""The term of one that has ended, until nobody can have left an output of it open."""

_LONGEST: Final = 100
"""Bytes of an event's key that a wait is found by."""

# -- runs --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What narrows a listing of runs; None, or none, means any.

    Attributes:
        statuses: the run has one of these.
        tags: the run has all of these.
        created_after, created_before: milliseconds, both exclusive.
        oldest_first: by creation; otherwise the newest come first.
        started_by: the principal of whoever started the run.
    """

    workflow: str | None = None
    statuses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    created_after: int | None = None
    created_before: int | None = None
    oldest_first: bool = False
    started_by: str | None = None

    @property
    def listing(self) -> Listing:
        """Return what to ask a store for: led by what narrows it most.

        That is who started the runs, or their workflow, with their status, or else a tag.
        """
        statuses: Iterable[str | None] = dict.fromkeys(self.statuses) or (None,)
        tags = tuple(f"tag/{tag}" for tag in self.tags)
        if self.started_by is not None:
            leading = tuple(_started_term(self.started_by, status) for status in statuses)
            tags = tags if self.workflow is None else (f"workflow/{self.workflow}", *tags)
        else:
            leading = tuple(filter(None, (_run_term(self.workflow, status) for status in statuses)))
        if not leading:
            leading, tags = tags[:1], tags[1:]
        return Listing(Kind.RUN, leading or None, tags, self.created_after, self.created_before, self.oldest_first)


def run_name(run_id: str) -> Name:
    """Return the name of a run's record."""
    return Name(Kind.RUN, run_id)


def run_record(
    fold: RunFold,
    before: Subject | None,
    *,
    ready: bool,
    wake_at: int | None,
    streams: tuple[OwnStream, ...],
    head: str,
) -> Subject:
    """Return a run's record as it shall be: its fold, and what it is found by.

    Args:
        fold: what the journal comes to.
        before: the record as loaded; None: the run is new.
        ready: a worker has something to digest.
        wake_at: milliseconds of the earliest timer, deadline or retry; None: nothing is due by time.
        streams: journal and rows, as far as they will have grown.
        head: the hash of the last entry of the journal.
    """
    row = fold.row
    workflow, status = row["workflow"], row["status"]
    lease: tuple[int, str | None, int | None]
    outputs = None
    if before is None:
        # The first version is drawn: no worker of a deleted run's fits the run that took its place.
        name, version, sort, lease = run_name(row["id"]), first_version(), fold.last_at, (0, None, None)
    else:
        name, version, sort = before.name, before.version, before.sort
        lease = before.epoch, before.lease_owner, before.lease_until
        if has_outputs(before):
            outputs = OUTPUTS_LEFT if status in ENDED else OUTPUTS
    return Subject(
        name,
        version + 1,
        chain.with_head(fold.dumps(), head),
        _run_terms(workflow, status, tuple(row["tags"]), row["started_by"], outputs),
        sort,
        None if status in ENDED or fold.paused else workflow,
        ready,
        wake_at,
        status == "blocked",
        fold.last_at,
        streams,
        *lease,
    )


def has_outputs(run: Subject) -> bool:
    """Tell whether a run's record says that the run has outputs, or may have left some open."""
    return OUTPUTS in run.terms or OUTPUTS_LEFT in run.terms


def with_outputs(run: Subject, epoch: int | None = None) -> tuple[Subject, Change]:
    """Return the record of a run that goes on as it shall be, to say that it has outputs, and what writes it.

    Args:
        run: the record as loaded.
        epoch: the lease epoch, for a worker's write.
    """
    # A lease that was given up meanwhile has made it ready, and left the version as it was.
    after = replace(run, version=run.version + 1, terms=(*_without_outputs(run), OUTPUTS), ready=True)
    return after, Change(SubjectWrite(after, run.version, epoch=epoch), mark=new_mark())


def outputs_done(run: Subject) -> Change:
    """Return what has the record of a run that has ended say no more that outputs may be left open."""
    after = replace(run, version=run.version + 1, terms=_without_outputs(run))
    return Change(SubjectWrite(after, run.version), mark=new_mark())


def _without_outputs(run: Subject) -> tuple[str, ...]:
    return tuple(term for term in run.terms if term not in {OUTPUTS, OUTPUTS_LEFT})


def outputs_left() -> Listing:
    """Return what to ask a store for to list runs that have ended and may have left outputs open."""
    return Listing(Kind.RUN, (OUTPUTS_LEFT,), oldest_first=True)


@lru_cache(maxsize=1024)
def _run_terms(
    workflow: str, status: str, tags: tuple[str, ...], starter: str | None, outputs: str | None
) -> tuple[str, ...]:
    led: tuple[str, ...] = (f"workflow/{workflow}", f"status/{status}", f"workflow/{workflow}/status/{status}")
    if starter is not None:
        led = (*led, _started_term(starter, None), _started_term(starter, status))
    if outputs is not None:
        led = (*led, outputs)
    return (*led, *(f"tag/{tag}" for tag in tags)) if tags else led


def _started_term(starter: str, status: str | None) -> str:
    return f"started/{starter}" if status is None else f"started/{starter}/status/{status}"


def _run_term(workflow: str | None, status: str | None) -> str:
    parts = (("workflow", workflow), ("status", status))
    return "/".join(f"{name}/{value}" for name, value in parts if value is not None)


# -- records that are no runs ------------------------------------------------------------------------------------------


def first_version() -> int:
    """Draw the version of a new record, so that a deleted one is never taken for the one that took its place."""
    return 1 + (new_mark() >> 14)


def free_record(kind: Kind, record_id: str, state: bytes, *, expect: int = 0, due_at: int | None = None) -> Subject:
    """Return a record that has neither parts nor streams, as it shall be.

    Args:
        expect: the version this was decided on; 0: there must be none yet.
        due_at: milliseconds at which something is to be done about it; None: nothing.
    """
    version = expect + 1 if expect else first_version()
    return Subject(Name(kind, record_id), version, state, queue=kind.agenda, wake_at=due_at)


def put_record(record: Subject, expect: int = 0) -> Change:
    """Return what writes a record that was decided on version `expect`; 0: there must be none yet."""
    return Change(SubjectWrite(record, expect), mark=new_mark())


def forget_record(record: Subject) -> Change:
    """Return what deletes a record, if it is still as it was loaded."""
    return Change(SubjectDelete(record.name, record.version), mark=new_mark())


# -- requests for input ------------------------------------------------------------------------------------------------


def input_part(state: InputState) -> Part:
    """Return a request as a part of its run."""
    row = state.row
    status = "pending" if state.pending else row["status"]  # also while an answer to it is judged
    terms = [f"status/{status}"]
    for principal in state.to:
        terms += [f"to/{principal}", f"to/{principal}/status/{status}"]
    terms += terms_of_grant(state)
    return Part(PartKind.INPUT, row["id"], state.dumps(), state.pending, tuple(terms), state.asked_ms)


def inputs_listing(audience: Collection[str] | None, status: str | None) -> Listing:
    """Return what to ask a store for to list requests asked of any of `audience` (None: of anybody)."""
    suffix = "" if status is None else f"/status/{status}"
    if audience is not None:
        return Listing(PartKind.INPUT, tuple(f"to/{one}{suffix}" for one in sorted(set(audience))))
    return Listing(PartKind.INPUT, None if status is None else (f"status/{status}",))


# -- what was accepted under an id that a client has chosen ------------------------------------------------------------


def ledger_name(scope: str, client_id: str) -> PartName:
    """Return the name of what a run remembers under an id that is unique in a scope, such as `answer`."""
    return PartName(PartKind.LEDGER, f"{scope} {client_id}")


def ledger_part(scope: str, client_id: str, digest: str, outcome: bytes) -> Part:
    """Return what a run remembers of something it has accepted: the digest of what was sent, and the first reply."""
    name = ledger_name(scope, client_id)
    return Part(name.kind, name.key, b"%b\n%b" % (digest.encode(), outcome))


def remembered(part: Part) -> Remembered:
    """Read what `ledger_part` wrote."""
    digest, _, outcome = part.state.partition(b"\n")
    return Remembered(digest.decode(), outcome)


# -- waits for events --------------------------------------------------------------------------------------------------


def wait_part(wait_id: str, topic: str, key: str | None, at: int) -> Part:
    """Return the fact that a run waits for an event since `at` (ms)."""
    state = orjson.dumps({"topic": topic, "key": key})
    return Part(PartKind.WAIT, wait_id, state, terms=(_wait_term(topic, key),), sort=at)


def waits_listing(topic: str, key: str | None) -> Listing:
    """Return what to ask a store for to find waits that may take an event, those that began first coming first."""
    terms = (_wait_term(topic, None),) if key is None else (_wait_term(topic, None), _wait_term(topic, key))
    return Listing(PartKind.WAIT, terms, oldest_first=True)


def wait_takes(wait: Part, topic: str, key: str | None) -> bool:
    """Tell whether a wait takes an event; the term it was found by is but a hint."""
    state = orjson.loads(wait.state)
    return takes(state["topic"], state["key"], topic, key)


def _wait_term(topic: str, key: str | None) -> str:
    """Return what a wait is found by; keys of any length and content lead to one that a store can keep."""
    return f"topic/{topic}" if key is None else f"topic/{topic}/{key.encode()[:_LONGEST].hex()}"
