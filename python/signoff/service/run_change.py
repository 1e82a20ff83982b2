"""Turn journal entries, and what they project to, into one Change: the single way a run is ever written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signoff.paths import inbox_path, journal_path, listing_path, notifications_path, run_path
from signoff.service.kinds import PartKind, input_part, run_record, wait_part
from signoff.stores.change import (
    Change,
    OwnAppend,
    OwnStream,
    Part,
    PartName,
    Post,
    Subject,
    SubjectDelete,
    SubjectWrite,
    new_mark,
)
from signoff.streams import state
from signoff.timestamps import rfc3339
from signoff.workflow import chain, journal
from signoff.workflow.entry import Entry
from signoff.workflow.notice import deletion_notice, notices
from signoff.workflow.projection import project
from signoff.workflow.view import Delta, RunFold, View


@dataclass(slots=True)
class RunSnapshot:
    """A run as it is about to be written.

    Attributes:
        subject: its record; None before its first commit.
        view: its rows, moved on by what is written. It may be partial: an answer needs only the run and one request.
    """

    subject: Subject | None
    view: View

    @property
    def journal_tail(self) -> int:
        """Return the number of entries the run's journal has."""
        return tails(self.subject)[0]

    @property
    def public_tail(self) -> int:
        """Return the number of rows the run's public stream has."""
        return tails(self.subject)[1]


class RunChange:
    """One atomic write to a run: entries, the rows they project to, and the record as it will be.

    Args:
        before: the run as loaded; its view is moved on by the entries.
        entries: what to append to the journal; may be empty when only the record changes.
        ready: whether a worker has something to digest afterwards.
        wake_at: milliseconds of the next thing due by time, or None.
        epoch: the lease epoch, for a worker's write.
        release: give the lease up.

    Attributes:
        change: what to commit.
        after: the run's record once it is committed.
        delta: the projected rows.
    """

    __slots__ = ("after", "change", "delta")

    def __init__(
        self,
        before: RunSnapshot,
        entries: Sequence[Entry],
        *,
        ready: bool,
        wake_at: int | None,
        epoch: int | None = None,
        release: bool = False,
    ) -> None:
        subject = before.subject
        journal_tail, public_tail = tails(subject)
        self.delta = delta = project(before.view, entries, public_tail)
        fold = before.view.run
        assert fold is not None, "the first entry of a run is run.started"
        row = fold.row
        if subject is None:
            version, journal_at, rows_at = 0, journal_path(row["id"]), run_path(row["id"])
        else:
            version, (journal_at, rows_at) = subject.version, [stream.path for stream in subject.streams]
        streams = (
            OwnStream(journal_at, journal_tail + len(entries), delta.close),
            OwnStream(rows_at, public_tail + len(delta.public), delta.close),
        )
        head = None if subject is None else chain.head_of(subject.state)
        written, head = chain.chained(journal.messages(entries), head or chain.start(row["id"], journal_tail))
        self.after = run_record(fold, subject, ready=ready, wake_at=wake_at, streams=streams, head=head)
        parts, dropped = _parts(delta, fold.last_at)
        appends = _appends(journal_at, rows_at, written, len(entries), delta)
        write = SubjectWrite(self.after, version, parts, dropped, appends, epoch, release)
        posts = _posts(row["workflow"], delta)
        if delta.inputs:
            told = notices(row["id"], row["workflow"], entries, journal_tail, delta.inputs, fold.last_at)
            if told:
                posts = (*posts, Post(notifications_path(row["id"]), b",".join(told), len(told)))
        self.change = Change(write, posts, new_mark())

    def remember(self, part: Part) -> None:
        """Write one more part along."""
        write, posts, mark = self.change
        assert isinstance(write, SubjectWrite)
        parts = (*write.parts, part)
        write = SubjectWrite(
            write.subject, write.expect, parts, write.dropped, write.appends, write.epoch, write.release
        )
        self.change = Change(write, posts, mark)


def run_deletion(subject: Subject, fold: RunFold, at: int) -> Change:
    """Return what deletes a run that has ended, and takes it out of its workflow's listing.

    Nobody's inbox has anything of it: what it asked was withdrawn at its end. What is not told of it yet is dropped.

    Args:
        subject: its record, as loaded.
        fold: what its journal comes to.
        at: milliseconds.
    """
    row = fold.row
    gone = state.delete("run", row["id"], timestamp=rfc3339(at))
    paths = tuple(stream.path for stream in subject.streams)
    write = SubjectDelete(subject.name, subject.version, paths)
    untold = Post(notifications_path(row["id"]), deletion_notice(row["id"]), 1)
    return Change(write, (Post(listing_path(row["workflow"]), gone, 1), untold), new_mark())


def tails(subject: Subject | None) -> tuple[int, int]:
    """Return how many entries and rows a run has: its journal is the first of its streams, its rows are the second."""
    if subject is None:
        return 0, 0
    return subject.streams[0].tail, subject.streams[1].tail


def _appends(journal_at: str, rows_at: str, written: bytes, count: int, delta: Delta) -> tuple[OwnAppend, ...]:
    public, close = delta.public, delta.close
    appends: tuple[OwnAppend, ...] = ()
    if count or close:
        appends = (OwnAppend(journal_at, written, count, close),)
    if public or close:
        appends = (*appends, OwnAppend(rows_at, b",".join(public), len(public), close))
    return appends


def _posts(workflow: str, delta: Delta) -> tuple[Post, ...]:
    posts: tuple[Post, ...] = ()
    if delta.inboxes:
        inboxes: dict[str, list[bytes]] = {}
        for principal, row in delta.inboxes:
            inboxes.setdefault(principal, []).append(row)
        posts = tuple([Post(inbox_path(who), b",".join(rows), len(rows)) for who, rows in inboxes.items()])
    if delta.listing:
        posts = (*posts, Post(listing_path(workflow), b",".join(delta.listing), len(delta.listing)))
    return posts


def _parts(delta: Delta, at: int) -> tuple[tuple[Part, ...], tuple[PartName, ...]]:
    inputs = tuple(map(input_part, delta.inputs.values())) if delta.inputs else ()
    if not delta.waits:
        return inputs, ()
    put: dict[str, Part] = {}
    dropped = []
    for wait_id, topic, key, remove in delta.waits:
        if not remove:
            put[wait_id] = wait_part(wait_id, topic, key, at)
        elif put.pop(wait_id, None) is None:
            dropped.append(PartName(PartKind.WAIT, wait_id))
    return (*inputs, *put.values()), tuple(dropped)
