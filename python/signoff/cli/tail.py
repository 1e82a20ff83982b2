"""`signoff tail`: follow a stream."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from signoff.cli import options, output
from signoff.cli.target import Target, aimed, on
from signoff.client import SignoffClient
from signoff.errors import StreamNotFound
from signoff.paths import run_path

_FACTS = ("title", "workflow", "message", "fraction", "attempt", "action", "error")


@aimed
def tail(
    stream: Annotated[str, typer.Argument(metavar="STREAM|RUN", help="A run's id, or a path such as inbox/group:x.")],
    *,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on as it grows, or end at its tail.")] = True,
    offset: Annotated[str, typer.Option("--offset", help="Where to begin: -1, now, or an offset.")] = "-1",
    json: options.Json = False,
    target: Target,
) -> None:
    """Follow a run until it ends, or any stream until it is closed."""
    path = stream if "/" in stream else run_path(stream)
    try:
        on(target, lambda client: _print(client, path, offset, follow=follow, json=json))
    except StreamNotFound as error:
        raise StreamNotFound(f"There is no stream {path!r} (yet).") from error


async def _print(client: SignoffClient, path: str, offset: str, *, follow: bool, json: bool) -> None:
    failed = None
    async for batch in client.tail(path, offset=offset, follow=follow):
        for message in batch.messages:
            if _is_row(message) and message["type"] == "run":
                failed = message.get("value") if (message.get("value") or {}).get("status") == "failed" else None
            if json:
                output.as_json(message)
            elif isinstance(message, str):
                sys.stdout.write(message)
            elif _is_row(message):
                output.line(_in_words(message))
            else:
                output.line(output.cell(message).plain)
        sys.stdout.flush()
    if follow and failed is not None and path == run_path(failed["id"]):
        code = (failed["error"] or {}).get("code")
        output.note(f"Run {failed['id']} has failed ({code}). Its stream stays open: it can be taken up again.")


def _is_row(message: Any) -> bool:
    return isinstance(message, dict) and {"type", "key", "headers"} <= message.keys()


def _in_words(message: dict[str, Any]) -> str:
    """Say a State Protocol message in a line."""
    value = message.get("value") or {}
    stamp = message["headers"].get("timestamp")
    time = output.local(stamp) if isinstance(stamp, str) else ""
    state = value.get("status") or message["headers"]["operation"]
    facts = "  ".join(f"{name}={output.cell(value[name]).plain}" for name in _FACTS if value.get(name) is not None)
    return f"{time}  {message['type']:<8} {message['key']:<24} {state:<10} {facts}".rstrip()
