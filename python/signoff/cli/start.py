"""`signoff start`: start a run."""

from __future__ import annotations

from typing import Annotated

import typer

from signoff.cli import options, output
from signoff.cli.target import Target, on
from signoff.cli.values import json_value


def start(
    workflow: Annotated[str, typer.Argument(help="The workflow's name.")],
    *,
    input: Annotated[  # noqa: A002 - the field's name
        str | None, typer.Option("--input", metavar="JSON|@FILE|-", help="The input; - reads standard input.")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run-id", help="An id of your own: starting it again finds the same run.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="For listings. May be repeated.")] = None,
    json: options.Json = False,
    store: options.Store = None,
    server: options.Server = None,
    token: options.Token = None,
) -> None:
    """Start a run."""
    target = Target.of(store, server, token, create=True)
    value = json_value(input, "--input")
    reply = on(target, lambda client: client.start(workflow, value, run_id=run_id, tags=tag or ()))
    if json:
        output.as_json(reply)
        return
    run = reply["run"]
    output.line(f"Run {run['id']} of {run['workflow']} is {run['status']}. Follow it with: signoff tail {run['id']}")
