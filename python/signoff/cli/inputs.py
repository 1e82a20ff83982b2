"""`signoff inputs`: list requests for input."""

from __future__ import annotations

from typing import Annotated

import typer

from signoff.cli import options, output
from signoff.cli.target import Target, aimed, on


@aimed
def inputs(
    *,
    audience: Annotated[
        str | None, typer.Option("--audience", metavar="PRINCIPAL", help="Only asked of this one, e.g. group:finance.")
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            callback=options.among("pending", "answered", "expired", "withdrawn", "any"),
            help="Another status than pending: answered, expired or withdrawn; any for all.",
        ),
    ] = None,
    limit: options.Limit = 50,
    cursor: options.Cursor = None,
    json: options.Json = False,
    target: Target,
) -> None:
    """List requests for input, newest first."""
    reply = on(target, lambda client: client.inputs(audience=audience, status=status, limit=limit, cursor=cursor))
    if json:
        output.as_json(reply)
        return
    output.table(
        ("Run", "Request", "Title", "Asked of", "Status", "Asked", "Deadline"),
        [
            (
                row["run_id"],
                row["id"],
                row["title"],
                row["audience"],
                row["status"],
                output.when(row["asked_at"]),
                output.when(row["deadline"]),
            )
            for row in reply["inputs"]
        ],
    )
    if reply["cursor"]:
        output.note(f"There are more: --cursor {reply['cursor']}")
