"""`signoff terminate`: end a run now."""

from __future__ import annotations

from typing import Annotated

import typer

from signoff.cli import options, output
from signoff.cli.bulk import Chosen, act_on_many, on_runs
from signoff.cli.target import Target, on
from signoff.workflow.run.status import OPEN


@on_runs
def terminate(
    *,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; stands in the journal.")] = None,
    json: options.Json = False,
    store: options.Store = None,
    server: options.Server = None,
    token: options.Token = None,
    chosen: Chosen,
) -> int:
    """End a run now, without running its code, whatever its state. Its cleanup does not run: see cancel."""
    target = Target.of(store, server, token)
    run = chosen.one
    if run is None:
        return act_on_many(
            target,
            chosen,
            "terminate",
            lambda client, run: client.terminate(run, reason),
            unless_given=(*OPEN, "failed"),
            json=json,
        )
    reply = on(target, lambda client: client.terminate(run, reason))
    if json:
        output.as_json(reply)
    else:
        output.line(f"Run {run} is terminated.")
    return 0
