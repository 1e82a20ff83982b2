"""`/v1/runs/{run_id}/inputs/{key}/{verb}`: what may be done to a request, one handler for all that is declared."""

from __future__ import annotations

from typing import Final

from signoff.errors import InputNotFound, NotInAudience, RunNotFound, Stale
from signoff.server.api.call import Call
from signoff.server.api.inputs import hidden_from_strangers
from signoff.server.api.operation import ServedOperation
from signoff.server.http.reply import Reply, ok
from signoff.service.inputs import REQUEST_VERBS
from signoff.workflow.input.verb import RequestVerb
from signoff.workflow.verb import OPERATOR


def listed() -> dict[str, dict[str, str | None]]:
    """Return the verbs as protocol/input-verbs.json lists them: the schemas of body and reply, by name."""
    return {verb.name: {"request": verb.request, "reply": "input-reply.json"} for verb in REQUEST_VERBS.values()}


class RequestVerbHandler:
    """The handler of one verb.

    Args:
        verb: what it does.
    """

    def __init__(self, verb: RequestVerb) -> None:
        self._verb = verb

    async def __call__(self, call: Call) -> Reply:
        """Do it, and reply with the request as it is then."""
        identity, verb = call.identity, self._verb
        run_id, key = call.run_id(), call.key()
        if verb.grant == OPERATOR:
            identity.require_operator()
        body = await call.members(verb.shape)
        async with hidden_from_strangers(call, run_id, key):
            row = await call.engine.inputs.act(verb.name, run_id, key, body, identity.who())
        return ok({"input": row})


OPERATIONS: Final = tuple(
    ServedOperation(
        "POST",
        f"/v1/runs/{{run_id}}/inputs/{{key}}/{verb.name}",
        f"{verb.name}Input",
        f"{verb.summary} (§{verb.section})",
        f"`{OPERATOR}`" if verb.grant == OPERATOR else "to be one of those asked",
        {200: "input-reply.json"},
        (RunNotFound, InputNotFound, Stale, *([] if verb.grant == OPERATOR else [NotInAudience]), *verb.refusals),
        request=verb.request,
        handler=RequestVerbHandler(verb),
    )
    for verb in REQUEST_VERBS.values()
)
