"""`signoff cancel`: ask a run to stop."""

from __future__ import annotations

from typing import Annotated

import typer

from signoff.cli import options, output
from signoff.cli.target import Target, on


def cancel(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    *,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; shown to those who were asked.")] = None,
    json: options.Json = False,
    store: options.Store = None,
    server: options.Server = None,
    token: options.Token = None,
) -> None:
    """Ask a run to stop; its cleanup still runs."""
    target = Target.of(store, server, token)
    reply = on(target, lambda client: client.cancel(run, reason))
    if json:
        output.as_json(reply)
    else:
        output.line(f"Run {run} was asked to stop; it is {reply['run']['status']}.")
        if reply["run"]["status"] == "blocked":
            output.note(f"It is blocked, so its cleanup may never run; to end it without: signoff terminate {run}")
