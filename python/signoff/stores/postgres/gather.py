"""Make of a group of Changes the arrays of one call of `commit_v1`.

A row is made on what is known of its subject or stream; whether that is still so the server finds out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from random import Random
from typing import Any, Final

from signoff.errors import BadRequest
from signoff.stores.change import Batch, Change, FamilyWrite, OwnAppend, Post, SubjectWrite, new_mark
from signoff.stores.check import check_terms
from signoff.stores.parting import batches
from signoff.stores.postgres.known import KnownStream, KnownSubject, SubjectKey, keys
from signoff.stores.postgres.rows import Own, own_text, terms_text
from signoff.streams import expiry
from signoff.streams.stream import Write

_random: Final = Random()  # noqa: S311 - they must differ, not be hard to guess

_SUBJECT: Final = 19
_EPOCH: Final = 4
_RELEASE: Final = 16
_AGENDA: Final = 17
_STEP_COLUMNS: Final = (0, 3, 4, 5, 6, 10, 11, 12, 13, 15, 14, 18)
"""Those of a record's values that steps write: number, expect, epoch, version, mark, ready, wake, quiet, updated,
appended, own, state."""

_step_values: Final = itemgetter(*_STEP_COLUMNS)
_STREAM: Final = 10

_STEP_APPENDS: Final = 8
_STREAMS: Final = 2
"""The first of what rows of application streams are sorted by."""


@dataclass(slots=True, eq=False)
class WriteRow:
    """A record or an application's stream that a Change writes, with all that goes along.

    Attributes:
        change: the place of the Change in its group.
        order: what rows are sorted by, so that everybody locks in one order.
        values: of its own arrays.
        known: what is known of it once it is written.
        outcome: the batches that its Change gets.
    """

    change: int
    order: tuple[int, int | tuple[str, str]]
    values: tuple[Any, ...]
    known: KnownSubject | KnownStream
    outcome: dict[str, Batch]
    made: list[tuple[Any, ...]] = field(default_factory=list)
    terms: list[tuple[Any, ...]] = field(default_factory=list)
    parts: list[tuple[Any, ...]] = field(default_factory=list)
    batches: list[tuple[Any, ...]] = field(default_factory=list)
    posts: list[tuple[Any, ...]] = field(default_factory=list)


def subject_row(place: int, change: Change, known: KnownSubject | None, numbers: Iterator[int]) -> WriteRow:
    """Make the row of a subject; `known` is its record before, None if it is new.

    Raises:
        BadRequest: it holds what cannot be kept.
    """
    write, posts, mark = change
    assert isinstance(write, SubjectWrite)
    new = write.subject
    if new.version < 1:
        raise BadRequest("A subject's version is 1 or more, since 0 says that there is none; nothing was written.")
    check_terms(new.terms)
    added = _Added()
    before_own: Own = known.own if known else ()
    own = added.to(before_own, write.appends, mark, numbers) if write.appends else before_own
    number, sort = (None, new.sort) if known is None else (known.id, known.sort)
    queue = new.queue
    # Whoever holds the lease, and keeps it, does not move the time at which it ends.
    stays = known is not None and known.queue == queue and not write.release
    agenda = not (stays and (write.epoch is not None or queue is None))
    record = (new.version, mark, sort, terms_text(new.terms), queue, new.ready, new.wake_at, new.quiet, new.updated_at)
    marks = (bool(write.appends), write.release, agenda, new.state)
    values = (number or -1 - place, *new.name, write.expect, write.epoch, *record, own_text(own), *marks)
    row = WriteRow(
        place,
        (1, new.name) if number is None else (0, number),
        values,
        KnownSubject(number or 0, new.version, sort, new.terms, queue, own),
        added.outcome,
        added.made,
        batches=added.batches,
        posts=_posts(posts),
    )
    before = known.terms if known else ()
    if before != new.terms:
        row.terms += [(term, True) for term in dict.fromkeys(before) if term not in new.terms]
        row.terms += [(term, False) for term in dict.fromkeys(new.terms) if term not in before]
    for gone in write.dropped:
        row.parts.append((*gone, True, False, 0, "[]", b""))
    for part in write.parts:
        check_terms(part.terms)
        row.parts.append((part.kind, part.key, False, part.open, part.sort, terms_text(part.terms), part.state))
    return row


@dataclass(slots=True)
class _Added:
    """What appends add to streams of a subject's own.

    Attributes:
        outcome: the batches by path, as their sender learns of them.
        made: new streams: number, path, incarnation, version.
        batches: number of the stream, start, end, mark, data.
    """

    outcome: dict[str, Batch] = field(default_factory=dict)
    made: list[tuple[Any, ...]] = field(default_factory=list)
    batches: list[tuple[Any, ...]] = field(default_factory=list)

    def to(self, own: Own, appends: Sequence[OwnAppend], mark: int, numbers: Iterator[int]) -> Own:
        """Append; return what the streams are then."""
        streams = {one[1]: one for one in own}
        for append in appends:
            path, data, count = append.path, append.data, append.count
            known = streams.get(path)
            if known is None:
                known = (next(numbers), path, 0, False)
                self.made.append((known[0], path, new_incarnation(), new_mark()))
            number, _, start, _ = known
            end = start + count
            if count:
                self.batches.append((number, start, end, mark, data))
            streams[path] = (number, path, end, append.close)
            before = self.outcome.get(path)
            self.outcome[path] = Batch(start, end, data) if before is None else before.joined(end, data)
        return tuple(streams.values())


def stream_row(place: int, change: Change, write: Write, known: KnownStream) -> WriteRow:
    """Make the row of an application's stream that is appended to."""
    head = write.head
    ends = expiry.end(head) if head.ttl_s is not None else None
    producer = write.producer or (None, None, None)
    return WriteRow(
        place,
        (_STREAMS, known.id),
        (known.id, write.expect, head.version, head.tail, head.last_seq, head.touched_at, ends, *producer),
        KnownStream(known.id, head.version, known.properties),
        {},
        batches=[(known.id, *one[:2], change.mark, one.data) for one in batches(write, write.start)],
        posts=_posts(change.posts),
    )


def _posts(posts: Sequence[Post]) -> list[tuple[Any, ...]]:
    return [(one.path, one.count, one.data) for one in posts]


def arrays(session: int, rows: Sequence[WriteRow]) -> list[Any]:
    """Return the arguments of `commit_v1`; the rows are sorted, records first."""
    subjects = [row.values for row in rows if row.order[0] != _STREAMS]
    streams = [row.values for row in rows if row.order[0] == _STREAMS]
    return [
        session,
        *_columns(subjects, _SUBJECT),
        *_columns([(place, *one) for place, row in enumerate(rows, 1) for one in row.made], 5),
        *_columns([(place, *one) for place, row in enumerate(rows, 1) for one in row.terms], 3),
        *_columns([(place, *one) for place, row in enumerate(rows, 1) for one in row.parts], 8),
        *_columns(streams, _STREAM),
        *_columns([(place, *one) for place, row in enumerate(rows, 1) for one in row.batches], 6),
        *_columns([(place, *one) for place, row in enumerate(rows, 1) for one in row.posts], 4),
    ]


def steps(session: int, rows: Sequence[WriteRow]) -> list[Any] | None:
    """Return the arguments of `steps_v1`, if all rows are as steps leave them, each of another record."""
    if not all(map(_is_step, rows)) or len({row.values[0] for row in rows}) < len(rows):
        return None
    columns = [*zip(*[row.values for row in rows], strict=True)]
    return [
        session,
        *(columns[number] for number in _STEP_COLUMNS),
        *_columns([(place, *one) for place, row in enumerate(rows, 1) for one in row.batches], 6),
    ]


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> Sequence[Any]:
    return [*zip(*rows, strict=True)] if rows else (None,) * count


def step(session: int, row: WriteRow) -> tuple[Any, ...] | None:
    """Return the arguments of `step_v1`, if a row of a record is as a step leaves it."""
    if len(row.batches) > 2 or not _is_step(row):
        return None
    appends = [value for stream, start, stop, _, data in row.batches for value in (stream, start, stop, data)]
    return (session, *_step_values(row.values), *appends, *(None,) * (_STEP_APPENDS - len(appends)))


def _is_step(row: WriteRow) -> bool:
    """Tell whether a row is as a step leaves it: of a record that is there, whose terms, queue and lease stay."""
    if row.order[0] or row.made or row.terms or row.parts or row.posts:
        return False
    values = row.values
    return values[_EPOCH] is not None and not values[_RELEASE] and not values[_AGENDA]


def new_incarnation() -> str:
    """Draw the id of a creation."""
    return f"{_random.getrandbits(128):032x}"


def is_plain(change: Change) -> bool:
    """Tell whether a Change writes a record, or appends to one stream."""
    write = change.write
    if isinstance(write, FamilyWrite):
        return len(write.streams) == 1 and isinstance(write.streams[0], Write)
    return isinstance(write, SubjectWrite)


def creations(changes: Sequence[Change], places: Sequence[int]) -> list[tuple[int, Write]]:
    """Return those of the Changes at some places, in order, that make streams before any other is about them.

    They are sorted, so that whoever else makes the same waits in the same order.
    """
    found: dict[str, tuple[int, Write]] = {}
    ahead: set[SubjectKey] = set()
    for place in places:
        about = keys(changes[place])
        one = _creation(changes[place])
        if one is not None and ahead.isdisjoint(about):
            found[one.head.path] = place, one
        ahead.update(about)
    return [found[path] for path in sorted(found)]


def _creation(change: Change) -> Write | None:
    """Return the one stream of an application that a Change makes; None: it does something else, or more."""
    write = change.write
    if not isinstance(write, FamilyWrite) or len(write.streams) != 1 or change.posts:
        return None
    [one] = write.streams
    return one if isinstance(one, Write) and one.expect == 0 and not one.head.engine else None


def streams_of(change: Change) -> int:
    """Return how many new streams a Change may make at most."""
    write = change.write
    if isinstance(write, SubjectWrite):
        return len(write.appends)
    return len(write.streams) if isinstance(write, FamilyWrite) else 0
