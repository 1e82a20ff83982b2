"""`/v1/runs/{run_id}/{verb}`: what may be done to a run, one handler for all that is declared."""

from __future__ import annotations

from signoff.errors import JournalUnreadable, SignoffError
from signoff.server.api.call import Call
from signoff.server.api.openapi import ApiOperation
from signoff.server.api.runs import visible
from signoff.server.http.reply import Reply, ok
from signoff.service.act import VERBS
from signoff.workflow.verb import OPERATOR, Verb


def address(verb: Verb) -> str:
    """Return the path at which a verb is done to a run."""
    return f"/v1/runs/{{run_id}}/{verb.name}"


def operations() -> list[ApiOperation]:
    """Return what there is to do to runs, as the OpenAPI document describes it."""
    return [
        ApiOperation(
            "POST",
            address(verb),
            f"{verb.name}Run",
            f"{verb.summary} (§{verb.section})",
            f"`{verb.grant}`" if verb.grant == OPERATOR else f"`{verb.grant}:{{run_id}}`",
            {verb.status: verb.reply},
            (*verb.refusals, JournalUnreadable) if verb.needs.journal else verb.refusals,
            request=verb.request,
            of_a_run=True,
        )
        for verb in VERBS.values()
    ]


def listed() -> dict[str, dict[str, str | None]]:
    """Return the verbs as protocol/verbs.json lists them: the schemas of body and reply, by name."""
    return {
        verb.name: {"request": verb.request if isinstance(verb.request, str) else None, "reply": verb.reply}
        for verb in VERBS.values()
    }


class VerbHandler:
    """The handler of one verb.

    Args:
        verb: what it does.
    """

    def __init__(self, verb: Verb) -> None:
        self._verb = verb

    async def __call__(self, call: Call) -> Reply:
        """Do it, and reply with the run as far as the caller may see it."""
        verb, run_id = self._verb, call.run_id()
        if verb.grant == OPERATOR:
            call.identity.require_operator()
        else:
            call.identity.require(verb.grant, run_id)
        body = await call.members(verb.shape)
        try:
            row = await call.engine.runs.act(verb.name, run_id, call.identity.by(), **body)
        except SignoffError as error:
            if "run" not in error.extra:
                raise
            shown = {**error.extra, "run": visible(call, error.extra["run"])}
            raise type(error)(error.detail, **shown) from error
        return ok({"run": visible(call, row)}, verb.status)
