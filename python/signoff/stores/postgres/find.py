"""Tell which Changes were committed, after a commit whose outcome is not known.

Records, heads and batches have the mark of the Change that wrote them last, and the last deletions are remembered. What
has gone on since is looked for among the batches; what cannot be told is None, never a guess. A look is worth something
only once the session that has lost its connection can write no more (`fence_v1`).
"""

from __future__ import annotations

from typing import Any, Final

from signoff.stores.change import Change, FamilyWrite, Name, RowsWrite, StreamDelete, SubjectDelete, SubjectWrite
from signoff.stores.postgres.connections import AskServer
from signoff.stores.postgres.rows import moved, own_of
from signoff.stores.postgres.statements import Statements
from signoff.streams.stream import Write

DELETIONS: Final = 1_000
"""How many deletions are remembered."""

_LOOKED_THROUGH: Final = 2_000
"""Batches of a stream that are looked through."""


def deleted_name(what: Name | str) -> str:
    """Return how a deletion of a subject or a stream is remembered."""
    return what if isinstance(what, str) else f"{what.kind}\n{what.id}"


class ChangeFinder:
    """A look for Changes.

    Args:
        ask: asks the server a statement.
        sql: the statements of `find.sql`.
    """

    def __init__(self, ask: AskServer, sql: Statements) -> None:
        self._ask = ask
        self._sql = sql

    async def find(self, change: Change) -> bool | None:
        """Tell whether a Change is there; None: that cannot be told any more."""
        write, _, mark = change
        if not mark:
            return None
        match write:
            case SubjectWrite():
                return await self._find_subject(write, mark)
            case SubjectDelete(name, expect):
                row = await self._one("subject", *name)
                return await self._find_deletion(mark, unmoved=row is not None and row["version"] == expect)
            case FamilyWrite(streams):
                for one in streams:
                    if (kept := await self._find_in_family(one, mark)) is not None:
                        return kept
                return None
            case RowsWrite():
                return await self._find_rows(write)

    async def _one(self, name: str, *values: Any) -> Any:
        rows = await self._ask(self._sql[name], *values)
        return rows[0] if rows else None

    async def _find_subject(self, write: SubjectWrite, mark: int) -> bool | None:
        row = await self._one("subject", *write.subject.name)
        if row is None:
            return await self._never_there(write.subject.name, write.expect)
        if row["mark"] == mark:
            return True
        if row["version"] in (write.expect, write.subject.version):
            return False
        own = {path: number for number, path, _, _ in own_of(row["own"])}
        for append in write.appends:
            if append.count:
                number = own.get(append.path)
                if number is None:
                    there: bool | None = False
                else:
                    marks = await self._ask(self._sql["last_batches"], number, _LOOKED_THROUGH)
                    there = _among(marks, mark)
                return there if there or await self._never_deleted(write.subject.name) else None
        return None

    async def _find_in_family(  # noqa: PLR0911 - one for each thing that is known
        self, write: Write | StreamDelete, mark: int
    ) -> bool | None:
        path = write.path if isinstance(write, StreamDelete) else write.head.path
        row = await self._one("stream", path)
        if isinstance(write, StreamDelete):
            return await self._find_deletion(mark, unmoved=row is not None and row["version"] == write.expect)
        if row is None:
            return await self._never_there(path, write.expect)
        version = row["version"]
        if row["mark"] == mark:
            return True
        if version == write.expect or (version == write.head.version and not write.data):
            return False
        if row["incarnation"] != write.head.incarnation or row["base"] > write.start or not write.data:
            return None
        if moved(row)[0] <= write.start:
            return False
        return _among(await self._ask(self._sql["batches_from"], row["id"], write.start, _LOOKED_THROUGH), mark)

    async def _find_rows(self, write: RowsWrite) -> bool | None:
        """Two folds of the same messages are the same, so what was written says nothing about who did."""
        row = await self._one("stream", write.path)
        if row is None or row["incarnation"] != write.incarnation:
            return None
        would_move = write.changes.at != write.expect or (write.base is not None and row["base"] != write.base)
        return False if row["rows_at"] == write.expect and would_move else None

    async def _never_there(self, what: Name | str, expect: int) -> bool | None:
        """Tell what became of a write to something that is not there: made and deleted, or never made."""
        return False if not expect and await self._never_deleted(what) else None

    async def _never_deleted(self, what: Name | str) -> bool:
        of_it, numbered = await self._one("deletions_of", deleted_name(what))
        return not of_it and numbered < DELETIONS

    async def _find_deletion(self, mark: int, *, unmoved: bool) -> bool | None:
        if unmoved:
            return False
        return True if await self._one("deletion", mark) else None


def _among(rows: list[Any], mark: int) -> bool | None:
    """Tell whether a mark is among these of batches; None: it may be among those that were not looked at."""
    if any(row["mark"] == mark for row in rows):
        return True
    return False if len(rows) < _LOOKED_THROUGH else None
