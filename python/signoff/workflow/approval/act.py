"""Who may revoke a remembered approval."""

from __future__ import annotations

from typing import Final

import orjson

from signoff.errors import BadRequest, NotInAudience
from signoff.timestamps import rfc3339
from signoff.workflow.approval.remember import REVOKED, is_grant
from signoff.workflow.decision import AppendEntries, Loaded, Remember
from signoff.workflow.input.decide import Who
from signoff.workflow.input.state import InputState
from signoff.workflow.input.verb import InputRow, RequestDecision, RequestVerb, unchanged
from signoff.workflow.run.status import ENDED
from signoff.workflow.verb import REASON, Body


def revoke(loaded: Loaded, request: InputState, body: Body, who: Who, now_ms: int) -> RequestDecision:
    """Revoke the approval that was remembered of a request; it approves nothing that is looked up afterwards.

    Raises:
        NotInAudience: the caller has not given it.
        BadRequest: none was remembered of it.
    """
    if not who.operator and (request.row["decided_by"] or {}).get("id") not in who.principals:
        raise NotInAudience(f"You have not given the approval of {request.row['id']}; nothing was revoked.")
    if not is_grant(request):
        raise BadRequest(f"No approval was remembered of {request.row['id']}; nothing was revoked.")
    if loaded.remembered is not None:
        return unchanged(request)
    at, by = rfc3339(now_ms), {"kind": who.by.kind, "id": who.by.id}
    via = {} if who.via is None else {"via": who.via}  # for the evidence alone
    told = orjson.dumps({"by": by, "at": at, "reason": body.get("reason"), **via})
    row = request.row
    mark: Remember[InputRow] = Remember(REVOKED, request.policy["grant"]["answer"], "", lambda _: told)
    ready = loaded.ready and loaded.status not in ENDED
    return AppendEntries((), lambda _view, _tail: row, ready=ready, wake_at=loaded.wake_at, known=(mark,))


def recalled(request: InputState) -> tuple[str, str] | None:
    """Return under what a run remembers that a grant is revoked; None: it is none."""
    return (REVOKED, request.policy["grant"]["answer"]) if is_grant(request) else None


REQUEST_VERBS: Final = (
    RequestVerb(
        "revoke",
        "Revoke the approval that was remembered of a request, so that the tool is asked about again",
        "7.14",
        revoke,
        members=(REASON,),
        said="The approval of {key} is revoked.",
        recalled=recalled,
    ),
)
