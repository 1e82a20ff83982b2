"""`/v1/prune`: delete runs that ended long ago, for operators."""

from __future__ import annotations

from typing import Final

from signoff.server.api.call import Call
from signoff.server.api.operation import ServedOperation
from signoff.server.http.query import LIMITS
from signoff.server.http.reply import Reply, ok
from signoff.service.prune import PIECE, PruneFilter
from signoff.shapes import Shape, instant, list_of, maybe, name, number, one_of, tags, text, truth
from signoff.workflow.run.status import ENDED, FINAL

_PRUNE = Shape(
    required={"ended_before": instant},
    optional={
        "status": list_of(one_of(*sorted(ENDED)), 3),
        "workflow": maybe(name),
        "tags": tags,
        "runs": list_of(name, LIMITS[1]),
        "limit": number(*LIMITS),
        "cursor": maybe(text(512)),
        "dry_run": truth,
    },
)


async def prune(call: Call) -> Reply:
    """Look at a page of runs, and delete those that go."""
    call.identity.require_operator()
    body = await call.members(_PRUNE)
    where = PruneFilter(
        body["ended_before"],
        tuple(body.get("status", sorted(FINAL))),
        body.get("workflow"),
        tuple(body.get("tags", ())),
    )
    dry_run = body.get("dry_run", False)
    if "runs" in body:
        page = await call.engine.pruner.prune_these(where, body["runs"], dry_run=dry_run)
    else:
        limit, cursor = body.get("limit", PIECE), body.get("cursor")
        page = await call.engine.pruner.prune(where, limit, cursor, dry_run=dry_run)
    rows = [{member: row[member] for member in row if member not in {"input", "output"}} for row in page.items]
    return ok({"runs": rows, "cursor": page.cursor})


OPERATIONS: Final = (
    ServedOperation(
        "POST",
        "/v1/prune",
        "prune",
        "Delete runs that ended long ago (§10.16)",
        "`operator`",
        {200: "prune-reply.json"},
        request="prune-request.json",
        handler=prune,
    ),
)
