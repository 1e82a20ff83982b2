"""`/v1/tokens/revoke`: have tokens refused that are not to be good any more, for operators."""

from __future__ import annotations

from typing import Final

from signoff.errors import BadRequest
from signoff.names import ID_RULE, LONGEST_ID, is_id
from signoff.server.access.tokens import is_jti
from signoff.server.api.call import Call
from signoff.server.api.operation import ServedOperation
from signoff.server.http.reply import Reply, ok
from signoff.shapes import Shape, instant, text

_REVOKE = Shape(
    optional={"jti": text(200), "link": text(200), "sub": text(LONGEST_ID), "before": instant, "until": instant}
)


async def revoke(call: Call) -> Reply:
    """Revoke one token by its `jti`, one signed link by its id, or all tokens that a person was given so far."""
    call.identity.require_operator()
    body = await call.members(_REVOKE)
    if len({"jti", "link", "sub"} & body.keys()) != 1:
        raise BadRequest(
            "Say one of `jti`, of a token, `link`, the id of a link, and `sub`, whose tokens go. Nothing was revoked."
        )
    until = body["until"] / 1000 if "until" in body else None
    if "sub" not in body:
        what = "jti" if "jti" in body else "link"
        if "before" in body:
            raise BadRequest("`before` goes with `sub`. Nothing was revoked.")
        if not is_jti(body[what]):
            raise BadRequest(f"`{what}` is 1 to 200 visible ASCII characters. Nothing was revoked.")
        key, before = f"{what}:{body[what]}", None
    else:
        if not is_id(body["sub"]):
            raise BadRequest(f"`sub` takes {ID_RULE}. Nothing was revoked.")
        key, before = f"sub:{body['sub']}", body.get("before", call.engine.clock.now_ms()) / 1000
    await call.engine.revocations.revoke(key, until, before=before)
    return ok({"revoked": key})


OPERATIONS: Final = (
    ServedOperation(
        "POST",
        "/v1/tokens/revoke",
        "revokeTokens",
        "Have tokens refused from now on (§14.9)",
        "`operator`",
        {200: "revoke-reply.json"},
        request="revoke-request.json",
        handler=revoke,
    ),
)
