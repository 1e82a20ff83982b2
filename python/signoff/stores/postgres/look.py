"""Find conflicts by a look: what is surely refused need not lock anything first.

Whoever was too late is told in one round trip instead of six, and has its turn before the others have written again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from signoff.stores.change import Change, Conflict, FamilyWrite, Name, SubjectWrite
from signoff.stores.postgres.connections import ServerConnection
from signoff.stores.postgres.context import WriteContext
from signoff.streams.stream import Write


async def conflicts(
    connection: ServerConnection, context: WriteContext, changes: Sequence[Change]
) -> list[Conflict | None]:
    """Tell which Changes, in their order, conflict with what is there; None: that is not certain.

    Args:
        changes: each the write of a record, or an append to one stream.
    """
    names = dict.fromkeys(one.write.subject.name for one in changes if isinstance(one.write, SubjectWrite))
    paths = dict.fromkeys(_path(one.write) for one in changes if isinstance(one.write, FamilyWrite))
    records: dict[Name, Any] = {}
    versions: dict[str, int] = {}
    if names:
        kinds, ids = [name.kind for name in names], [name.id for name in names]
        for row in await connection.fetch(context.sql["seen_subjects"], kinds, ids):
            records[Name(row["kind"], row["name"])] = row
    if paths:
        versions = {
            row["path"]: row["version"] for row in await connection.fetch(context.sql["seen_streams"], [*paths])
        }
    found: list[Conflict | None] = []
    open_keys: set[Name | str] = set()
    for change in changes:
        write = change.write
        key: Name | str
        if isinstance(write, SubjectWrite):
            key = write.subject.name
            conflict = _subject_conflict(write, records.get(key))
        else:
            assert isinstance(write, FamilyWrite)
            key = _path(write)
            conflict = None if versions.get(key, 0) == _write(write).expect else Conflict("version", key)
        if key in open_keys:
            conflict = None  # one before it may be written, and change what this one meets
        elif conflict is None:
            open_keys.add(key)
        found.append(conflict)
    return found


def _subject_conflict(write: SubjectWrite, row: Any) -> Conflict | None:
    if write.epoch is not None and (row is None or row["epoch"] != write.epoch or row["lease_owner"] is None):
        return Conflict("epoch", write.subject.name.id)
    if (0 if row is None else row["version"]) != write.expect:
        return Conflict("version", write.subject.name.id)
    return None


def _write(write: FamilyWrite) -> Write:
    [one] = write.streams
    assert isinstance(one, Write)
    return one


def _path(write: FamilyWrite) -> str:
    return _write(write).head.path
