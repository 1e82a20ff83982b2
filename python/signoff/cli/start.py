"""`signoff start`: start a run, and wait for its end if asked.

Exit codes with `--wait`: 0 the run is completed, 3 it has failed, 4 it was cancelled or terminated; else as always.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Annotated, Any

import typer

from signoff.cli import options, output
from signoff.cli.target import Target, aimed, on
from signoff.cli.values import json_value
from signoff.client import SignoffClient
from signoff.errors import FailedRun, Forbidden, NoResult

FAILED, CANCELLED = 3, 4


@aimed
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
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Wait for its end and print its output; exit with 3 if it fails, 4 if cancelled."),
    ] = False,
    json: options.Json = False,
    target: Target,
) -> None:
    """Start a run."""
    target = target.creating()
    value = json_value(input, "--input")
    reply = on(target, lambda client: client.start(workflow, value, run_id=run_id, tags=tag or ()))
    run = reply["run"]
    if wait:
        _wait(target, run["id"], json=json)
    elif json:
        output.as_json(reply)
    else:
        output.line(
            f"Run {run['id']} of {run['workflow']} is {run['status']}. Follow it with: signoff tail {run['id']}"
        )


def _wait(target: Target, run_id: str, *, json: bool) -> None:
    try:
        reply = on(target, lambda client: _end(client, run_id))
    except NoResult as error:
        if json:
            output.as_json({"run": error.extra["run"], "error": error.extra["error"]})
        output.note(f"signoff: {error.detail}")
        raise typer.Exit(FAILED if isinstance(error, FailedRun) else CANCELLED) from None
    if json:
        output.as_json(reply)
    elif "output" in reply:
        output.as_json(reply["output"])
    else:
        output.note(f"Run {run_id} is completed. Its output is not exposed; operators alone may see it.")


async def _end(client: SignoffClient, run_id: str) -> dict[str, Any]:
    with contextlib.suppress(Forbidden):  # it has ended all the same, and what may be seen of it is asked for next
        await client.result(run_id, watch=_watch())
    return await client.outcome(run_id)


def _watch() -> Callable[[dict[str, Any]], None]:
    """Return what tells of a run that is blocked, once for each reason."""
    last_code: list[Any] = [None]

    def watch(row: dict[str, Any]) -> None:
        code = (row["error"] or {}).get("code") if row["status"] == "blocked" else None
        if code is not None and code != last_code[0]:
            output.note(f"Run {row['id']} is blocked ({code}); waiting for it to go on. See: signoff show {row['id']}")
        last_code[0] = code

    return watch
