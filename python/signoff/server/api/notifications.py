"""`/v1/notifications`: who is told of requests, how far they are, and what operators do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from signoff.errors import Conflict409, NotFound, WebhookUrlRejected
from signoff.server.api.call import Call
from signoff.server.api.openapi import JsonObject
from signoff.server.api.operation import LINE, ServedOperation
from signoff.server.http.reply import Reply, ok
from signoff.service.notify.targets import MOST_SECRETS, NotifyTargets
from signoff.shapes import Shape, list_of, name, text
from signoff.streams.subscriptions import target as webhook

_LISTED: Final = list_of(text(128), 100)
_SECRETS: Final = list_of(text(200), MOST_SECRETS)
_ADD: Final = Shape({"id": name, "url": text(2_048)}, {"secrets": _SECRETS, "workflows": _LISTED, "events": _LISTED})

_EMPTY: Final = Shape()
_NOTHING: Final[JsonObject] = {"type": "object", "additionalProperties": False}
_EVENT: Final[JsonObject] = _NOTHING | {"properties": {"event": {**LINE, "minLength": 1, "maxLength": 100}}}
_SIGNED: Final[JsonObject] = _NOTHING | {
    "properties": {
        "secrets": {
            "type": "array",
            "items": {**LINE, "minLength": 1, "maxLength": 200},
            "minItems": 1,
            "maxItems": MOST_SECRETS,
        }
    },
    "required": ["secrets"],
}

TargetAct = Callable[[NotifyTargets, str, Mapping[str, Any]], Awaitable[int | None]]
"""Do something to a target by its id; return of how many events, if that is what was asked."""


async def list_targets(call: Call) -> Reply:
    """List who is told, and how far they are; neither URLs nor secrets."""
    call.identity.require_operator()
    call.query({})
    return ok({"targets": list(await call.engine.targets.list())})


async def add_target(call: Call) -> Reply:
    """Have a webhook told from now on, and return its secrets this once."""
    call.identity.require_operator()
    body = await call.members(_ADD)
    there = webhook.parse(body["url"])
    if (given := webhook.literal(there.host)) is not None:  # of a name it is found out at each call where it leads
        webhook.check(given, there.scheme, call.config.webhook_targets)
    more = {member: body[member] for member in ("secrets", "workflows", "events") if member in body}
    added = await call.engine.targets.add(body["id"], "webhook", body["url"], **more)
    return ok({"secrets": added.pop("secrets"), "target": added}, 201)


class TargetVerbHandler:
    """The handler of one thing that operators do to a target.

    Args:
        act: does it.
        shape: of the body.
    """

    def __init__(self, act: TargetAct, shape: Shape) -> None:
        self._act = act
        self._shape = shape

    async def __call__(self, call: Call) -> Reply:
        """Do it, and reply with the target as it is then; as it was, if it is there no more."""
        call.identity.require_operator()
        body = await call.members(self._shape)
        id_ = call.name("target", "target id")
        targets = call.engine.targets
        before = await targets.show(id_)
        count = await self._act(targets, id_, body)
        try:
            return ok({"target": await targets.show(id_), "count": count})
        except NotFound:
            return ok({"target": before, "count": count})


async def _retry(targets: NotifyTargets, id_: str, _: Mapping[str, Any]) -> int:
    return await targets.retry(id_)


async def _skip(targets: NotifyTargets, id_: str, body: Mapping[str, Any]) -> int:
    return await targets.skip(id_, body.get("event"))


async def _pause(targets: NotifyTargets, id_: str, _: Mapping[str, Any]) -> None:
    await targets.pause(id_)


async def _resume(targets: NotifyTargets, id_: str, _: Mapping[str, Any]) -> None:
    await targets.pause(id_, paused=False)


async def _sign(targets: NotifyTargets, id_: str, body: Mapping[str, Any]) -> None:
    await targets.sign_with(id_, body["secrets"])


async def _remove(targets: NotifyTargets, id_: str, _: Mapping[str, Any]) -> None:
    await targets.remove(id_)


def _verb(
    verb: str, summary: str, act: TargetAct, shape: Shape = _EMPTY, request: JsonObject = _NOTHING
) -> ServedOperation:
    return ServedOperation(
        "POST",
        f"/v1/notifications/{{target}}/{verb}",
        f"{verb}Target",
        f"{summary} (§10.20)",
        "`operator`",
        {200: "target-reply.json"},
        (NotFound,),
        request=request,
        handler=TargetVerbHandler(act, shape),
    )


OPERATIONS: Final = (
    ServedOperation(
        "GET",
        "/v1/notifications",
        "listTargets",
        "List who is told of requests, and how far they are (§10.20)",
        "`operator`",
        {200: "target-list.json"},
        handler=list_targets,
    ),
    ServedOperation(
        "POST",
        "/v1/notifications",
        "addTarget",
        "Have a webhook told of requests (§10.20)",
        "`operator`",
        {201: "target-added.json"},
        (Conflict409, WebhookUrlRejected),
        request="target-request.json",
        handler=add_target,
    ),
    _verb("retry", "Tell a target at once of what failed", _retry),
    _verb("skip", "Give up what fails, so that the next is told", _skip, Shape({}, {"event": text(100)}), _EVENT),
    _verb("pause", "Tell a target nothing for now", _pause),
    _verb("resume", "Go on with a target that was paused", _resume),
    _verb("sign", "Sign a webhook with other secrets", _sign, Shape({"secrets": _SECRETS}), _SIGNED),
    _verb("remove", "Tell a target nothing more", _remove),
)
