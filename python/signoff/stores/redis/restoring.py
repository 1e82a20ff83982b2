"""Records of another store's dump, written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from signoff.stores.copies import BatchCopy, PartCopy, ProducerCopy, Record, RowCopy, StreamCopy, SubjectCopy
from signoff.stores.redis import records
from signoff.stores.redis.changes import part_kind, subject_kind
from signoff.stores.redis.keys import NONE, KeyNames, ordered, ordered_or_none, position, ref, sized
from signoff.stores.redis.scripts import RESTORE
from signoff.stores.redis.shards import Shards
from signoff.streams import expiry

_AT_ONCE: Final = 200
_BYTES_AT_ONCE: Final = 4 << 20


@dataclass(slots=True)
class _RestoreCall:
    """Records for one shard, as `restore.lua` takes them."""

    of: KeyNames
    keys: list[bytes] = field(default_factory=list)
    args: list[bytes | str | int] = field(default_factory=list)
    count: int = 0
    size: int = 0
    greatest: int = 0

    def subject(self, copy: SubjectCopy, ends: int | None) -> None:
        """Add a subject; `ends` is when its lease does, by the servers' clock."""
        one = copy.subject
        told = ref(one.name)
        leased = one.lease_owner is not None
        own = b"".join((
            one.epoch.to_bytes(4),
            one.lost.to_bytes(4),
            position(copy.lease_ms),
            ordered_or_none(ends),
            b"-",
            NONE,
            ordered(one.sort) + copy.rank.to_bytes(7),
            b"1" + (one.lease_owner or "").encode() if leased else b"0",
        ))  # fmt: skip
        self.args += (
            b"S",
            told,
            subject_kind(one.name.kind),
            one.name.id.encode(),
            records.subject_header(one, 0),
            own,
            records.terms_text(one.terms),
            one.state,
            b"" if ends is None else ends - 2 * copy.lease_ms,
        )
        self.keys.append(self.of.subject(told))
        self.greatest = max(self.greatest, copy.rank)

    def part(self, copy: PartCopy) -> None:
        """Add a part."""
        one, told = copy.part, ref(copy.owner)
        self.args += (
            b"P",
            sized(told),
            part_kind(one.kind),
            one.key.encode(),
            ordered(one.sort) + copy.rank.to_bytes(7),
            records.terms_text(one.terms),
            records.part_text(one),
        )
        self.keys += (self.of.subject(told), self.of.parts(told, one.kind.encode()))
        self.greatest = max(self.greatest, copy.rank)

    def stream(self, copy: StreamCopy) -> None:
        """Add a stream, which ends where it does from now on, whatever of it is there."""
        head = copy.head
        path = head.path.encode()
        owner = b"" if copy.owner is None else ref(copy.owner)
        ends = expiry.end(head)
        self.args += (
            b"H",
            path,
            records.core(head, floor=head.tail),
            head.incarnation.encode(),
            records.rest(head),
            b"" if ends is None else ends,
            owner,
            head.tail,
        )
        self.keys += (self.of.stream(path)[0], self.of.subject(owner))

    def content(self, copy: ProducerCopy | BatchCopy | RowCopy) -> None:
        """Add what is in a stream."""
        head, listed, rows, producers = self.of.all_of_stream(copy.path.encode())
        match copy:
            case ProducerCopy(_, mark):
                self.args += (b"D", mark.producer_id.encode(), records.producer_text(mark))
                self.keys.append(producers)
            case BatchCopy(_, batch):
                self.args += (b"B", records.batch_text(batch), batch.end)
                self.keys.append(listed)
                self.size += len(batch.data)
            case RowCopy(_, row):
                self.args += (
                    b"R", records.row_field(row.type, row.key), records.row_text(row.position, row.message)
                )  # fmt: skip
                self.keys += (head, rows)
                self.size += len(row.message)


async def restore(shards: Shards, copies: Sequence[Record]) -> None:
    """Write records, in their order in each shard."""
    calls: dict[int, _RestoreCall] = {}
    for copy in copies:
        shard = await _shard(shards, copy)
        call = calls.setdefault(shard, _RestoreCall(shards.keys[shard]))
        match copy:
            case SubjectCopy(subject):
                until = subject.lease_until
                call.subject(copy, None if until is None else shards.clock.at_server(until))
            case PartCopy():
                call.part(copy)
            case StreamCopy():
                call.stream(copy)
            case _:
                call.content(copy)
        call.count += 1
        if call.count >= _AT_ONCE or call.size >= _BYTES_AT_ONCE:
            await _run(shards, shard, calls.pop(shard))
    for shard, call in calls.items():
        await _run(shards, shard, call)
    await shards.look_at_numbers()


async def _shard(shards: Shards, copy: Record) -> int:
    """Find the shard where a record goes; a fork goes where its source is, and is looked for there from now on."""
    match copy:
        case SubjectCopy(subject):
            return shards.of_name(subject.name)
        case PartCopy(owner):
            return shards.of_name(owner)
        case StreamCopy(head, owner) if not shards.one and (owner is not None or head.fork is not None):
            if owner is not None:
                shard = shards.of_name(owner)
            else:
                assert head.fork is not None
                shard = await shards.locate(head.fork.path)
            await shards.bring(head.path, shard)
            return shard
        case StreamCopy(head):
            return await shards.locate(head.path)
        case _:
            return await shards.locate(copy.path)


async def _run(shards: Shards, shard: int, call: _RestoreCall) -> None:
    keys = call.of
    names = [keys.agenda, keys.index, keys.meta, keys.paths, keys.ends, keys.far, *call.keys]
    # It can be run again: what is there already stays.
    await shards.nodes.read(shard, RESTORE, names, [call.greatest, call.count, *call.args])
