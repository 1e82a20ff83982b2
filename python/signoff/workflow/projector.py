"""What folds write to: the messages of one projection, and the view they move forward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from signoff import timestamps
from signoff.streams import state
from signoff.workflow import codec
from signoff.workflow.entry import SAME, Entry, Error, Notification
from signoff.workflow.input.state import InputState
from signoff.workflow.view import Delta, RunFold, ShownRows, View

rfc3339 = lru_cache(maxsize=256)(timestamps.rfc3339)


class Projector:
    """The messages that entries cause, in the making.

    Args:
        view: the rows before; the folds change it in place.
        tail: number of messages in the run's stream before.
        txid: stands in the headers of rows that an answer changed; the answer's own submission id if None.
        write: False: only the view is moved, and no messages are made.

    Attributes:
        needs_rows: somebody looks at the rows that are put. Where nobody does, a fold may count them instead (`tail`).
    """

    __slots__ = (
        *("close", "inboxes", "listing", "needs_rows", "public"),
        *("tail", "touched", "txid", "view", "waits", "write"),
    )

    def __init__(self, view: View, tail: int, txid: str | None = None, *, write: bool = True) -> None:
        self.write = self.needs_rows = write
        self.view = view
        self.tail = tail  # those made here included
        self.txid = txid
        self.public: list[bytes] = []
        self.inboxes: list[tuple[str, bytes]] = []
        self.listing: list[bytes] = []
        self.touched: dict[str, InputState] = {}
        self.waits: list[tuple[str, str, str | None, bool]] = []
        self.close = False

    @property
    def delta(self) -> Delta:
        """Return what the entries have changed so far."""
        return Delta(
            tuple(self.public),
            tuple(self.inboxes),
            tuple(self.listing),
            self.touched,
            tuple(self.waits),
            self.close,
        )

    def txid_of(self, entry: Entry) -> str | None:
        """Return what stands in the headers of the rows that an entry changes."""
        own = entry.txid if isinstance(entry, Notification) else None
        return None if own is None else self.txid or own

    def put(
        self, operation: state.Operation, row_type: str, key: str, row: Any, *, at: int, txid: str | None = None
    ) -> bytes | None:
        """Add a message to the run's stream; return it, or None if none is made."""
        self.tail += 1
        if not self.write:
            return None
        message = state.change(operation, row_type, key, row, timestamp=rfc3339(at), txid=txid)
        self.public.append(message)
        return message

    def tell(
        self,
        principals: Sequence[str],
        operation: state.Operation,
        row_type: str,
        key: str,
        row: Any,
        *,
        at: int,
        txid: str | None = None,
    ) -> None:
        """Add a message to the inboxes of people and groups."""
        if self.write:
            message = state.change(operation, row_type, key, row, timestamp=rfc3339(at), txid=txid)
            self.inboxes += [(principal, message) for principal in principals]


class RecordingProjector(Projector):
    """A projector that keeps the rows it puts.

    Args:
        rows: the rows before; moved on in place.
    """

    __slots__ = ("rows",)

    def __init__(self, view: View, tail: int, rows: ShownRows, txid: str | None = None, *, write: bool = True) -> None:
        super().__init__(view, tail, txid, write=write)
        self.rows = rows
        self.needs_rows = True

    def put(
        self, operation: state.Operation, row_type: str, key: str, row: Any, *, at: int, txid: str | None = None
    ) -> bytes | None:
        """Add a message to the run's stream; return it, or None if none is made."""
        if operation is state.Operation.DELETE:
            self.rows.pop((row_type, key), None)
        else:
            self.rows[row_type, key] = row
        return super().put(operation, row_type, key, row, at=at, txid=txid)


Fold = Callable[[Projector, RunFold, Any], dict[str, Any] | None]
"""What folds one entry: it writes the rows of its noun, and returns what changes in the run's row.

None: nothing does, but for the status, which follows from what is open.
"""

Folds = Mapping[type[Entry], Fold]


def no_rows(_projector: Projector, _run: RunFold, _entry: Entry) -> None:
    """Fold an entry that has no rows."""


def shown(encoded: Any, apart: Any) -> Any:
    """Return a recorded value as people see it, which may be kept apart."""
    return codec.shown(encoded) if apart is SAME else apart


def public_error(error: Error) -> dict[str, Any]:
    """Return what browsers see of an error."""
    return {"code": error.code, "message": error.message if error.public else None}
