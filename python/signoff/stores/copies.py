"""What a store holds, record by record, for whoever moves it into another store.

Nothing is left out that can be asked for through the port, and nothing else is in it: no marks of Changes (nobody asks
for an outcome after a move), and nothing that is deleted and waits for `Streams.purge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from signoff.errors import BadRequest
from signoff.stores.change import Batch, Name, Part, Subject
from signoff.streams.compaction import LiveRow
from signoff.streams.stream import Head, ProducerMark


@dataclass(frozen=True, slots=True)
class SubjectCopy:
    """A subject's record, with what is the store's own in it: streams, epoch, lease.

    Attributes:
        rank: orders records of one `sort` in listings, as they were first written: a positive integer below 2**53,
            unique among the subjects of a store.
        lease_ms: how long the lease in it was taken for (milliseconds); 0: it has none.
    """

    subject: Subject
    rank: int
    lease_ms: int = 0


@dataclass(frozen=True, slots=True)
class PartCopy:
    """A part of a subject.

    Attributes:
        rank: as of a `SubjectCopy`, unique among the parts of a store; a subject's parts are loaded in its order.
    """

    owner: Name
    part: Part
    rank: int


@dataclass(frozen=True, slots=True)
class StreamCopy:
    """A stream's head, as `Streams.load_stream` returns it; also of one that is deleted and kept for its forks.

    Attributes:
        owner: the subject whose own stream it is, if it is anybody's.
    """

    head: Head
    owner: Name | None = None


@dataclass(frozen=True, slots=True)
class ProducerCopy:
    """How far a producer has got in a stream."""

    path: str
    producer: ProducerMark


@dataclass(frozen=True, slots=True)
class BatchCopy:
    """A batch of a stream as it is stored; what a fork has of its source is the source's."""

    path: str
    batch: Batch


@dataclass(frozen=True, slots=True)
class RowCopy:
    """A live row of a stream."""

    path: str
    row: LiveRow


Record = SubjectCopy | PartCopy | StreamCopy | ProducerCopy | BatchCopy | RowCopy


@dataclass(frozen=True, slots=True)
class Dump:
    """A piece of what a store holds.

    Attributes:
        cursor: pass it on to get what follows; None: this was the last piece.
    """

    records: tuple[Record, ...]
    cursor: str | None


NO_CURSOR: Final = "This is no cursor of a dump of this store; nothing was read."

DumpPlace = tuple[Any, ...]
"""Where a dump goes on within a table: the key of the last row that was read."""


def read_cursor(after: str, begins: Sequence[DumpPlace]) -> tuple[int, DumpPlace]:
    """Read a cursor of a dump that reads table after table: the table's number, and the place within it.

    Args:
        after: as JSON, with the table's number first; empty: from the beginning.
        begins: where each table begins; the places in it are of the same types.

    Raises:
        BadRequest: it is none of such a dump.
    """
    if not after:
        return 0, begins[0]
    try:
        table, *place = orjson.loads(after)
        wanted = [type(one) for one in begins[table]]
    except (ValueError, TypeError, IndexError) as error:
        raise BadRequest(NO_CURSOR) from error
    if [type(one) for one in place] != wanted:
        raise BadRequest(NO_CURSOR)
    return table, tuple(place)


_OVERHEAD: Final = 200
"""Bytes that a record counts as beside what it holds."""


def size_of(record: Record) -> int:
    """Return about how many bytes a record is."""
    match record:
        case SubjectCopy(subject):
            return _OVERHEAD + len(subject.state)
        case PartCopy(_, part):
            return _OVERHEAD + len(part.state)
        case BatchCopy(_, batch):
            return _OVERHEAD + len(batch.data)
        case RowCopy(_, row):
            return _OVERHEAD + len(row.message)
        case _:
            return _OVERHEAD


class Copies(Protocol):
    """All that a store holds, for whoever moves it into another one."""

    async def dump(self, *, after: str = "", max_bytes: int) -> Dump:
        """Return records from where `after`, the cursor of another piece, says; "": from the first.

        A piece ends with the record that brings the total (`size_of`) to `max_bytes` or more. The order is the
        store's, but for this: a subject comes before its parts and its own streams, and these in the order in which
        its record has them; a stream comes before its producers, its batches and its rows, and these in their order.
        Unplaced posts are in no piece: place them first.

        Each piece is of one moment; of all pieces together that is true only while nobody writes.

        Raises:
            BadRequest: `after` is not one of ours.
        """
        ...

    async def restore(self, records: Sequence[Record]) -> None:
        """Write records of another store's dump, in its order; return when they are durable.

        Before the first of them the store held no subject, and no stream that has a record; nobody else writes to
        these. Records that are there already stay as they are, so that whoever does not know whether a call was done
        can repeat it. Once all are written, the store answers as the other one did: with its versions, epochs,
        incarnations, offsets, batches, and the order of its listings. What is written afterwards ranks after all of
        it. Nobody is woken.
        """
        ...
