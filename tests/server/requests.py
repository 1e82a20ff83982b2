"""Requests of each kind that takes a body: where they go, and one that is good."""

from __future__ import annotations

from typing import Any

from tests.server.hosting import Host

ROUTES = {
    "start": "/v1/runs",
    "cancel": "/v1/runs/r1/cancel",
    "answer": "/v1/runs/r1/inputs/approve:0/answer",
    "send": "/v1/runs/r1/events/paid",
    "emit": "/v1/events/paid",
}
GOOD: dict[str, dict[str, Any]] = {
    "start": {"workflow": "expense"},
    "cancel": {},
    "answer": {"submission_id": "s", "action": "submit", "value": {"approved": True}, "seen_offset": "-1"},
    "send": {"id": "e1"},
    "emit": {"id": "e1"},
}
JSON = {"content-type": "application/json"}


async def stage(host: Host) -> Any:
    """Have a run that asks; return all that is stored, which no bad request changes."""
    await host.ask("r1")
    return await host.everything()
