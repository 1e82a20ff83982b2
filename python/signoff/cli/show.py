"""`signoff show`: one run, its steps and its requests; for operators also where it failed, and who paused it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from signoff.cli import options, output
from signoff.cli.target import Target, aimed, on
from signoff.client import SignoffClient
from signoff.errors import Forbidden
from signoff.paths import run_path
from signoff.streams.state import RowMap, fold
from signoff.timestamps import rfc3339
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
    paused = reply["run"]["status"] == "paused"
    entries = await _entries(client, run_id) if failed or paused else []
    return {
        **reply,
        "steps": steps,
        "failures": _failures(entries) if failed else [],
        "paused": _pause(entries) if paused else None,
    }


async def _entries(client: SignoffClient, run_id: str) -> list[dict[str, Any]]:
    """Return the journal; empty for who may not see it."""
    try:
        return list((await client.history(run_id))["entries"])
    except Forbidden:
        return []


def _pause(entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return who has paused the run, when, and why."""
    last = next((entry for entry in reversed(entries) if entry["type"] == "run.paused"), None)
    return None if last is None else {"at": rfc3339(last["at"]), "by": last["by"], "reason": last.get("reason")}


def _failures(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the last error of each step, of the run and of what blocks it."""
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
    if (pause := reply["paused"]) is not None:
        why = f": {pause['reason']}" if pause["reason"] else ""
        by = pause["by"]["id"] or pause["by"]["kind"]
        facts.append(("Paused", f"{output.when(pause['at'])} by {by}{why}"))
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
