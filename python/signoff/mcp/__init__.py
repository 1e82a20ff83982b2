"""Signoff for agents that speak MCP: the server behind `signoff mcp`, and the workflow that asks people for it.

Never here: rules of runs and requests. All of it goes through the client, as anybody's program does.
"""

from signoff.mcp.question import ASK, asks

__all__ = ["ASK", "asks"]
