"""`signoff approvals …`: the approvals of tools that were given for the next times too."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from signoff.cli import options, output
from signoff.cli.request_verbs import COMMANDS
from signoff.cli.suggest import OurCommands
from signoff.cli.target import Target, aimed, on


def build() -> typer.Typer:
    """Return the sub-commands as one application."""
    app = typer.Typer(
        cls=OurCommands, no_args_is_help=True, help="Approvals of tools that were given for the next times too."
    )
    app.command("list")(list_approvals)
    app.command("revoke")(COMMANDS["revoke"])
    return app


@aimed
def list_approvals(
    *,
    by: Annotated[
        str | None, typer.Option("--by", metavar="PRINCIPAL", help="Only given by this person, e.g. user:alice.")
    ] = None,
    limit: options.Limit = 50,
    cursor: options.Cursor = None,
    json: options.Json = False,
    target: Target,
) -> None:
    """List approvals that are remembered, those of the latest requests first."""
    reply = on(target, lambda client: client.approvals(by=by, limit=limit, cursor=cursor))
    if json:
        output.as_json(reply)
        return
    output.table(
        ("Run", "Request", "Tool", "For", "By", "Given", "Until", "Revoked"),
        [
            (
                one["run_id"],
                one["input"],
                one["tool"],
                _scope(one),
                one["by"]["id"],
                output.when(one["at"]),
                output.when(one["until"]),
                output.when(one["revoked"] and one["revoked"]["at"]),
            )
            for one in reply["approvals"]
        ],
    )
    if reply["cursor"]:
        output.note(f"There are more: --cursor {reply['cursor']}")


def _scope(one: dict[str, Any]) -> str:
    where = "this run" if one["scope"] == "run" else f"{one['workflow']} of {one['starter'] or 'nobody'}"
    return f"{where}, same arguments" if one["same_args"] else where
