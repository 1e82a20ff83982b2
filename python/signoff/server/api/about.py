"""What the server says of itself and of who calls: that it is up, what there is to ask of it, and by whom."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from signoff.server.api.call import Call
from signoff.server.api.operation import ServedOperation
from signoff.server.http.reply import JSON_TYPE, Reply, ok

PUBLISHED: Final = Path(__file__).with_name("openapi.json")
"""The OpenAPI document that is served; written by `.ci/openapi`."""


async def health(call: Call) -> Reply:
    """Tell that the server is up, to everybody."""
    call.query({})
    return ok({"status": "ok", "version": call.version})


@cache
def _published() -> bytes:
    return PUBLISHED.read_bytes()


async def describe(call: Call) -> Reply:
    """Return the OpenAPI document, to everybody."""
    call.query({})
    return Reply(200, _published(), (JSON_TYPE,))


async def me(call: Call) -> Reply:
    """Reply with the caller's identity, which may be nobody's, and with how to authenticate here."""
    call.query({})
    identity = call.identity
    return ok(
        {
            "person": None if identity.sub is None else f"user:{identity.sub}",
            "principals": sorted(identity.principals),
            "operator": identity.operator,
            "grants": sorted(identity.grants),
            "sign_in": "host" if not call.by_token else "open" if call.config.keyless else "token",
        }
    )


OPERATIONS: Final = (
    ServedOperation(
        "GET",
        "/health",
        "health",
        "Tell that the server is up",
        None,
        {200: "health-reply.json"},
        handler=health,
    ),
    ServedOperation(
        "GET",
        "/v1/openapi.json",
        "describe",
        "Return this document",
        None,
        {200: {"type": "object"}},
        handler=describe,
    ),
    ServedOperation(
        "GET",
        "/v1/me",
        "me",
        "Tell who calls (§14.11)",
        "a token that is good here, or none",
        {200: "me-reply.json"},
        handler=me,
        anybody=True,
    ),
)
