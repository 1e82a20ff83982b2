"""One request and its response, as the two callables ASGI hands to an application."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Final, Protocol

from signoff.server.http.reply import ASGI, Header, Message, Scope
from signoff.signing import without_tokens

log = logging.getLogger("signoff.server")
access_log = logging.getLogger("uvicorn.access")

STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus
}
_FAILED: Final = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class ResponseDefaults(Protocol):
    """What the responses of one server have in common."""

    log_access: bool

    def default_lines(self) -> bytes:
        """Return the header lines of every response."""
        ...


class ConnectionExchange(Protocol):
    """One request and how far its response is, as its connection sees it.

    Attributes:
        keep_alive: the connection may serve another request afterwards.
    """

    keep_alive: bool

    @property
    def started(self) -> bool:
        """Tell whether the head of the response was handed over."""
        ...

    @property
    def ended(self) -> bool:
        """Tell whether the body of the request is complete."""
        ...

    @property
    def complete(self) -> bool:
        """Tell whether the response is."""
        ...

    def feed(self, body: bytes) -> int:
        """Take a part of the request's body; return how many bytes nobody has taken yet."""
        ...

    def end(self) -> None:
        """Learn that the body is complete."""
        ...

    def leave(self) -> None:
        """Learn that the client has left."""
        ...


class ResponseConnection(Protocol):
    """The connection a response is written to."""

    @property
    def listener(self) -> ResponseDefaults:
        """Return what the server's responses have in common."""
        ...

    @property
    def drained(self) -> asyncio.Future[None] | None:
        """Return what to wait for before writing more; None: nothing."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    def resume_reading(self) -> None:
        """Read on."""
        ...

    def finished(self, exchange: ConnectionExchange) -> None:
        """Learn that the response is complete."""
        ...

    def ask_application(self, scope: Scope, body: bytes, *, keep_alive: bool) -> None:
        """Ask the application about a request whose body is complete."""
        ...

    def abort(self) -> None:
        """Cut the client off in the middle of a response."""
        ...


class Exchange:
    """One request to the application, and how far its response is.

    Attributes:
        keep_alive: the connection may serve another request afterwards.
        started: the head of the response was handed over; it is written together with what follows it.
        ended: the body of the request is complete.
        complete: the response is.
    """

    __slots__ = (
        "_body",
        "_chunked",
        "_connection",
        "_gone",
        "_head",
        "_left",
        "_news",
        "_scope",
        "_taken",
        "_wants_continue",
        "complete",
        "ended",
        "keep_alive",
        "started",
    )  # fmt: skip

    def __init__(self, connection: ResponseConnection, scope: Scope, *, keep_alive: bool) -> None:
        self._connection = connection
        self._scope = scope
        self.keep_alive = keep_alive
        self.started = False
        self.ended = False
        self._body = b""
        self._taken = False
        self._news: asyncio.Future[None] | None = None
        self._gone = False
        self._head: bytes | None = None
        self._chunked = False
        self._left = 0
        self.complete = False
        self._wants_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"]
        )

    # -- called by the connection ----------------------------------------------------------------------------------

    def feed(self, body: bytes) -> int:
        """Take a part of the request's body; return how many bytes nobody has taken yet."""
        if self.complete:
            return 0
        self._body = self._body + body if self._body else body
        self._tell()
        return len(self._body)

    def end(self) -> None:
        """Learn that the body is complete."""
        self.ended = True
        self._tell()

    def leave(self) -> None:
        """Learn that the client has left."""
        self._gone = True
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)

    # -- ASGI ------------------------------------------------------------------------------------------------------

    async def run(self, app: ASGI) -> None:
        """Call the application, and never leave a client without an answer."""
        try:
            await app(self._scope, self.receive, self.send)
        except Exception:
            log.exception("the application failed")
        if self.complete or self._gone:
            return
        if self.started and self._head is None:
            self._connection.abort()
            return
        self.keep_alive = False
        self.complete = True
        self._connection.write(_FAILED)
        self._connection.finished(self)

    async def receive(self) -> Message:
        """Return a part of the request's body, and at its end that the client has left."""
        if self._wants_continue and not self.started and not self._gone:
            self._wants_continue = False
            self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not (self._gone or self.complete):
            if not self._taken and (self._body or self.ended):
                body, self._body = self._body, b""
                self._taken = self.ended
                if not self.ended:
                    self._connection.resume_reading()
                return {"type": "http.request", "body": body, "more_body": not self.ended}
            self._connection.resume_reading()
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Write (a part of) the response."""
        if self._gone:
            return
        if not self.started:
            self._head = self._write_head(message["status"], message["headers"])
            self.started = True
            return
        drained = self._connection.drained
        if drained is not None:
            await drained
        data: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            if not more:
                data += b"0\r\n\r\n"
        else:
            self._left -= len(data)
        if self._head is not None:
            data, self._head = self._head + data, None
        if data:
            self._connection.write(data)
        if not more:
            self.complete = True
            self.keep_alive = self.keep_alive and self._left == 0
            self._tell()
            self._connection.finished(self)

    def _write_head(self, status: int, headers: list[Header]) -> bytes:
        shared = self._connection.listener
        lines = [STATUS_LINES[status], shared.default_lines()]
        bodyless = status in {204, 304} or self._scope["method"] == "HEAD"
        length: int | None = None
        said = False
        for name, value in headers:
            lines.append(b"%b: %b\r\n" % (name, value))
            if name == b"content-length":
                length = 0 if bodyless else int(value)
            elif name == b"connection" and b"close" in value:
                self.keep_alive, said = False, True
        if length is None and not bodyless:
            if self._scope["http_version"] == "1.1":
                self._chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
            else:
                self.keep_alive = False
        self._left = length or 0
        if not (self.keep_alive or said):
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        # One look instead of one a header: nothing in a value may end its line.
        breaks = shared.default_lines().count(b"\n") + len(lines) - 1
        if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
            raise ValueError("a response header holds a line break")
        if shared.log_access:
            scope = self._scope
            access_log.info(
                '%s - "%s %s HTTP/%s" %d', scope["client"], scope["method"],
                without_tokens(scope["raw_path"].decode("ascii")), scope["http_version"], status,
            )  # fmt: skip
        return head
