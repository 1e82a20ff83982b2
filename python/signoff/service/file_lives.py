"""Whole lives of attached files: forked and deleted with their runs, and swept when no answer has them.

A file that was not sent to its end goes after an hour; one that was, and that no answer has, once its request is
decided. What an answer has, or may have, goes with the run.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from signoff.clock import Clock
from signoff.errors import InputNotFound, RunNotFound, StreamConflict, StreamDeleted, StreamNotFound
from signoff.outages import OutageLog
from signoff.paths import file_path
from signoff.service.asked import asked_of
from signoff.service.commit import GroupCommitter
from signoff.service.file_records import (
    FIRST_LOOK_MS,
    RequestFiles,
    records_of,
    stream_of,
    written,
)
from signoff.service.file_streams import standing, take_away
from signoff.service.kinds import Kind, forget_record, run_name
from signoff.service.outputs import Deleter
from signoff.service.rounds import go_round
from signoff.service.runs import Runs
from signoff.service.streams.streams import StreamService
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Conflict, Subject
from signoff.streams.stream import Branch, Create, Delete, Payload
from signoff.workflow.input.attachment import UNKNOWN_TYPE

log = logging.getLogger(__name__)

EVERY_S: Final = 30.0
"""Seconds between two searches for files that are due, a quarter more or less."""

_PAGE: Final = 200


class FileLives:
    """What becomes of files without anybody asking.

    Args:
        store: where they are.
        streams: writes their bytes.
        committer: writes their records.
        clock: says how long they have been there.
    """

    def __init__(self, store: WorkflowStore, streams: StreamService, committer: GroupCommitter, clock: Clock) -> None:
        self._store = store
        self._streams = streams
        self._committer = committer
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self, runs: Runs, deleters: Sequence[Deleter]) -> None:
        """Look after files from now on, until `close`; have them go and be forked with their runs.

        Args:
            runs: whoever forks runs.
            deleters: whoever deletes runs.
        """
        for one in deleters:
            one.before_delete(self.delete_all)
        runs.before_fork(self.fork)
        outage = OutageLog(log, "cannot look after attached files")
        rounds = go_round(self._clock, lambda: EVERY_S, self.sweep, outage)
        self._task = asyncio.get_running_loop().create_task(rounds, name="signoff-files")

    async def close(self) -> None:
        """Stop looking after them."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # -- with their runs -----------------------------------------------------------------------------------------------

    async def fork(self, run_id: str, fork_id: str) -> None:
        """Have a fork that is about to begin hold the files of its parent, whatever becomes of that."""
        if await self._store.load(run_name(fork_id)) is not None:
            return
        for record in await records_of(self._store, run_id):
            files = RequestFiles.loads(record)
            whole = {id_: replace(one, used=True) for id_, one in files.files.items() if one.whole}
            for file in whole:
                await self._fork_stream(stream_of(files, file), file_path(fork_id, file))
            if whole:
                now = self._clock.now_ms()
                copy = RequestFiles(fork_id, files.key, None, whole)
                await self._committer.commit(written(copy, None, now, now + FIRST_LOOK_MS))

    async def _fork_stream(self, source: str, path: str) -> None:
        command = Create(
            path,
            secrets.token_hex(8),
            Payload(UNKNOWN_TYPE, b"", 0),
            1 + secrets.randbits(40),
            closed=True,
            fork=Branch(source),
        )
        with suppress(StreamConflict, StreamNotFound, StreamDeleted):  # it was forked before, or is just going
            await self._streams.write_output(path, command)

    async def delete_all(self, run_id: str) -> None:
        """Delete all of a run, which is about to be deleted."""
        prefix, after = file_path(run_id), ""
        while True:
            found = await self._store.list_streams(prefix, limit=_PAGE, after=after)
            for stream in found:
                await self._delete(stream.path)
            if len(found) < _PAGE:
                break
            after = found[-1].path
        for record in await records_of(self._store, run_id):
            await self._committer.commit(forget_record(record))

    async def sweep(self) -> int:
        """Look at the files that are due: what was not sent to its end, or is in no answer, goes; return how many."""
        gone = 0
        while True:
            due = await self._store.due(Kind.FILES.agenda, now=self._clock.now_ms(), limit=_PAGE)
            for record in due:
                gone += await self._look(record)
            if len(due) < _PAGE:
                return gone

    async def _look(self, record: Subject) -> int:
        now, files = self._clock.now_ms(), RequestFiles.loads(record)
        try:
            began, asked = await asked_of(self._store, files.run_id, files.key)
        except RunNotFound:
            began, asked = None, None
        except InputNotFound:  # it was taken back, and may be asked anew
            began, asked = files.began, None
        if files.began not in {None, began} or (began is None and asked is None):
            streams = await self._streams_of(files, set(files.files))
            if isinstance(await self._committer.commit(forget_record(record)), Conflict):
                return 0
            return await self._delete_those(streams)
        before = now - FIRST_LOOK_MS
        ended = asked is None or not asked.pending
        unused = {id_: one for id_, one in files.files.items() if not one.used and one.at <= before}
        left = {id_ for id_, one in unused.items() if ended or not one.whole}
        after = replace(files.without(left), began=began)
        settled = ended and all(one.used for one in after.files.values())
        change = written(after, record, now, None if settled else now + FIRST_LOOK_MS)
        streams = await self._streams_of(files, left)
        if isinstance(await self._committer.commit(change), Conflict):
            return 0
        return await self._delete_those(streams)

    async def _streams_of(self, files: RequestFiles, ids: set[str]) -> dict[str, str | None]:
        """Return the incarnations that are there, by path, before the record says that they go.

        What is sent anew under their ids after that is spared.
        """
        found: dict[str, str | None] = {}
        for path in (stream_of(files, file) for file in ids):
            found[path] = None
            with suppress(StreamDeleted):
                found[path] = await standing(self._streams, path)
        return found

    async def _delete_those(self, streams: dict[str, str | None]) -> int:
        for path, incarnation in streams.items():
            await take_away(self._streams, path, incarnation)
        return len(streams)

    async def _delete(self, path: str) -> None:
        with suppress(StreamNotFound, StreamDeleted):
            await self._streams.write_output(path, Delete())
