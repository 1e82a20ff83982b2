"""`signoff retry`: have a blocked run tried again."""

from __future__ import annotations

from signoff.cli import options, output
from signoff.cli.bulk import Chosen, act_on_many, on_runs
from signoff.cli.target import Target, on


@on_runs
def retry(
    *,
    json: options.Json = False,
    store: options.Store = None,
    server: options.Server = None,
    token: options.Token = None,
    chosen: Chosen,
) -> int:
    """Have a blocked run tried again, with the code that there is."""
    target = Target.of(store, server, token)
    run = chosen.one
    if run is None:
        return act_on_many(
            target, chosen, "retry", lambda client, run: client.retry(run), unless_given=("blocked",), json=json
        )
    reply = on(target, lambda client: client.retry(run))
    if json:
        output.as_json(reply)
    else:
        output.line(f"Run {run} will be tried again; it is {reply['run']['status']}.")
    return 0
