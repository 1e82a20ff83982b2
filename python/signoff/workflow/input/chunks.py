"""Requests in the words of the AI SDK's UI message stream, which the engine itself writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

FINISH: Final[list[dict[str, Any]]] = [{"type": "finish-step"}, {"type": "finish"}]
"""What the last request of a message ends it with."""


def opening(shown: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a message begins with where nothing of it is shown."""
    begun = any(chunk.get("type") == "start" for chunk in shown)
    return [] if begun else [{"type": "start"}, {"type": "start-step"}]


def proposal(tool_call_id: str, tool: str, args: Any) -> dict[str, Any]:
    """Return the chunk that says which tool is to be called, and what with."""
    return {"type": "tool-input-available", "toolCallId": tool_call_id, "toolName": tool, "input": args}


def approval_request(run_id: str, request: str, tool_call_id: str) -> dict[str, Any]:
    """Return the chunk that says that a tool call waits for a person; its id names the request."""
    return {"type": "tool-approval-request", "approvalId": f"{run_id}/{request}", "toolCallId": tool_call_id}
