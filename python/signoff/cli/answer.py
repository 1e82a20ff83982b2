"""`signoff answer`: answer a request for input."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from signoff.cli import options, output
from signoff.cli.misuse import Misuse
from signoff.cli.target import Target, aimed, on
from signoff.cli.values import json_value
from signoff.client import SignoffClient


@aimed
def answer(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    key: Annotated[str, typer.Argument(help="The request's key, e.g. approve:0.")],
    *,
    action: Annotated[str | None, typer.Option("--action", help="What to do; may be absent if there is one.")] = None,
    value: Annotated[
        str | None, typer.Option("--value", metavar="JSON|@FILE|-", help="The answer; - reads standard input.")
    ] = None,
    submission_id: Annotated[
        str | None, typer.Option("--submission-id", help="Keep it when you try again. Random if absent.")
    ] = None,
    seen_offset: Annotated[
        str | None, typer.Option("--seen-offset", help="The `revised` of the row you saw; the current one if absent.")
    ] = None,
    json: options.Json = False,
    target: Target,
) -> None:
    """Answer a request for input, exactly once."""
    body = {
        "action": action,
        "value": json_value(value, "--value"),
        "seen_offset": seen_offset,
        "submission_id": str(uuid.uuid4()) if submission_id is None else submission_id,
    }
    reply = on(target, lambda client: _answer(client, run, key, body))
    if json:
        output.as_json(reply)
        return
    row = reply["row"]
    output.line(f"Accepted: {row['title']} ({row['action']}, by {row['decided_by']['id']})")


async def _answer(client: SignoffClient, run: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
    """Answer; what was left out is taken from the request as it is now."""
    if body["action"] is None or body["seen_offset"] is None:
        row = (await client.input(run, key))["input"]
        if body["action"] is None:
            body["action"] = _only(row["actions"])
        if body["seen_offset"] is None:
            body["seen_offset"] = row["revised"]
    return await client.answer(run, key, **body)


def _only(actions: list[str]) -> str:
    if len(actions) != 1:
        raise Misuse(f"Say --action: one of {', '.join(actions)}.")
    return actions[0]
