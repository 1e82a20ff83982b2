"""One request that is served by a plan, and its response."""

from __future__ import annotations

from signoff.server.fast.port import Plan
from signoff.server.http.reply import Scope
from signoff.server.http11.exchange import STATUS_LINES, ResponseConnection


class FastExchange:
    """A whole request on its way through the fast lane; to its connection it looks like an `Exchange`.

    Attributes:
        scope: of the request, for the application if it has to be asked after all.
        body: of the request, whole.
        keep_alive: the connection may serve another request afterwards.
        complete: the response was handed over.
    """

    __slots__ = ("_connection", "_gone", "_plan", "body", "complete", "keep_alive", "scope")

    ended = True
    """The request is complete from the start."""

    def __init__(self, connection: ResponseConnection, plan: Plan | None, scope: Scope, body: bytes) -> None:
        self._connection = connection
        self._plan = plan
        self.scope = scope
        self.body = body
        self._gone = False
        self.keep_alive = True
        self.complete = False

    @property
    def started(self) -> bool:
        """Tell whether the response has begun, which is when it is complete."""
        return self.complete

    def feed(self, _body: bytes) -> int:
        """Take nothing: the body was there from the start."""
        return 0

    def end(self) -> None:
        """Do nothing: the body was complete from the start."""

    def leave(self) -> None:
        """Learn that the client has left."""
        self._gone = True

    def begin(self) -> bool:
        """Let the plan take the request; False: this is for the application, and nothing was done."""
        return self._plan is not None and self._plan.begin(self)

    def respond(self, status: int, header_lines: bytes, body: bytes = b"") -> None:
        """Write the response in one piece, if anybody is there."""
        if self._gone:
            return
        connection = self._connection
        self.complete = True
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        defaults = connection.listener.default_lines()
        connection.write(b"".join((STATUS_LINES[status], defaults, header_lines, end, body)))
        connection.finished(self)

    def hand_over(self) -> None:
        """Let the application respond, if anybody is there."""
        if not self._gone:
            self._connection.ask_application(self.scope, self.body, keep_alive=self.keep_alive)
