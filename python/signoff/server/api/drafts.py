"""`/v1/runs/{run_id}/inputs/{key}/draft`: what a person has filled in and not sent, for nobody else."""

from __future__ import annotations

from typing import Final

from signoff.errors import AlreadyDecided, Expired, InputNotFound, NotInAudience, RunNotFound, Stale, Withdrawn
from signoff.server.api.call import Call
from signoff.server.api.inputs import hidden_from_strangers
from signoff.server.api.operation import ServedOperation
from signoff.server.http.reply import Reply, ok
from signoff.service.drafts import Over
from signoff.shapes import Shape, anything, maybe, moment
from signoff.workflow.input.verb import ASKED_AT

_SHAPE: Final = Shape({"value": anything}, {"over": maybe(moment), ASKED_AT: moment})


async def save(call: Call) -> Reply:
    """Keep a draft, in place of the one before."""
    run_id, key = call.run_id(), call.key()
    body = await call.members(_SHAPE)
    async with hidden_from_strangers(call, run_id, key):
        over = Over(body["over"]) if "over" in body else None
        drafts = call.engine.inputs.drafts
        kept = await drafts.save(run_id, key, body["value"], call.identity.who(), over, asked_at=body.get(ASKED_AT))
    return ok({"draft": kept.row} if over is None else {"draft": kept.row, "saved": kept.saved})


OPERATIONS: Final = (
    ServedOperation(
        "POST",
        "/v1/runs/{run_id}/inputs/{key}/draft",
        "saveDraft",
        "Keep what a person has filled in of a request and not sent, for nobody else (§7.9)",
        "to be one of those asked",
        {200: "draft-reply.json"},
        (RunNotFound, InputNotFound, NotInAudience, AlreadyDecided, Expired, Withdrawn, Stale),
        request="draft-request.json",
        handler=save,
    ),
)
