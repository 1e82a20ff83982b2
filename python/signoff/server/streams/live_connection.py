"""Many live reads over one connection (`POST /v1/live`, Workflow Protocol §4.14): browsers have six to a host.

A read that is carried is served by whatever serves it alone: it has a request of its own (`GET …?live=sse`, with the
credentials it was joined with) and its response goes, as it comes, in frames that name it. So who may read what, what
is gone, and what a stream sends is said in one place, and nothing here knows it.

A client that does not read holds up each of the reads it shares the connection with, and they hold no more than one
event each. What they begin with may be a whole catch-up, so a few begin at a time: the others hold nothing until then.
"""

from __future__ import annotations

import asyncio
import codecs
import logging
import re
import secrets
from asyncio import FIRST_COMPLETED
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote

import orjson

from signoff.errors import BadRequest, MethodNotAllowed, NotFound, ServerBusy
from signoff.server.http import body
from signoff.server.http.problems import defect, problem
from signoff.server.http.reply import ASGI, Message, Receive, Reply, Scope, Send
from signoff.server.streams.long_replies import PIECE, departed
from signoff.shapes import Shape, WrongValue, list_of, text

log = logging.getLogger(__name__)

PATH: Final = "/v1/live"

MOST: Final = 256
"""Reads that one connection carries at a time."""

CONNECTIONS: Final = 4_000
"""Connections that one server has at a time."""

BEGINNING: Final = 4
"""Reads of one connection that have begun and not sent anything of their stream yet."""

IDLE_S: Final = 2.0
"""Seconds after which a connection is ended that carries nothing."""

_BODY: Final = 1 << 20
_TOKEN = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,8191}\Z")
_PATH = re.compile(r"[!\"$->@-~]{1,4096}\Z")  # no "?" and no "#"


@dataclass(frozen=True, slots=True)
class Join:
    """A live read that is to be carried.

    Attributes:
        id: names it in the frames.
        path: of the stream, percent-encoded, as it stands in its address after `/v1/stream/`.
        offset: where to begin.
        cursor: what the stream's last control event gave, if any.
        authorization: in place of the header of the request that opened the connection.
    """

    id: str
    path: str
    offset: str
    cursor: str | None = None
    authorization: str | None = field(default=None, repr=False)


def _pattern(pattern: re.Pattern[str], what: str) -> Any:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not pattern.match(value):
            raise WrongValue(f"must be {what}")
        return value

    return check


_JOIN = Shape(
    required={
        "id": text(64),
        "path": _pattern(_PATH, "the percent-encoded path of a stream"),
        "offset": _pattern(re.compile(r"[!-~]{1,256}\Z"), "an offset, `-1` or `now`"),
    },
    optional={
        "cursor": _pattern(re.compile(r"\d{1,20}\Z"), "digits"),
        "authorization": _pattern(_TOKEN, "the value of an Authorization header"),
    },
)


def _join(value: Any) -> Join:
    try:
        return Join(**_JOIN.read(value))
    except BadRequest as error:
        first = next(iter(error.extra.get("errors", ())), {"message": "must be an object", "pointer": ""})
        raise WrongValue(first["message"], first["pointer"]) from error


_OPEN = Shape(required={"join": list_of(_join, MOST)})
_CHANGE = Shape(optional={"join": list_of(_join, MOST), "leave": list_of(text(64), MOST)})


class LiveConnections:
    """The connections of one server, as an ASGI application at `PATH` and below it.

    Args:
        streams: serves the reads.
        max_depth: levels of JSON in a body.
        stopping: tells whether the server is about to stop, so that nothing will be joined.
    """

    def __init__(self, streams: ASGI, max_depth: int, stopping: Callable[[], bool] = lambda: False) -> None:
        self._streams = streams
        self._max_depth = max_depth
        self._stopping = stopping
        self._open: dict[str, _LiveConnection] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open a connection, or change what one carries."""
        if scope["method"] != "POST":
            if scope["method"] == "OPTIONS":
                await Reply(204, b"", ((b"allow", b"OPTIONS, POST"),)).send(send)
                return
            raise MethodNotAllowed(f"This address takes POST, not {scope['method'][:20]}.", allow="OPTIONS, POST")
        body.check_content_type(scope)
        sent = body.parse(await body.read(scope, receive, _BODY), self._max_depth)
        name = scope["path_params"].get("connection")
        if name is None:
            await self._carry(_OPEN.read(sent)["join"], scope, receive, send)
            return
        connection = self._open.get(name)
        if connection is None:
            raise NotFound(
                "No live connection has this name here: it has ended, or another process of this server has it. "
                "Open one that carries all you read; nothing is lost."
            )
        change = _CHANGE.read(sent)
        connection.change(change.get("join", ()), change.get("leave", ()), scope)
        await Reply(204, b"").send(send)

    async def _carry(self, joins: list[Join], scope: Scope, receive: Receive, send: Send) -> None:
        if not joins:
            raise BadRequest("`join` names no stream: a connection begins with what it carries. Nothing was opened.")
        if len(self._open) >= CONNECTIONS:
            raise ServerBusy("As many live connections as this server serves are open. Try again later.")
        name = secrets.token_urlsafe(18)
        connection = _LiveConnection(self._streams, self._stopping, scope, send)
        connection.check(joins)
        self._open[name] = connection
        await connection.run(name, joins, receive, lambda: self._open.pop(name, None))


class _LiveConnection:
    """One open connection and the reads it carries."""

    def __init__(self, streams: ASGI, stopping: Callable[[], bool], scope: Scope, send: Send) -> None:
        self._streams = streams
        self._stopping = stopping
        self._scope = scope
        self._send = send
        self._turn = asyncio.Lock()
        self._beginning = asyncio.Semaphore(BEGINNING)
        self._reads: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = {}

    async def run(self, name: str, joins: list[Join], receive: Receive, close: Callable[[], object]) -> None:
        """Carry reads until the client leaves, or nothing is carried for `IDLE_S`.

        Args:
            close: lets nobody join any more; called before what is carried then is ended.
        """
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"private, no-store, no-cache"),
            (b"x-accel-buffering", b"no"),
        ]
        left = asyncio.create_task(departed(receive))
        try:
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            await self.frame("connection", {"connection": name})
            self.change(joins, (), self._scope)
            while self._reads and not left.done():
                await asyncio.wait([left, *(task for task, _ in self._reads.values())], return_when=FIRST_COMPLETED)
                if not (self._reads or self._stopping()):
                    await asyncio.wait([left], timeout=IDLE_S)
            close()
            if not left.done():
                await self._send({"type": "http.response.body", "body": b""})
        finally:
            close()
            left.cancel()
            reads = list(self._reads.values())
            for task, gone in reads:
                gone.set()
                task.cancel()
            await asyncio.gather(*(task for task, _ in reads), return_exceptions=True)

    def check(self, joins: list[Join] | tuple[Join, ...], leaves: Any = ()) -> None:
        """Refuse joins that cannot be carried.

        Raises:
            BadRequest: a name is taken, or there would be too many.
        """
        names = [join.id for join in joins]
        staying = self._reads.keys() - set(leaves)
        if len(set(names)) < len(names) or self._reads.keys() & set(names):
            raise BadRequest("Each read needs an `id` of its own on its connection. Nothing was changed.")
        if len(staying) + len(names) > MOST:
            raise BadRequest(f"A connection carries {MOST} reads at most. Nothing was changed.")

    def change(self, joins: list[Join] | tuple[Join, ...], leaves: Any, scope: Scope) -> None:
        """Begin reads, and end others; both are as they are asked for when this returns.

        Args:
            scope: of the request that asks for it, whose credentials the reads have that bring none.

        Raises:
            BadRequest: see `check`; nothing is changed.
        """
        self.check(joins, leaves)
        for name in leaves:
            if name in self._reads:
                self._reads[name][1].set()
        for join in joins:
            gone = asyncio.Event()
            task = asyncio.create_task(self._read(join, _request(join, scope, self._scope), gone))
            self._reads[join.id] = task, gone

    async def frame(self, event: str, data: dict[str, Any]) -> None:
        """Send one frame; two are never mixed."""
        async with self._turn:  # made in its turn: those that wait hold what they say once
            message = b"event: %s\ndata: %s\n\n" % (event.encode(), orjson.dumps(data))
            await self._send({"type": "http.response.body", "body": message, "more_body": True})
        if len(message) > PIECE // 2:
            await asyncio.sleep(0)  # a long answer lets others through, also while nothing makes it wait

    async def _read(self, join: Join, request: Scope, gone: asyncio.Event) -> None:
        carried = _Carried(self, join.id, self._beginning)

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        try:
            await carried.begin()
            await self._streams(request, receive, carried.send)
        except Exception as error:  # of one read; the others go on
            failed = problem(defect(error, "This read failed. Nothing is lost; ask again."))
            if not carried.started:
                await failed.send(carried.send)
        finally:
            carried.begun()
            try:
                await self.frame("ended", {"id": join.id})
            finally:
                del self._reads[join.id]


class _Carried:
    """The response to one read, on its way in frames."""

    def __init__(self, connection: _LiveConnection, name: str, beginning: asyncio.Semaphore) -> None:
        self._connection = connection
        self._name = name
        self._beginning = beginning
        self._begins = False
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self.started = False

    async def begin(self) -> None:
        """Wait until there is room to begin."""
        await self._beginning.acquire()
        self._begins = True

    def begun(self) -> None:
        """Let another begin."""
        if self._begins:
            self._begins = False
            self._beginning.release()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
            opened = {"id": self._name, "status": message["status"], "headers": headers}
            await self._connection.frame("opened", opened)
        elif piece := self._text.decode(message.get("body", b"")):
            await self._connection.frame("body", {"id": self._name, "body": piece})
            self.begun()


_OWN = frozenset({b"content-type", b"content-length", b"content-encoding", b"transfer-encoding", b"accept"})


def _request(join: Join, asked: Scope, opened: Scope) -> Scope:
    """Return the request that a read alone would be."""
    headers = [(name, value) for name, value in asked["headers"] if name not in _OWN]
    if join.authorization is not None:
        headers = [(name, value) for name, value in headers if name != b"authorization"]
        headers.append((b"authorization", join.authorization.encode("latin-1")))
    root: str = opened.get("root_path", "")
    raw = f"/v1/stream/{join.path}".encode("latin-1")
    query = f"offset={quote(join.offset, safe='')}&live=sse" + ("" if join.cursor is None else f"&cursor={join.cursor}")
    return {**asked, "method": "GET", "headers": headers, "query_string": query.encode("latin-1"), **_at(root, raw)}


def _at(root: str, raw: bytes) -> dict[str, Any]:
    return {"path": root + unquote(raw.decode("latin-1")), "raw_path": quote(root).encode() + raw, "root_path": root}
