"""Move all that a store holds into another store: piece by piece, to be gone on with after a crash, and checked.

While it goes on, a stream of the target's notes how far it has got; so it is found out what goes on, and nobody works
on half a store (`check_complete`). The stream is deleted with the last piece.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Final
from uuid import uuid4

import orjson

from signoff.clock import Clock
from signoff.errors import StoreError
from signoff.service.kinds import Kind
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Change, Committed, FamilyWrite, StreamDelete, new_mark
from signoff.stores.copies import BatchCopy, PartCopy, ProducerCopy, Record, RowCopy, StreamCopy, SubjectCopy, size_of
from signoff.streams.stream import JSON, Head, Write

NOTES: Final = "__ds/copy"
"""The stream of the target's that notes how far a copy has got; among the paths that no application can use."""

PIECE_BYTES: Final = 1 << 20
"""About how much is in memory at a time, and copied in one transaction."""

_DIGEST: Final = 1 << 128

Told = Callable[[int], None]
"""Is told how many bytes are done so far."""


@dataclass(slots=True)
class Inventory:
    """What a store holds, counted and summed up: two with equal inventories hold the same.

    Attributes:
        counts: records by what they are: the kind of a subject or part, or `stream`, `producer`, `batch`, `row`.
        size: bytes, about.
    """

    counts: Counter[str] = field(default_factory=Counter)
    size: int = 0
    _digests: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, record: Record) -> None:
        """Count a record; the order in which they come does not matter."""
        name, digest = _name(record), _digest(record)
        self.counts[name] += 1
        self.size += size_of(record)
        self._digests[name] = (self._digests[name] + digest) % _DIGEST

    def differences(self, other: Inventory) -> list[str]:
        """Say in words what this one and another do not have in common; empty: nothing."""
        found = []
        for name in sorted({*self.counts, *other.counts}):
            here, there = self.counts[name], other.counts[name]
            if here != there:
                found.append(f"{name}: {here} in the source, {there} in the target")
            elif self._digests[name] != other._digests[name]:
                found.append(f"{name}: {here} in both, but not the same")
        return found


def _name(record: Record) -> str:
    match record:
        case SubjectCopy(subject):
            return subject.name.kind
        case PartCopy(_, part):
            return part.kind
        case StreamCopy():
            return "stream"
        case ProducerCopy():
            return "producer"
        case BatchCopy():
            return "batch"
        case RowCopy():
            return "row"


def _digest(record: Record) -> int:
    if isinstance(record, BatchCopy):
        start, end, data = record.batch
        digest = blake2b(f"{record.path} {start} {end} ".encode(), digest_size=16)
        digest.update(data)
    else:
        # Ranks tell the order alone, and may be other numbers in another store.
        ranked = replace(record, rank=0) if isinstance(record, SubjectCopy | PartCopy) else record
        digest = blake2b(orjson.dumps(ranked, default=_plain), digest_size=16)
    return int.from_bytes(digest.digest(), "big")


def _plain(value: Any) -> Any:
    """Write what JSON does not have: bytes, and tuples with names."""
    return value.hex() if isinstance(value, bytes) else list(value)


@dataclass(frozen=True, slots=True)
class CopyNote:
    """How far a copy has got.

    Attributes:
        source: how the source is called, without secrets.
        cursor: where to go on in the source; "": nothing is copied yet; None: all is.
        done: bytes copied.
    """

    source: str
    cursor: str | None = ""
    done: int = 0


async def check_complete(store: WorkflowStore) -> None:
    """Refuse to work on a store that a copy has not finished filling.

    Raises:
        StoreError: it is one.
    """
    note = await _note(store)
    if note is not None:
        raise StoreError(
            f"This store is being filled by `signoff db copy` from {note.source}, and not all is there yet. "
            "Nothing was changed. Run that again to go on with it."
        )


class StoreCopying:
    """The copying of one store into another, both open and in nobody's use.

    Args:
        source: is left as it is, but for posts, which are placed.
        target: holds nothing, or a part of this very copy.
        name: how the source is called, without secrets: a copy is gone on with by the same name.
        clock: tells which leases live.

    Example:
        >>> copying = StoreCopying(source, target, name="sqlite:///claims.db")
        >>> await copying.begin()
        >>> await copying.copy()
        >>> await copying.verify()
        >>> await copying.finish()
    """

    def __init__(self, source: WorkflowStore, target: WorkflowStore, *, name: str, clock: Clock) -> None:
        self._source = source
        self._target = target
        self._clock = clock
        self._note = CopyNote(name)
        self._head: Head | None = None
        self._begun = Inventory()
        self.resumed = False

    @property
    def inventory(self) -> Inventory:
        """Return what the source holds, as `begin` has found it."""
        return self._begun

    async def begin(self, told: Told = lambda _: None) -> None:
        """See what there is to copy, that nobody works on it, and that the target may be filled.

        Raises:
            StoreError: the target holds something else, or somebody works on the source.
        """
        await check_complete(self._source)
        await self._look_at_target()
        while await self._source.place():
            pass
        if left := await self._source.unplaced():
            raise StoreError(f"{left} posts of the source cannot be placed; nothing was copied. Run `signoff doctor`.")
        in_use: list[str] = []
        self._begun = await _inventory(self._source, told, lambda record: in_use.extend(self._in_use(record)))
        if in_use:
            names = ", ".join(in_use[:5]) + (", …" if len(in_use) > 5 else "")
            raise StoreError(
                f"Somebody works on the source: {names}. Nothing was copied. Stop all workers and servers on it; "
                "the lease of one that died ends by itself in a minute."
            )

    async def copy(self, told: Told = lambda _: None) -> None:
        """Copy what is not there yet; told how many bytes are there.

        Raises:
            StoreError: the source has changed meanwhile; the target is no copy of it.
        """
        copied = Inventory()
        note = self._note
        while note.cursor is not None:
            piece = await self._source.dump(after=note.cursor, max_bytes=PIECE_BYTES)
            await self._target.restore(piece.records)
            for record in piece.records:
                copied.add(record)
            size = sum(map(size_of, piece.records))
            note = replace(note, cursor=piece.cursor, done=note.done + size)
            await self._write_note(note)
            told(note.done)
        if not self.resumed and (changed := self._begun.differences(copied)):
            raise StoreError(
                f"The source has changed while it was copied ({'; '.join(changed)}), so the target is no copy of it. "
                "Stop all that works on the source, delete the target, and copy again."
            )

    async def verify(self, told: Told = lambda _: None) -> None:
        """Compare all that the target holds with what the source held when this began.

        Raises:
            StoreError: they are not the same.
        """
        there = await _inventory(self._target, told)
        if differences := self._begun.differences(there):
            raise StoreError(
                f"Source and target do not hold the same: {'; '.join(differences)}. The target is not to be used. "
                "Stop all that works on the source, delete the target, and copy again."
            )

    async def finish(self) -> None:
        """Let the target be used."""
        assert self._head is not None, "begin comes first"
        await self._commit(StreamDelete(NOTES, self._head.version))
        while await self._target.purge():
            pass

    async def _look_at_target(self) -> None:
        note = await _note(self._target)
        if note is None:
            if (await self._target.dump(max_bytes=1)).records:
                raise StoreError(
                    "The target holds something already; nothing was changed. Name a store that holds nothing."
                )
            await self._write_note(self._note)
            return
        if note.source != self._note.source:
            raise StoreError(
                f"The target holds a part of a copy of {note.source}; nothing was changed. Go on with that one, "
                "or name a store that holds nothing."
            )
        state = await self._target.load_stream(NOTES)
        assert state is not None
        self._head, self._note, self.resumed = state.head, note, True

    def _in_use(self, record: Record) -> list[str]:
        if not isinstance(record, SubjectCopy):
            return []
        now, subject = self._clock.now_ms(), record.subject
        kind, name = subject.name
        if subject.lease_until is not None and subject.lease_until > now:
            return [f"{kind} {name} is held by {subject.lease_owner}"]
        if kind == Kind.WORKER and subject.wake_at is not None and subject.wake_at > now:
            return [f"worker {name} has announced itself"]
        return []

    async def _write_note(self, note: CopyNote) -> None:
        data = orjson.dumps({"source": note.source, "cursor": note.cursor, "done": note.done})
        before = self._head
        if before is None:
            head = Head.of(NOTES, uuid4().hex, new_mark(), 1, JSON)
            write = Write(head, 0, 0, data)
        else:
            head = before.changed(version=new_mark(), tail=before.tail + 1)
            write = Write(head, before.version, before.tail, data)
        await self._commit(write)
        self._head, self._note = head, note

    async def _commit(self, write: Write | StreamDelete) -> None:
        [outcome] = await self._target.commit([Change(FamilyWrite((write,)), mark=new_mark())])
        if not isinstance(outcome, Committed):
            raise StoreError("Somebody else copies into the target at this moment; let one of you do it.")


async def _note(store: WorkflowStore) -> CopyNote | None:
    """Read how far a copy into a store has got; None: none goes on."""
    state = await store.load_stream(NOTES)
    if state is None:
        return None
    found = await store.read(NOTES, state.head.tail - 1, 1)
    assert found is not None
    told: Mapping[str, Any] = orjson.loads(found[1][-1].data)
    return CopyNote(**told)


async def _inventory(store: WorkflowStore, told: Told, look: Callable[[Record], None] = lambda _: None) -> Inventory:
    """Count all that a store holds, but for the notes of a copy into it."""
    found = Inventory()
    cursor: str | None = ""
    while cursor is not None:
        piece = await store.dump(after=cursor, max_bytes=PIECE_BYTES)
        cursor = piece.cursor
        for record in piece.records:
            if not _is_note(record):
                found.add(record)
                look(record)
        told(found.size)
    return found


def _is_note(record: Record) -> bool:
    match record:
        case StreamCopy(head):
            return head.path == NOTES
        case ProducerCopy(path) | BatchCopy(path) | RowCopy(path):
            return path == NOTES
        case _:
            return False
