"""Write Changes as steps make them as the keys and arguments of `step.lua`: what is written most, in few words."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from signoff.errors import SignoffError
from signoff.stores.change import Batch, Change, Committed, SubjectWrite
from signoff.stores.check import check_terms
from signoff.stores.redis.changes import MARKS
from signoff.stores.redis.keys import NONE, KeyNames, ordered_or_none, ref
from signoff.stores.redis.link import RedisArg
from signoff.stores.redis.records import terms_text

_MIDDLE: Final = 1 << 63
_header: Final = struct.Struct(">QIQQ??8sQ")
_count: Final = struct.Struct(">I")
_FLAGS: Final = slice(28, 30)
_FLAG_TEXTS: Final = {bytes((ready, quiet)): b"%d%d" % (ready, quiet) for ready in (0, 1) for quiet in (0, 1)}

_TYPES: Final = (bytes, int, bool, bool)
_WRONG: Final = (SignoffError, AttributeError, TypeError, ValueError, struct.error)
"""How it shows that a Change holds what cannot be kept, or that a number is not one of the usual."""


def steps(of: KeyNames, changes: Sequence[Change]) -> tuple[list[bytes], list[RedisArg]] | None:
    """Return the keys and arguments of `step.lua`; None: some are not as steps make them, or they share a subject.

    Whatever cannot be kept is none of these: `commit.lua` is called for it, and whoever calls that says what is wrong.
    """
    keys: list[bytes] = [of.meta, of.marks]
    args: list[RedisArg] = [MARKS]
    names = set()
    for change in changes:
        write, posts, mark = change
        if type(write) is not SubjectWrite or posts or write.epoch is None or write.release or write.parts:
            return None
        if write.dropped or not mark or write.subject.name in names:
            return None
        try:
            if not _add(of, write, mark, keys, args):
                return None
        except _WRONG:
            return None
        names.add(write.subject.name)
    return keys, args


def _add(of: KeyNames, write: SubjectWrite, mark: int, keys: list[bytes], args: list[RedisArg]) -> bool:
    subject, appends = write.subject, write.appends
    queue, state, ready, quiet = subject.queue, subject.state, subject.ready, subject.quiet
    if queue is None or subject.version < 1:
        return False
    if (type(state), type(subject.sort), type(ready), type(quiet)) != _TYPES:
        return False
    check_terms(subject.terms)
    wake_at = NONE if subject.wake_at is None else ordered_or_none(subject.wake_at)
    numbers = write.expect + _MIDDLE, write.epoch, subject.version + _MIDDLE, mark + _MIDDLE
    head = _header.pack(*numbers, ready, quiet, wake_at, subject.updated_at + _MIDDLE)
    flags = _FLAG_TEXTS[head[_FLAGS]]
    args += (
        b"".join((head[:28], flags, head[30:], b"1", queue.encode())),
        terms_text(subject.terms),
        state,
        len(appends),
    )
    keys.append(of.subject(ref(subject.name)))
    for append in appends:
        if append.close or type(append.data) is not bytes:
            return False
        path = append.path.encode()
        args += (path, _count.pack(append.count) + append.data)
        keys.append(of.stream(path)[1])
    return True


def committed(change: Change, starts: Sequence[int]) -> Committed:
    """Read what `step.lua` says of a Change that was written."""
    write = change.write
    assert isinstance(write, SubjectWrite)
    found: dict[str, Batch] = {}
    for append, start in zip(write.appends, starts, strict=True):
        batch = Batch(start, start + append.count, append.data)
        known = found.get(append.path)
        found[append.path] = batch if known is None else known.joined(batch.end, batch.data)
    return Committed(found)
