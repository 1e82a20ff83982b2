"""How the application's own rows look from outside: as they were published."""

from __future__ import annotations

from signoff.streams.state import Operation
from signoff.workflow.projector import Folds, Projector
from signoff.workflow.row.entries import RowPublished
from signoff.workflow.view import RunFold


def _published(projector: Projector, _: RunFold, entry: RowPublished) -> None:
    if entry.value is None:
        projector.put(Operation.DELETE, entry.row_type, entry.key, None, at=entry.at)
        return
    operation = Operation.UPDATE if entry.update else Operation.INSERT
    projector.put(operation, entry.row_type, entry.key, entry.value | {"id": entry.key}, at=entry.at)


FOLDS: Folds = {RowPublished: _published}
