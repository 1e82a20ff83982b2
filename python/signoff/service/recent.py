"""What others than workers have appended to journals in this process, for as long as a worker may soon ask for it.

Most of what a worker reads was written a moment ago by the server in its own process: the start of a run, an answer, an
event. It needs not be read from the store. A version of a record is given once, so a record that still has the one an
append gave it has nothing beyond that append.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from signoff.paths import journal_path
from signoff.service.commit import Durable
from signoff.service.kinds import Kind
from signoff.stores.change import Batch, Subject, SubjectWrite

_MOST_BYTES: Final = 4 << 20
"""Bytes of entries that are kept; then the oldest go."""

_LARGEST: Final = 64 << 10
"""Bytes of an append that is kept."""


class RecentAppends:
    """The last appends of others to journals, until they are taken."""

    def __init__(self) -> None:
        self._appends: dict[str, tuple[int, Batch]] = {}
        self._bytes = 0

    def committed(self, durable: Sequence[Durable]) -> None:
        """Keep what was appended by others than workers, who know what they have written."""
        for (write, _, _), done in durable:
            if type(write) is not SubjectWrite or write.epoch is not None or not write.appends:
                continue
            kind, run_id = write.subject.name
            batch = done.batches.get(journal_path(run_id))
            if kind == Kind.RUN and batch is not None and len(batch.data) <= _LARGEST:
                self._keep(run_id, write.subject.version, batch)

    def take(self, record: Subject, start: int) -> Batch | None:
        """Return all that a run's journal has from a position on, as of this record, if it is here; and forget it."""
        kept = self._appends.pop(record.name.id, None)
        if kept is None:
            return None
        version, batch = kept
        self._bytes -= len(batch.data)
        return batch if version == record.version and batch.start <= start else None

    def _keep(self, run_id: str, version: int, batch: Batch) -> None:
        old = self._appends.pop(run_id, None)
        self._bytes += len(batch.data) - (len(old[1].data) if old is not None else 0)
        self._appends[run_id] = version, batch
        while self._bytes > _MOST_BYTES:
            oldest = next(iter(self._appends))
            self._bytes -= len(self._appends.pop(oldest)[1].data)
