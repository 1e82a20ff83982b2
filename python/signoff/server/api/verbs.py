"""`/v1/runs/{run_id}/{verb}`: what may be done to a run, one handler for all that is declared."""

from __future__ import annotations

from typing import Final

from signoff.errors import JournalTooLong, JournalUnreadable, SignoffError
from signoff.server.api.call import Call
from signoff.server.api.operation import ServedOperation
from signoff.server.api.runs import visible
from signoff.server.http.reply import Reply, ok
from signoff.service.act import VERBS
from signoff.workflow.verb import OPERATOR, Verb


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
            row = await call.engine.runs.act(verb.name, run_id, call.identity.by(), call.identity.via, **body)
        except SignoffError as error:
            if "run" not in error.extra:
                raise
            shown = {**error.extra, "run": visible(call, error.extra["run"])}
            raise type(error)(error.detail, **shown) from error
        return ok({"run": visible(call, row)}, verb.status)


OPERATIONS: Final = tuple(
    ServedOperation(
        "POST",
        f"/v1/runs/{{run_id}}/{verb.name}",
        f"{verb.name}Run",
        f"{verb.summary} (§{verb.section})",
        f"`{verb.grant}`" if verb.grant == OPERATOR else f"`{verb.grant}:{{run_id}}`",
        {verb.status: verb.reply},
        (*verb.refusals, JournalUnreadable, JournalTooLong) if verb.needs.journal else verb.refusals,
        request=verb.request,
        of_a_run=True,
        handler=VerbHandler(verb),
    )
    for verb in VERBS.values()
)
