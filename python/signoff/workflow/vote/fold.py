"""How votes look from outside: a row each, and a line in the request's."""

from __future__ import annotations

from signoff.streams.state import Operation
from signoff.timestamps import rfc3339
from signoff.workflow.claim import lease
from signoff.workflow.input.fold import moved, request_of
from signoff.workflow.projector import Folds, Projector
from signoff.workflow.view import RunFold
from signoff.workflow.vote import count
from signoff.workflow.vote.entries import InputVoted


def _voted(projector: Projector, run: RunFold, entry: InputVoted) -> None:
    if entry.id not in run.inputs:
        return
    before, txid = request_of(projector, entry.id), projector.txid_of(entry)
    by = {"kind": entry.by.kind, "id": entry.by.id}
    again = any(vote["by"] == by for vote in before.row["votes"])
    key = count.row_key(entry.id, entry.by.id)
    row = {"id": key, "input": entry.id, "by": by, "action": entry.action, "at": rfc3339(entry.at)}
    projector.put(Operation.UPDATE if again else Operation.INSERT, "vote", key, row, at=entry.at, txid=txid)
    # Whoever votes has done what a claim is for; others may go on.
    moved(projector, before, lease.release(count.voted(before, entry)), entry.at, txid)


FOLDS: Folds = {InputVoted: _voted}
