"""The files that people attach to answers: sent, held to what was asked for, read, and kept for them.

The bytes of one are a stream of its run, `runs/{run_id}/files/{file}`, which is closed when they are all there; before
that nobody can read it. What is known of it is in a record beside the run (`file_records.py`): neither the run nor its
journal is touched until an answer refers to it. What becomes of those that nobody wants is in `file_lives.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from signoff.clock import Clock
from signoff.errors import (
    NotFound,
    RunNotFound,
    SignoffError,
    StreamClosed,
    StreamConflict,
    StreamDeleted,
    StreamNotFound,
)
from signoff.names import check_name
from signoff.paths import file_path
from signoff.service.asked import asked_of
from signoff.service.commit import GroupCommitter
from signoff.service.file_lives import FileLives
from signoff.service.file_records import (
    FIRST_LOOK_MS,
    USED,
    RequestFiles,
    StoredFile,
    files_name,
    records_of,
    written,
)
from signoff.service.file_streams import standing, take_away
from signoff.service.kinds import run_name
from signoff.service.streams.streams import StreamService
from signoff.stores.base import LoadedSubject, WorkflowStore
from signoff.stores.change import Conflict, Subject
from signoff.streams import json_mode, offset
from signoff.streams.stream import Append, Close, Create, Payload
from signoff.workflow.input.attachment import UNKNOWN_TYPE, file_name
from signoff.workflow.input.decide import Who
from signoff.workflow.input.uploaded import (
    UploadedFile,
    check_upload,
    file_id,
    most_bytes,
    references_in,
    too_large,
)

PIECE: Final = 1 << 20
"""Bytes of a file that are written, or read, at once."""

_MOST_REFERENCES: Final = 200


class Files:
    """The files of runs.

    Args:
        store: where they are.
        streams: writes and reads their bytes.
        committer: writes their records.
        clock: says when they were sent.

    Attributes:
        lives: what becomes of them without anybody asking.
    """

    def __init__(self, store: WorkflowStore, streams: StreamService, committer: GroupCommitter, clock: Clock) -> None:
        self.lives = FileLives(store, streams, committer, clock)
        self._store = store
        self._streams = streams
        self._committer = committer
        self._clock = clock

    # -- sending -------------------------------------------------------------------------------------------------------

    async def upload(
        self,
        run_id: str,
        key: str,
        file: str,
        body: AsyncIterator[bytes],
        who: Who,
        *,
        name: str,
        type_: str = UNKNOWN_TYPE,
        size: int | None = None,
    ) -> tuple[dict[str, Any], bool]:
        """Take a file for an answer to a request; durable when this returns, or nothing of it is there.

        Args:
            run_id, key: the request.
            file: a name that whoever sends it has made up; the same file under the same id again changes nothing.
            body: the bytes, as they come.
            who: the person, or the operator, that sends it.
            name: of the file; what is no part of a name is taken away.
            type_: media type, without parameters.
            size: bytes, if that is known.

        Returns:
            what refers to it in an answer; and whether it was there already.

        Raises:
            InvalidName: the id is malformed.
            RunNotFound, InputNotFound: nobody asked this.
            BadRequest: the request takes no files.
            UnsupportedMediaType, PayloadTooLarge: none like this, or no more.
            StreamConflict: another file was sent under this id, or is being sent.
            Whatever `check_upload` raises: this person could not answer now.
        """
        check_name(file, "file id")
        began, asked = await asked_of(self._store, run_id, key)
        check_upload(asked, who, self._clock.now_ms())
        most = most_bytes(asked, type_, size)
        sender, now = secrets.token_hex(8), self._clock.now_ms()
        new = StoredFile(
            file_path(run_id, file), file_name(name), type_, most if size is None else size, "", who.by, now, sender
        )
        entered = await self._change(run_id, key, began, lambda files: _entered(files, file, new))
        if (known := entered.files[file]).whole:
            return await self._again(known, new, body, most), True
        try:
            await self._make(run_id, key, began, file, sender)
            count, digest = await self._write(new.stream, sender, body, most)
            done = replace(new, size=count, sha256=digest)
            began_then, asked = await asked_of(self._store, run_id, key)
            if began_then != began:
                raise RunNotFound(f"There is no run {run_id!r} any more; nothing was kept.")  # noqa: TRY301
            check_upload(asked, who, self._clock.now_ms())
            await self._change(run_id, key, began, lambda files: _completed(files, file, done))
        except BaseException:
            await asyncio.shield(self._drop(run_id, key, began, file, sender))
            raise
        return done.reference, False

    async def _again(self, known: StoredFile, new: StoredFile, body: AsyncIterator[bytes], most: int) -> dict[str, Any]:
        """Make sure that what is there is sent again."""
        count, digest = 0, hashlib.sha256()
        async for piece in body:
            count += len(piece)
            if count > most:
                raise too_large(most)
            digest.update(piece)
        same = (known.by, known.name, known.type, known.sha256) == (new.by, new.name, new.type, digest.hexdigest())
        if not same:
            raise StreamConflict(USED)
        return known.reference

    async def _make(self, run_id: str, key: str, began: int, file: str, sender: str) -> None:
        """Make the stream of a file, in place of what earlier sendings have left.

        Of several that send a file at once, in one process or in many, the one that the record names last goes on. What
        stands at the path while the record still names this one was made by an earlier one: a later one is in the
        record before it makes anything. So nothing that a later one has made is ever taken away. An earlier one may
        make a stream even now, but once only: it looks at the record, too, before it tries again.

        Raises:
            StreamConflict: a later one goes on.
        """
        path = file_path(run_id, file)
        # No reader is told the media type that somebody claims.
        create = Create(path, sender, Payload(UNKNOWN_TYPE, b"", 0), 1 + secrets.randbits(40))
        while True:
            try:
                left = await standing(self._streams, path)
            except StreamDeleted as error:
                raise StreamConflict(USED) from error
            named = (await self._files(run_id, key, began)).files.get(file)
            if named is None or named.sender != sender:
                raise _being_sent()
            await take_away(self._streams, path, left)
            with suppress(StreamConflict):  # there is one that is closed already
                if (await self._streams.write_output(path, create)).head.incarnation == sender:
                    return

    async def _write(self, path: str, sender: str, body: AsyncIterator[bytes], most: int) -> tuple[int, str]:
        """Write the stream of a file, and close it; return how many bytes it has, and their digest."""
        count, digest = 0, hashlib.sha256()
        async for piece in _pieces(body, most):
            count += len(piece)
            digest.update(piece)
            append = Append(json_mode.payload(UNKNOWN_TYPE, piece), of=sender)
            await self._written(path, append, count)
        await self._written(path, Close(of=sender), count)
        return count, digest.hexdigest()

    async def _written(self, path: str, command: Append | Close, count: int) -> None:
        try:
            head = (await self._streams.write_output(path, command)).head
        except (StreamNotFound, StreamDeleted, StreamClosed) as error:
            raise _being_sent() from error
        if head.tail != count:
            raise _being_sent()

    async def _drop(self, run_id: str, key: str, began: int, file: str, sender: str) -> None:
        """Take away what has come of one sending of a file; another's is left alone, and what is whole after all."""
        whole = False

        def without(files: RequestFiles) -> RequestFiles:
            nonlocal whole
            found = files.files.get(file)
            if found is None or found.sender != sender:
                return files
            whole = found.whole
            return files if whole else files.without({file})

        with suppress(SignoffError):  # what cannot be taken away now is swept
            await self._change(run_id, key, began, without)
            if not whole:
                await take_away(self._streams, file_path(run_id, file), sender)

    async def remove(self, run_id: str, key: str, file: str, who: Who) -> None:
        """Take away a file that this person has sent and no answer has; one that an answer has stays.

        Raises:
            RunNotFound, InputNotFound: nobody asked this.
            NotFound: this person has sent no such file for it.
        """
        began, _ = await asked_of(self._store, run_id, key)
        found = (await self._files(run_id, key, began)).files.get(file)
        if found is None or found.by != who.by:
            raise _no_file()
        gone, path, stream = False, file_path(run_id, file), None
        with suppress(StreamDeleted):  # looked at before the record is changed: what is sent anew is another stream
            stream = await standing(self._streams, path)

        def without(files: RequestFiles) -> RequestFiles:
            nonlocal gone
            one = files.files.get(file)
            gone = one is not None and one.by == who.by and not one.used
            return files.without({file}) if gone else files

        await self._change(run_id, key, began, without)
        if gone:
            await take_away(self._streams, path, stream)

    # -- answers -------------------------------------------------------------------------------------------------------

    async def of_answer(self, run_id: str, key: str, value: Any, who: Who) -> dict[str, UploadedFile]:
        """Return the files of a run that a value could mean, by id; those that this person has sent are kept then."""
        ids = {file_id(one) for _, one in references_in(value)}
        if not ids or len(ids) > _MOST_REFERENCES:
            return {}
        stored = await self._store.load(run_name(run_id))
        if stored is None:
            return {}
        began = stored.subject.sort

        def used(files: RequestFiles) -> RequestFiles:
            mine = {id_: one for id_, one in files.files.items() if id_ in ids and one.whole and one.by == who.by}
            marked = {id_: replace(one, used=True) for id_, one in mine.items()}
            return replace(files, files=files.files | marked)

        found = (await self._change(run_id, key, began, used)).told()
        return found if ids <= found.keys() else await self._told(run_id, began) | found

    async def find(self, run_id: str, file: str) -> UploadedFile:
        """Return what is known of a file of a run.

        Raises:
            NotFound: there is no such file, or it is not whole.
        """
        stored = await self._store.load(run_name(run_id))
        told = {} if stored is None else await self._told(run_id, stored.subject.sort)
        if file not in told:
            raise _no_file()
        return told[file]

    async def _told(self, run_id: str, began: int) -> dict[str, UploadedFile]:
        told: dict[str, UploadedFile] = {}
        for record in await records_of(self._store, run_id):
            files = RequestFiles.loads(record)
            if files.began in {None, began}:
                told |= files.told()
        return told

    # -- reading -------------------------------------------------------------------------------------------------------

    async def read(self, run_id: str, file: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            NotFound: there is no such file, or it is not whole.
        """
        return b"".join([piece async for piece in self.pieces(run_id, file)])

    async def pieces(self, run_id: str, file: str) -> AsyncIterator[bytes]:
        """Yield the bytes of a file, some at a time.

        Raises:
            NotFound: there is no such file, or it is not whole.
        """
        token = offset.START
        while True:
            try:
                chunk = await self._streams.read(file_path(run_id, check_name(file, "file id")), token, max_bytes=PIECE)
            except (StreamNotFound, StreamDeleted) as error:
                raise _no_file() from error
            if not chunk.head.closed:
                raise _no_file()
            if chunk.data:
                yield chunk.data
            if chunk.up_to_date:
                return
            token = offset.encode(chunk.end)

    # -- records -------------------------------------------------------------------------------------------------------

    async def _files(self, run_id: str, key: str, began: int) -> RequestFiles:
        return _current(await self._store.load(files_name(run_id, key)), run_id, key, began)[1]

    async def _change(
        self, run_id: str, key: str, began: int, change: Callable[[RequestFiles], RequestFiles]
    ) -> RequestFiles:
        """Change what is known of a request's files; return it as it is then."""
        async with self._committer.turn(f"files {run_id}/{key}"):
            while True:
                record, before = _current(await self._store.load(files_name(run_id, key)), run_id, key, began)
                after = change(before)
                if after.files == before.files:
                    return after
                now = self._clock.now_ms()
                write = written(after, record, now, now + FIRST_LOOK_MS)
                if not isinstance(await self._committer.commit(write), Conflict):
                    return after


def _current(stored: LoadedSubject | None, run_id: str, key: str, began: int) -> tuple[Subject | None, RequestFiles]:
    """Return the record of a request's files, if there is one, and what it says of this very run."""
    if stored is None:
        return None, RequestFiles(run_id, key, began)
    files = RequestFiles.loads(stored.subject)
    return stored.subject, replace(files, began=began) if files.began in {None, began} else RequestFiles(
        run_id, key, began
    )


def _entered(files: RequestFiles, file: str, new: StoredFile) -> RequestFiles:
    known = files.files.get(file)
    return files if known is not None and known.whole else files.with_file(file, new)


def _completed(files: RequestFiles, file: str, done: StoredFile) -> RequestFiles:
    now = files.files.get(file)
    if now is None or now.sender != done.sender:
        raise _being_sent()
    return replace(files, files=files.files | {file: done})


async def _pieces(body: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """Yield a body in pieces that are worth an append.

    Raises:
        PayloadTooLarge: it has more than `most` bytes.
    """
    parts: list[bytes] = []
    waiting = count = 0
    async for part in body:
        count += len(part)
        if count > most:
            raise too_large(most)
        parts.append(part)
        waiting += len(part)
        if waiting >= PIECE:
            yield b"".join(parts)
            parts, waiting = [], 0
    if waiting:
        yield b"".join(parts)


def _being_sent() -> StreamConflict:
    return StreamConflict("This file is being sent once more at the same time; nothing was kept of this. Try again.")


def _no_file() -> NotFound:
    return NotFound("There is no such file here, or it is not whole.")
