"""`signoff show`: one run, its steps and its requests; and where it failed, for operators."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from signoff.cli import options, output
from signoff.cli.target import Target, aimed, on
from signoff.client import SignoffClient
from signoff.errors import Forbidden
from signoff.paths import run_path
from signoff.streams.state import RowMap, fold
from signoff.workflow.frames import traceback_of
from signoff.workflow.journal import error_from_json


@aimed
def show(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    *,
    history: Annotated[bool, typer.Option("--history", help="Show the journal instead, for operators.")] = False,
    json: options.Json = False,
    target: Target,
) -> None:
    """Show one run: its state, its steps, its requests."""
    if history:
        _history(on(target, lambda client: client.history(run)), json=json)
        return
    reply = on(target, lambda client: _look(client, run))
    if json:
        output.as_json(reply)
    else:
        _draw(reply)


async def _look(client: SignoffClient, run_id: str) -> dict[str, Any]:
    reply = await client.get(run_id)
    rows: RowMap = {}
    async for batch in client.tail(run_path(run_id), follow=False):
        fold(batch.messages, rows)
    steps = [row for (kind, _), row in rows.items() if kind == "step"]
    failed = reply["run"]["error"] or any(step["error"] for step in steps)
    return {**reply, "steps": steps, "failures": await _failures(client, run_id) if failed else []}


async def _failures(client: SignoffClient, run_id: str) -> list[dict[str, Any]]:
    """Return the last error of each step, of the run and of what blocks it; empty for who may not see the journal."""
    try:
        entries = (await client.history(run_id))["entries"]
    except Forbidden:
        return []
    last: dict[str, dict[str, Any]] = {}
    for entry in entries:
        what = entry.get("id", "run")
        if "error" in entry:
            last.pop(what, None)
            last[what] = {"of": what, "error": entry["error"]}
        elif entry["type"] in {"run.unblocked", "step.completed"}:
            last.pop(what, None)
    return list(last.values())


def _draw(reply: dict[str, Any]) -> None:
    run = reply["run"]
    facts: list[tuple[str, Any]] = [
        ("Run", run["id"]),
        ("Workflow", f"{run['workflow']} {run['version']}"),
        ("Status", run["status"]),
        ("Created", output.when(run["created_at"])),
        ("Updated", output.when(run["updated_at"])),
    ]
    facts += [
        (name.capitalize(), run[name]) for name in ("tags", "parent", "error", "input", "output") if run.get(name)
    ]
    output.table(("", ""), facts)
    if reply["steps"]:
        output.table(
            ("Step", "Status", "Attempt", "Started", "Ended", "Error"),
            [
                (
                    step["label"] or step["id"],
                    step["status"],
                    step["attempt"],
                    output.when(step["started_at"]),
                    output.when(step["ended_at"]),
                    step["error"] and step["error"]["code"],
                )
                for step in reply["steps"]
            ],
        )
    if reply["inputs"]:
        output.table(
            ("Request", "Title", "Asked of", "Actions", "Deadline"),
            [
                (row["id"], row["title"], row["audience"], row["actions"], output.when(row["deadline"]))
                for row in reply["inputs"]
            ],
        )
    for failure in reply["failures"]:
        output.line(f"{failure['of']}:")
        for text in traceback_of(error_from_json(failure["error"])).split("\n"):
            output.line(f"  {text}")


def _history(reply: dict[str, Any], *, json: bool) -> None:
    if json:
        output.as_json(reply)
        return
    known = ("v", "type", "at", "id")
    output.table(
        ("#", "Entry", "Id", "Rest"),
        [
            (n, entry["type"], entry.get("id"), {name: entry[name] for name in entry if name not in known} or None)
            for n, entry in enumerate(reply["entries"])
        ],
    )
