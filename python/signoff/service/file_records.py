"""What is known of the files that were sent for a request: one record a request, so that their number is bounded.

A file is entered before its first byte is taken, with the bytes it may have, and completed when the last is durable.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from signoff.errors import PayloadTooLarge, StreamConflict
from signoff.paths import file_path
from signoff.service.kinds import Kind, free_record
from signoff.stores.base import Listing, WorkflowStore
from signoff.stores.change import Change, Name, Subject, SubjectWrite, new_mark
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.attachment import shown_size
from signoff.workflow.input.uploaded import UploadedFile

MOST_FILES: Final = 50
"""Files that may be sent for one request."""

MOST_TOTAL: Final = 256 << 20
"""Bytes that the files of one request may have together."""


FIRST_LOOK_MS: Final = 3_600_000
"""How long a file is waited for, in milliseconds, and how long one is kept that no answer has, after the request."""

USED: Final = "Another file was sent under this id; nothing was kept. Send it under a new id."

_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file, or one that is being sent.

    Attributes:
        stream, name, type: as in the reference. The stream is that of the run it was sent for, also in its forks.
        size: bytes; of one that is being sent, as many as it may become.
        sha256: in hexadecimal; empty while it is being sent.
        by: who sends it.
        at: milliseconds since the epoch when its sending began.
        sender: drawn for each time it is sent; what another sending has begun meanwhile is left alone.
        used: an answer has it, or may have it.
    """

    stream: str
    name: str
    type: str
    size: int
    sha256: str
    by: DecidedBy
    at: int
    sender: str
    used: bool = False

    @property
    def whole(self) -> bool:
        """Return True once all bytes of the file are stored."""
        return self.sha256 != ""

    @property
    def reference(self) -> dict[str, Any]:
        """Return it as an answer has it."""
        return {
            "stream": self.stream,
            "name": self.name,
            "type": self.type,
            "size": self.size,
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True)
class RequestFiles:
    """The files of one request.

    Attributes:
        run_id: of the run, which may be a fork of that for which they were sent.
        key: `name:n` of the request.
        began: when the run began, in milliseconds, so that they are never taken for those of a later run of the same
            id; None: the run is about to be forked.
        files: by id.
    """

    run_id: str
    key: str
    began: int | None
    files: dict[str, StoredFile] = field(default_factory=dict)

    @classmethod
    def loads(cls, record: Subject) -> RequestFiles:
        """Read what `written` wrote."""
        kept = orjson.loads(record.state)
        files = {
            id_: StoredFile(**{**one, "by": DecidedBy(one["by"]["kind"], one["by"]["id"])})
            for id_, one in kept["files"].items()
        }
        return cls(kept["run_id"], kept["input"], kept["began"], files)

    def dumps(self) -> bytes:
        """Write as JSON, for a store."""
        files = {
            id_: {**one.reference, "by": {"kind": one.by.kind, "id": one.by.id}, "at": one.at, "sender": one.sender}
            | ({"used": True} if one.used else {})
            for id_, one in self.files.items()
        }
        return orjson.dumps({"run_id": self.run_id, "input": self.key, "began": self.began, "files": files})

    def with_file(self, file: str, stored: StoredFile) -> RequestFiles:
        """Return them with one more, or one that is otherwise.

        Raises:
            PayloadTooLarge: they would be too many, or too large together.
            StreamConflict: somebody else has sent one of this id, or it is whole.
        """
        before = self.files.get(file)
        if before is not None and (before.whole or before.by != stored.by):
            raise StreamConflict(USED)
        others = {id_: one for id_, one in self.files.items() if id_ != file}
        if len(others) >= MOST_FILES:
            raise PayloadTooLarge(f"A request takes {MOST_FILES} files at most; nothing was kept.", limit=MOST_FILES)
        if (total := sum(one.size for one in others.values()) + stored.size) > MOST_TOTAL:
            raise PayloadTooLarge(
                f"The files of a request have {shown_size(MOST_TOTAL)} together at most, and with this they could have "
                f"{shown_size(total)}; nothing was kept. Remove one, or send a smaller one.",
                limit=MOST_TOTAL,
            )
        return replace(self, files=others | {file: stored})

    def without(self, files: set[str]) -> RequestFiles:
        """Return them without some."""
        return replace(self, files={id_: one for id_, one in self.files.items() if id_ not in files})

    def told(self) -> dict[str, UploadedFile]:
        """Return those that are whole, by id, as the rules of answering know them."""
        return {id_: UploadedFile(one.reference, self.key, one.by) for id_, one in self.files.items() if one.whole}


def files_name(run_id: str, key: str) -> Name:
    """Return the name of the record of a request's files."""
    return Name(Kind.FILES, f"{run_id}/{key}")


def files_of(run_id: str) -> Listing:
    """Return what to ask a store for to list the records of a run."""
    return Listing(Kind.FILES, (f"files/{run_id}",), oldest_first=True)


def written(files: RequestFiles, before: Subject | None, now: int, due_at: int | None) -> Change:
    """Return what writes the record of a request's files.

    Args:
        before: the record this was decided on; None: there must be none.
        now: milliseconds.
        due_at: when somebody is to look whether they are still wanted; None: they are.
    """
    expect = 0 if before is None else before.version
    name = files_name(files.run_id, files.key)
    record = free_record(Kind.FILES, name.id, files.dumps(), expect=expect, due_at=due_at)
    sort = now if before is None else before.sort
    return Change(SubjectWrite(replace(record, terms=(f"files/{files.run_id}",), sort=sort), expect), mark=new_mark())


def stream_of(files: RequestFiles, file: str) -> str:
    """Return the path of the stream that has a file in this run."""
    return file_path(files.run_id, file)


async def records_of(store: WorkflowStore, run_id: str) -> list[Subject]:
    """Return the records of all files of a run."""
    records: list[Subject] = []
    cursor: str | None = None
    while True:
        page = await store.list_subjects(files_of(run_id), limit=_PAGE, cursor=cursor)
        records += page.items
        cursor = page.cursor
        if cursor is None:
            return records
