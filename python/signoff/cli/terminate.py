"""`signoff terminate`: end a run now."""

from __future__ import annotations

from typing import Annotated

import typer

from signoff.cli import options, output
from signoff.cli.target import Target, on


def terminate(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    *,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; stands in the journal.")] = None,
    json: options.Json = False,
    store: options.Store = None,
    server: options.Server = None,
    token: options.Token = None,
) -> None:
    """End a run now, without running its code, whatever its state. Its cleanup does not run: see cancel."""
    target = Target.of(store, server, token)
    reply = on(target, lambda client: client.terminate(run, reason))
    if json:
        output.as_json(reply)
    else:
        output.line(f"Run {run} is terminated.")
