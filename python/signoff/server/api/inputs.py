"""`/v1/inputs` and `/v1/runs/{run_id}/inputs`: look at requests for input, and answer them.

What is not for the caller looks the same whether it exists or not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from signoff.errors import (
    AlreadyDecided,
    BeingValidated,
    ClaimedByOther,
    Expired,
    Forbidden,
    InputNotFound,
    InvalidAnswer,
    NotClaimed,
    NotFound,
    NotInAudience,
    NotValidated,
    RunNotFound,
    SignoffError,
    Stale,
    SubmissionReused,
    Withdrawn,
)
from signoff.server.access.identity import Identity
from signoff.server.api.call import Call
from signoff.server.api.openapi import QueryParameter
from signoff.server.api.operation import PAGE, ServedOperation
from signoff.server.http.prefer import preferred_wait_s
from signoff.server.http.query import limit
from signoff.server.http.reply import Reply, ok
from signoff.service.verdicts import WAIT_S
from signoff.shapes import one_of, principal, text
from signoff.workflow.input.submission import parse_answer

_LIST = {
    "status": one_of("pending", "answered", "expired", "withdrawn", "any"),
    "audience": principal,
    "cursor": text(512),
    "limit": limit,
}
_STRANGER = "You are not among those asked, or there is no such request. Nothing was recorded."


async def answer(call: Call) -> Reply:
    """Decide a request for input, exactly once."""
    identity = call.identity
    run_id, key = call.run_id(), call.key()
    call.query({})
    wait_s = preferred_wait_s(call.scope, WAIT_S)
    request = parse_answer(await call.json())
    async with hidden_from_strangers(call, run_id, key):
        accepted = await call.engine.inputs.answer(run_id, key, request, identity.who(), wait_s=wait_s)
    value = {"outcome": accepted.outcome, "offset": accepted.offset, "txid": accepted.txid, "row": accepted.row}
    if accepted.validating:
        return ok(value, 202)
    if accepted.replayed:
        return ok(value, 200, (b"idempotency-replayed", b"true"))
    return ok(value)


@asynccontextmanager
async def hidden_from_strangers(call: Call, run_id: str, key: str) -> AsyncIterator[None]:
    """Refuse all alike what would tell a caller of a request that is not for them.

    Raises:
        NotInAudience: instead of any other error that tells of such a request.
    """
    try:
        yield
    except SignoffError as error:
        if await _hidden(call, run_id, key, error):
            raise NotInAudience(_STRANGER) from error
        raise


async def _hidden(call: Call, run_id: str, key: str, error: SignoffError) -> bool:
    """Tell whether the error would tell this caller of a request that is not for them."""
    if await call.may_read(run_id):
        return False
    row: dict[str, Any] | None = error.extra.get("row")
    if row is None:
        try:
            row = await call.engine.inputs.get(run_id, key)
        except NotFound:
            return True
    return not await call.may_see(row)


async def get(call: Call) -> Reply:
    """Show one request to those it was asked of and to readers of its run."""
    run_id, key = call.run_id(), call.key()
    call.query({})
    try:
        row = await call.engine.inputs.get(run_id, key)
    except NotFound as error:
        if await call.may_read(run_id):
            raise
        raise Forbidden(_STRANGER) from error
    if not await call.may_see(row):
        raise Forbidden(_STRANGER)
    return ok({"input": row})


async def list_inputs(call: Call) -> Reply:
    """List requests, newest first: the caller's own, or anybody's for operators."""
    identity = call.identity
    query = call.query(_LIST)
    status = query.get("status", "pending")
    page = await call.engine.inputs.list(
        audience=_audience(identity, query.get("audience")),
        status=None if status == "any" else status,
        limit=query.get("limit", 50),
        cursor=query.get("cursor"),
    )
    return ok({"inputs": list(page.items), "cursor": page.cursor})


def _audience(identity: Identity, one: str | None) -> frozenset[str] | None:
    if one is None:
        return None if identity.operator else identity.principals
    if not identity.operator and one not in identity.principals:
        raise Forbidden("You may list the requests asked of you and of your groups.")
    return frozenset({one})


ANSWER_REFUSALS: Final = (
    RunNotFound,
    InputNotFound,
    NotInAudience,
    SubmissionReused,
    AlreadyDecided,
    Expired,
    Withdrawn,
    ClaimedByOther,
    NotClaimed,
    Stale,
    BeingValidated,
    InvalidAnswer,
    NotValidated,
)
"""What whoever answers may be told instead, by the API or by a link."""

OPERATIONS: Final = (
    ServedOperation(
        "POST",
        "/v1/runs/{run_id}/inputs/{key}/answer",
        "answer",
        "Decide a request for input, exactly once (§8)",
        "to be one of those asked",
        {200: "answer-reply.json", 202: "answer-reply.json"},
        ANSWER_REFUSALS,
        request="answer-request.json",
        replays=True,
        handler=answer,
    ),
    ServedOperation(
        "GET",
        "/v1/runs/{run_id}/inputs/{key}",
        "getInput",
        "Show one request for input (§7.5)",
        "to be one of those asked, or `run:read:{run_id}`",
        {200: "input-reply.json"},
        (RunNotFound, InputNotFound),
        handler=get,
    ),
    ServedOperation(
        "GET",
        "/v1/inputs",
        "listInputs",
        "List requests for input, newest first (§7.5)",
        "to be one of those asked, or `operator`",
        {200: "input-list.json"},
        query=(
            QueryParameter(
                "status",
                {"enum": ["pending", "answered", "expired", "withdrawn", "any"], "default": "pending"},
                "What became of them.",
            ),
            QueryParameter("audience", {"$ref": "common.json#/$defs/principal"}, "Asked of this person or group."),
            *PAGE,
        ),
        handler=list_inputs,
    ),
)
