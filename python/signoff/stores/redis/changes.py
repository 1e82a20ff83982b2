"""Write Changes as the keys and arguments of `commit.lua`, and read its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from signoff.stores.change import (
    Batch,
    Change,
    Committed,
    Conflict,
    FamilyWrite,
    Outcome,
    OwnAppend,
    Post,
    RowsWrite,
    StreamDelete,
    SubjectDelete,
    SubjectWrite,
    new_mark,
)
from signoff.stores.parting import batches
from signoff.stores.redis import records
from signoff.stores.redis.keys import NONE, KeyNames, ordered, ref, sized, sizes
from signoff.stores.redis.link import RedisArg
from signoff.streams import expiry
from signoff.streams.stream import Write

MARKS: Final = 250_000
"""How many marks a shard remembers, in some 3 MB: at 20,000 Changes a second those of 12 seconds."""

_NO_EPOCH: Final = 2**32
_random: Final = Random()  # noqa: S311 - as marks: they must differ, not be hard to guess

_SORTS: Final = {SubjectWrite: b"S", SubjectDelete: b"D", FamilyWrite: b"F", RowsWrite: b"R"}


@dataclass(slots=True)
class KnownStreams:
    """What was found of a subject that is to be deleted, so that all keys of its deletion can be named."""

    streams: bytes = b""
    kinds: bytes = b""


@dataclass(slots=True)
class CommitCall:
    """The keys and arguments of one call of `commit.lua`.

    Args:
        of: the keys of the shard.
        shard: its number.
        ident: which data it has.
        here: tells of a path whether a stream may be made there in this shard, as `is_ours` in `common.lua` takes it.
        leave: tells of a post whether it is placed here (None), or the text by which it is left for another shard.
    """

    of: KeyNames
    shard: int
    ident: bytes
    here: Callable[[str], bytes]
    leave: Callable[[Post], bytes | None]
    keys: list[bytes] = field(default_factory=list)
    args: list[RedisArg] = field(default_factory=list)
    count: int = 0

    def arguments(self) -> tuple[list[bytes], list[RedisArg]]:
        """Return all keys and arguments."""
        return [*self.of.shared, *self.keys], [self.count, MARKS, self.shard, self.ident, *self.args]

    def add(self, change: Change, stamp: int, known: KnownStreams | None = None) -> None:
        """Add a Change, which was checked.

        Args:
            stamp: the time by which what is new is numbered; 0: numbers are counted.
            known: of a subject that is deleted.
        """
        write, posts, mark = change
        keys, args = len(self.keys), len(self.args)
        try:
            self.args += (_SORTS[type(write)], ordered(mark) if mark else NONE)
            self._posts(posts)
            match write:
                case SubjectWrite():
                    self._write(write, mark, stamp)
                case SubjectDelete():
                    self._delete(write, known or KnownStreams())
                case FamilyWrite(streams):
                    self.args.append(len(streams))
                    for one in streams:
                        self._stream_delete(one) if isinstance(one, StreamDelete) else self._stream_write(one)
                case RowsWrite():
                    self._rows(write)
        except BaseException:
            del self.keys[keys:], self.args[args:]
            raise
        self.count += 1

    def _write(self, write: SubjectWrite, mark: int, stamp: int) -> None:
        subject, epoch = write.subject, write.epoch
        name = subject.name
        told = ref(name)
        self.args += (
            told,
            subject_kind(name.kind),
            name.id.encode(),
            ordered(write.expect),
            b"" if epoch is None else epoch_text(epoch),
            records.flag(write.release),
            records.subject_header(subject, mark),
            ordered(subject.sort),
            records.terms_text(subject.terms),
            subject.state,
            new_seed() if write.appends else b"",
            stamp,
            len(write.appends),
            len(write.dropped),
            len(write.parts),
        )
        self.keys.append(self.of.subject(told))
        for append in write.appends:
            path = append.path.encode()
            self.args += (path, append.data, append.count, records.flag(append.close), self.here(append.path))
            self.keys += self.of.stream(path)
        for gone in write.dropped:
            kind = gone.kind.encode()
            self.args += (part_kind(gone.kind), gone.key.encode())
            self.keys.append(self.of.parts(told, kind))
        for part in write.parts:
            kind = part.kind.encode()
            self.args += (part_kind(part.kind), part.key.encode(), ordered(part.sort), records.part_text(part))
            self.keys.append(self.of.parts(told, kind))

    def _delete(self, write: SubjectDelete, known: KnownStreams) -> None:
        told = ref(write.name)
        streams = [one.path for one in records.own_streams(known.streams)]
        kinds = list(sizes(known.kinds))
        self.args += (
            told,
            subject_kind(write.name.kind),
            write.name.id.encode(),
            ordered(write.expect),
            known.streams,
            known.kinds,
            new_seed(),
            len(streams),
            len(kinds),
        )
        self.keys.append(self.of.subject(told))
        for path in streams:
            ident = new_ident()
            self.args.append(ident)
            self.keys += (*self.of.all_of_stream(path.encode()), *self.of.doomed_stream(ident))
        for kind in kinds:
            ident = new_ident()
            self.args += (kind, ident)
            self.keys += (self.of.parts(told, kind[5:]), self.of.doomed_parts(ident))

    def _stream_delete(self, write: StreamDelete) -> None:
        path, ident = write.path.encode(), new_ident()
        self.args += (b"d", path, ordered(write.expect), ordered(0), self.here(write.path), ident)
        self.keys += (*self.of.all_of_stream(path), *self.of.doomed_stream(ident))

    def _stream_write(self, write: Write) -> None:
        head, producer = write.head, write.producer
        path = head.path.encode()
        start = write.start if write.expect else max(head.base, head.own)
        kept = batches(write, start) if head.tail > start and not head.engine else []
        ends = expiry.end(head)
        self.args += (
            b"w",
            path,
            ordered(write.expect),
            ordered(head.version),
            self.here(head.path),
            records.core(head),
            head.incarnation.encode(),
            records.rest(head),
            b"" if ends is None else ends,
            b"" if producer is None else producer.producer_id.encode(),
            b"" if producer is None else records.producer_text(producer),
            len(kept),
            *(records.batch_text(batch) for batch in kept),
        )
        own, listed, _, producers = self.of.all_of_stream(path)
        self.keys += (own, listed, producers)

    def _rows(self, write: RowsWrite) -> None:
        changes, base = write.changes, write.base
        path = write.path.encode()
        self.args += (
            path,
            self.here(write.path),
            write.incarnation.encode(),
            ordered(write.expect),
            ordered(changes.at),
            records.flag(changes.clear),
            b"" if base is None else base,
            b"" if base is None else ordered(base),
            ordered(write.refs),
            ordered(new_mark()),
            len(changes.gone),
            len(changes.rows),
        )
        self.args += [records.row_field(*name) for name in changes.gone]
        for row in changes.rows:
            self.args += (records.row_field(row.type, row.key), records.row_text(row.position, row.message))
        self.keys += self.of.all_of_stream(path)[:3]

    def _posts(self, posts: Sequence[Post]) -> None:
        if not posts:
            self.args += (0, 0)
            return
        left = [self.leave(post) for post in posts]
        self.args += (len(posts), left.count(None))
        for post, text in zip(posts, left, strict=True):
            path = post.path.encode()
            if text is None:
                self.args += (b"1", path, post.count, post.data, new_seed(), self.here(post.path))
                self.keys += self.of.stream(path)
            else:
                self.args += (b"0", path, post.count, text, b"", b"")


def outcome(change: Change, answer: Sequence[int]) -> Outcome:
    """Read what became of a Change that was looked at."""
    write = change.write
    if answer[0] == 0:
        return _committed(change, answer)
    if answer[0] == 1:
        assert isinstance(write, SubjectWrite)
        return Conflict("epoch", write.subject.name.id)
    nth = answer[1]
    match write:
        case SubjectWrite():
            return Conflict("version", write.appends[nth - 1].path if nth else write.subject.name.id)
        case SubjectDelete(name):
            return Conflict("version", name.id)
        case FamilyWrite(streams):
            one = streams[nth - 1]
            return Conflict("version", one.path if isinstance(one, StreamDelete) else one.head.path)
        case RowsWrite(path):
            return Conflict("version", path)


def _committed(change: Change, answer: Sequence[int]) -> Committed:
    appended: list[OwnAppend | Post] = []
    if isinstance(change.write, SubjectWrite):
        appended += change.write.appends
    appended += change.posts
    if not appended:
        return Committed()
    found: dict[str, Batch] = {}
    for one, start in zip(appended, answer[1:], strict=True):
        if start < 0:  # left for another shard
            continue
        batch = Batch(start, start + one.count, one.data)
        known = found.get(one.path)
        found[one.path] = batch if known is None else known.joined(batch.end, batch.data)
    return Committed(found)


def subject_kind(kind: str) -> bytes:
    """Write how members of the index begin that list subjects of a kind."""
    return b"s" + sized(kind.encode())


def part_kind(kind: str) -> bytes:
    """Write how members of the index begin that list parts of a kind."""
    return b"p" + sized(kind.encode())


def epoch_text(epoch: int) -> bytes:
    """Write an epoch; one that cannot be is none that is."""
    return epoch.to_bytes(4) if 0 <= epoch < _NO_EPOCH else b"none"


def new_seed() -> bytes:
    """Draw what a new stream of the engine's is made of: its version, and most of its incarnation."""
    return ordered(new_mark()) + b"%024x" % _random.getrandbits(96)


def new_ident() -> bytes:
    """Draw a name for what a deleted stream held."""
    return b"%016x" % _random.getrandbits(64)
