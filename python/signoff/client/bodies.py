"""What bodies and queries are made of, and what is read of replies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from signoff.errors import Forbidden
from signoff.names import check_texts


def instant(time: datetime) -> str:
    """Write a time as the protocol does; one without a zone is UTC."""
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat(timespec="milliseconds")


def event_body(id: str, payload: Any, key: str | None) -> dict[str, Any]:  # noqa: A002
    """Return the body of an event."""
    return {"id": id, "payload": payload, **({} if key is None else {"key": key})}


def output_of(reply: dict[str, Any]) -> Any:
    """Return what a run came to, of the reply about one that is completed.

    Raises:
        Forbidden: the caller may not see it.
    """
    if "output" not in reply:
        run_id = reply["run"]["id"]
        raise Forbidden(f"The run {run_id!r} is completed. Its output is not exposed; operators alone may see it.")
    return reply["output"]


def texts(name: str, given: Sequence[str], example: str) -> list[str]:
    """Return what a body has of several texts.

    Raises:
        TypeError: it is one text; that would be taken for a list of its letters.
    """
    check_texts(given, f"`{name}`", f'{name}=["{example}"]')
    return list(given)
