"""`signoff send`: send an event to one run."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from signoff.cli import options, output
from signoff.cli.target import Target, aimed, on
from signoff.cli.values import json_value

PayloadText = Annotated[
    str | None, typer.Option("--payload", metavar="JSON|@FILE|-", help="The payload; - reads standard input.")
]
EventId = Annotated[
    str | None, typer.Option("--id", help="An id of your own: sending it again has no effect. Random if absent.")
]
EventKey = Annotated[str | None, typer.Option("--key", help="Narrows who takes it.")]


@aimed
def send(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    topic: Annotated[str, typer.Argument(help="What the run awaits.")],
    *,
    payload: PayloadText = None,
    event_id: EventId = None,
    key: EventKey = None,
    json: options.Json = False,
    target: Target,
) -> None:
    """Send an event to one run, which keeps it until it awaits the topic."""
    value = json_value(payload, "--payload")
    chosen = str(uuid.uuid4()) if event_id is None else event_id
    reply = on(target, lambda client: client.send(run, topic, id=chosen, payload=value, key=key))
    if json:
        output.as_json(reply)
    elif reply["duplicate"]:
        output.line(f"Run {run} had the event {chosen} already; nothing was added.")
    else:
        output.line(f"Run {run} has the event {chosen}.")
