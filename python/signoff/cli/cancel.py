"""`signoff cancel`: ask a run to stop."""

from __future__ import annotations

from typing import Annotated

import typer

from signoff.cli import options, output
from signoff.cli.bulk import Chosen, act_on_many, on_runs
from signoff.cli.target import Target, on
from signoff.workflow.run.status import OPEN


@on_runs
def cancel(
    *,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; shown to those who were asked.")] = None,
    json: options.Json = False,
    store: options.Store = None,
    server: options.Server = None,
    token: options.Token = None,
    chosen: Chosen,
) -> int:
    """Ask a run to stop; its cleanup still runs."""
    target = Target.of(store, server, token)
    run = chosen.one
    if run is None:
        return act_on_many(
            target, chosen, "cancel", lambda client, run: client.cancel(run, reason), unless_given=OPEN, json=json
        )
    reply = on(target, lambda client: client.cancel(run, reason))
    if json:
        output.as_json(reply)
    else:
        output.line(f"Run {run} was asked to stop; it is {reply['run']['status']}.")
        if reply["run"]["status"] == "blocked":
            output.note(f"It is blocked, so its cleanup may never run; to end it without: signoff terminate {run}")
    return 0
