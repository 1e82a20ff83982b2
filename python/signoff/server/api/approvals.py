"""`/v1/approvals`: the approvals of tools that were given for the next times too."""

from __future__ import annotations

from typing import Final

from signoff.errors import Forbidden
from signoff.server.api.call import Call
from signoff.server.api.openapi import QueryParameter
from signoff.server.api.operation import PAGE, ServedOperation
from signoff.server.http.query import limit
from signoff.server.http.reply import Reply, ok
from signoff.shapes import principal, text

_LIST: Final = {"by": principal, "cursor": text(512), "limit": limit}


async def list_approvals(call: Call) -> Reply:
    """List remembered approvals: the caller's own, or anybody's for operators."""
    identity = call.identity
    query = call.query(_LIST)
    one = query.get("by")
    if one is not None and not identity.operator and one not in identity.principals:
        raise Forbidden("You may list the approvals that you have given yourself.")
    by = frozenset({one}) if one is not None else None if identity.operator else identity.principals
    page = await call.engine.grants.list(by=by, limit=query.get("limit", 50), cursor=query.get("cursor"))
    return ok({"approvals": list(page.items), "cursor": page.cursor})


OPERATIONS: Final = (
    ServedOperation(
        "GET",
        "/v1/approvals",
        "listApprovals",
        "List the approvals of tools that were given for the next times too (§7.14)",
        "to have given them, or `operator`",
        {200: "approval-list.json"},
        query=(
            QueryParameter("by", {"$ref": "common.json#/$defs/principal"}, "Given by this person."),
            *PAGE,
        ),
        handler=list_approvals,
    ),
)
