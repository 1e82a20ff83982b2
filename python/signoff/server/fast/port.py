"""The interface between the fast lane, which knows HTTP/1.1, and what an application serves by it.

From the head of a request alone an application makes a `Plan`, or says that it has none. The plan takes the body, and
responds later. Whatever it does not take is asked of the application as ASGI: so a plan refuses nothing by itself, and
is never more than a shorter way to the same answer.
"""

from __future__ import annotations

from typing import Protocol

from signoff.server.http.reply import Scope


class FastRequest(Protocol):
    """A whole request that waits for its response: one of `respond` and `hand_over` is called, once."""

    @property
    def body(self) -> bytes:
        """Return the whole body."""
        ...

    def respond(self, status: int, header_lines: bytes, body: bytes = b"") -> None:
        """Send the response.

        Args:
            header_lines: each with a line break at its end, the length of the body among them.
        """
        ...

    def hand_over(self) -> None:
        """Let the application respond, by ASGI."""
        ...


class Plan(Protocol):
    """All that is known of a request but its body."""

    @property
    def repeats(self) -> bool:
        """Tell whether the same head may come again, so that the plan is worth remembering."""
        ...

    def begin(self, request: FastRequest) -> bool:
        """Take a request, and respond to it later, never at once; False: ask the application, nothing was done."""
        ...


class FastLane(Protocol):
    """What an application serves without a task."""

    @property
    def prefix(self) -> bytes:
        """Return how the paths of its requests begin, below where the application is mounted."""
        ...

    def plan(self, scope: Scope) -> Plan | None:
        """Return what to do about a request with this head, whoever sends it from the same address; None: ask ASGI."""
        ...
