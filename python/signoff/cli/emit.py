"""`signoff emit`: send an event to all runs that wait for it."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from signoff.cli import options, output
from signoff.cli.send import EventId, EventKey, PayloadText
from signoff.cli.target import Target, aimed, on
from signoff.cli.values import json_value


@aimed
def emit(
    topic: Annotated[str, typer.Argument(help="What the runs await.")],
    *,
    payload: PayloadText = None,
    event_id: EventId = None,
    key: EventKey = None,
    json: options.Json = False,
    target: Target,
) -> None:
    """Send an event to every run that waits for the topic now."""
    value = json_value(payload, "--payload")
    chosen = str(uuid.uuid4()) if event_id is None else event_id
    reply = on(target, lambda client: client.emit(topic, id=chosen, payload=value, key=key))
    if json:
        output.as_json(reply)
    else:
        output.line(f"The event {chosen} reached {reply['delivered']} run(s).")
    if reply.get("refused"):
        output.note(f"{reply['refused']} run(s) hold too many events that they have not awaited, and did not take it.")
