"""How comments look from outside: a row each, for whoever sees the request."""

from __future__ import annotations

from dataclasses import replace

from signoff.streams.state import Operation
from signoff.timestamps import rfc3339
from signoff.workflow.comment.entries import CommentAdded, said_already
from signoff.workflow.input.fold import keep, request_of, tell_comment
from signoff.workflow.projector import Folds, Projector
from signoff.workflow.view import RunFold


def _added(projector: Projector, run: RunFold, entry: CommentAdded) -> None:
    if entry.id not in run.inputs:
        return
    request = request_of(projector, entry.id)
    comments = request.policy.get("comments", [])
    if said_already(comments, entry.comment_id, entry.by):
        return
    row = {
        "id": f"{entry.id}/{len(comments)}",
        "run_id": run.row["id"],
        "input": entry.id,
        "comment_id": entry.comment_id,
        "by": {"kind": entry.by.kind, "id": entry.by.id},
        "at": rfc3339(entry.at),
        "text": entry.text,
    }
    keep(projector, replace(request, policy={**request.policy, "comments": [*comments, row]}))
    projector.put(Operation.INSERT, "comment", row["id"], row, at=entry.at)
    tell_comment(projector, row, Operation.INSERT, entry.at, request.to)


FOLDS: Folds = {CommentAdded: _added}
