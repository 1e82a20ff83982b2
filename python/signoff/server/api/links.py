"""`/v1/runs/{run_id}/inputs/{key}/links`: make a signed link to one request, for who sends it to the person asked."""

from __future__ import annotations

from typing import Any, Final

from signoff import links
from signoff.errors import AlreadyDecided, BadRequest, Expired, InputNotFound, RunNotFound, Withdrawn
from signoff.server.api.call import Call
from signoff.server.api.operation import ServedOperation
from signoff.server.http.address import base_of
from signoff.server.http.reply import Reply, ok
from signoff.service.links import Links, check_fits
from signoff.shapes import Shape, WrongValue, list_of, number, principal, text, truth
from signoff.timestamps import rfc3339

MOST_PRINCIPALS: Final = 16
"""Principals that a link names at most: one person, and groups."""

LONGEST_S: Final = 366 * 86_400
"""Seconds that a link is good for at most."""


def _whom(value: Any) -> list[str]:
    """Take a person, or a person and groups."""
    found: list[str] = list_of(principal, MOST_PRINCIPALS)([value] if isinstance(value, str) else value)
    if sum(one.startswith("user:") for one in found) != 1:
        raise WrongValue("must name one person, such as user:alice; groups may stand beside")
    return found


def _actions(value: Any) -> list[str]:
    """Take the names of some actions."""
    found: list[str] = list_of(text(128), 64)(value)
    if not found:
        raise WrongValue("must name an action; leave it out to allow all that are offered")
    return found


_MINT: Final = Shape(
    required={"for": _whom}, optional={"actions": _actions, "expires_in": number(1, LONGEST_S), "once": truth}
)


async def mint(call: Call) -> Reply:
    """Make a link to a pending request, for somebody who may answer it."""
    run_id, key = call.run_id(), call.key()
    call.identity.require("run:link", run_id)
    body = await call.members(_MINT)
    base = base_of(call.scope, call.config.public_url)
    now = call.engine.clock.now_ms()
    row = await call.engine.inputs.get(run_id, key)
    check_fits(row, body["for"], body.get("actions"), now)
    keys = Links(call.engine.store, call.engine.committer, call.engine.clock, call.config.keyring)
    try:
        made = links.make(
            await keys.keyring(),
            run_id,
            key,
            body["for"],
            actions=body.get("actions"),
            ttl_s=body.get("expires_in", links.TTL_S),
            once=body.get("once", False),
            asked_at=row["asked_at"],
            now_s=now / 1000,
        )
        url = made.url(base)
    except ValueError as error:
        raise BadRequest(f"{error} No link was made.") from error
    return ok({"id": made.id, "url": url, "expires_at": rfc3339(made.expires_at * 1000)}, 201)


OPERATIONS: Final = (
    ServedOperation(
        "POST",
        "/v1/runs/{run_id}/inputs/{key}/links",
        "mintLink",
        "Make a signed link to a request, to send to who is asked (§8.12)",
        "`run:link:{run_id}`",
        {201: "link-reply.json"},
        (RunNotFound, InputNotFound, AlreadyDecided, Expired, Withdrawn),
        request="link-request.json",
        handler=mint,
    ),
)
