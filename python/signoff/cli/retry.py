"""`signoff retry`: have a blocked run tried again."""

from __future__ import annotations

from typing import Annotated

import typer

from signoff.cli import options, output
from signoff.cli.target import Target, on


def retry(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    *,
    json: options.Json = False,
    store: options.Store = None,
    server: options.Server = None,
    token: options.Token = None,
) -> None:
    """Have a blocked run tried again, with the code that there is."""
    target = Target.of(store, server, token)
    reply = on(target, lambda client: client.retry(run))
    if json:
        output.as_json(reply)
    else:
        output.line(f"Run {run} will be tried again; it is {reply['run']['status']}.")
