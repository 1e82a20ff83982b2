"""Durable Streams over HTTP: everything below `/v1/stream/` (Durable Streams §5).

Plain ASGI, since appends and reads are the hot paths. Each method has its function; what they share, the refusals and
the headers every response has, is in `__call__`. Live reads are in `live.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable, iscoroutine
from math import inf
from typing import Final
from urllib.parse import urlsplit

from signoff.errors import (
    BadRequest,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    NotSupported,
    ServerBusy,
    StreamNotFound,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)
from signoff.paths import is_file
from signoff.server.fast.port import FastLane
from signoff.server.http import body
from signoff.server.http.address import below, raw_below
from signoff.server.http.reply import Header, Message, Receive, Reply, Scope, Send
from signoff.server.streams import live as live_reads
from signoff.server.streams import wire
from signoff.server.streams.append import AppendOptions, AppendPlan, append_headers, append_status, header_lines
from signoff.server.streams.long_replies import LongReplies, LongReply, ReplyLost
from signoff.server.streams.read import Limits, Permission, StreamRead
from signoff.server.streams.wire import ALLOW_HEADERS, Headers
from signoff.server.subscriptions.endpoints import PREFIX, ControlEndpoints
from signoff.service.streams.streams import StreamService
from signoff.streams import compaction, content_type, expiry, fork, live, offset
from signoff.streams import path as paths
from signoff.streams.stream import Branch

Authorize = Callable[[Scope, str, str], float | Awaitable[float | None] | None]
"""Called with scope, stream path and method before anything else is looked at; raises Unauthorized or Forbidden.

Returns, at once or when awaited, until when (milliseconds since the epoch) the same request would be allowed again, and
what is read live may go on; None: ask each time, and no end. Who gives something to be awaited is asked each time.

Called once more, with the method GET, for a stream that is to be forked: a fork shows what its source holds.
"""

log = logging.getLogger(__name__)

ROOT: Final = "/v1/stream/"


def allow_all(_scope: Scope, _path: str, _method: str) -> float:
    """Allow everything: access was checked before, or is not wanted."""
    return inf


class StreamEndpoints:
    """The endpoints of streams, as an ASGI application.

    Args:
        streams: what to serve.
        authorize: refuses callers; nobody by default.
        root: where streams live.
        limits: sizes and times.
        origins: pages that may read across origins; any by default, since access is by token and never by cookie.
        control: serves what is below `__ds/`, and checks itself who may; nothing is there if None.
        public_url: where callers reach this application, for `Location`; None: as the request says.
        shared: whether shared caches may keep what is read without an `Authorization` header; None: if `authorize`
            is the default, since otherwise it may go by a cookie or by anything else.
        allow_headers: what pages of other origins may send beside the protocol's headers.

    Example:
        >>> app = StreamEndpoints(engine.streams)
    """

    def __init__(
        self,
        streams: StreamService,
        authorize: Authorize = allow_all,
        *,
        root: str = ROOT,
        limits: Limits | None = None,
        origins: tuple[str, ...] = ("*",),
        control: ControlEndpoints | None = None,
        public_url: str | None = None,
        shared: bool | None = None,
        allow_headers: Sequence[str] = ALLOW_HEADERS,
    ) -> None:
        self._public_url = public_url
        self._shared = authorize is allow_all if shared is None else shared
        self._control = control
        self._streams = streams
        self._authorize = authorize
        self._root = root.encode()
        self._limits = limits or Limits()
        self._origins = origins
        self._preflight = _preflight(allow_headers)
        self._live = 0
        self._permissions: set[Permission] = set()
        self._changes = [0]
        self._rechecks: set[asyncio.Future[None]] = set()
        self._long_replies = LongReplies()

    @property
    def lane(self) -> FastLane:
        """Return what serves without a task, for connections that can."""
        return self

    @property
    def prefix(self) -> bytes:
        """Return how the paths of all streams begin."""
        return self._root

    def plan(self, scope: Scope) -> AppendPlan | None:
        """Plan appends with this head; None: they are to be asked for by ASGI."""
        try:
            headers = wire.request_headers(scope)
            path = self._path(raw_below(scope))
            if scope["method"] != "POST" or paths.engine_owned(path) or paths.reserved(path):
                return None
            options = AppendOptions.read(headers)
            declared = content_type.check(headers.text(b"content-type") or "")
            changes, until = self._changes[0], self._until(scope, path)
            if until is None:
                return None
        except Exception:  # whatever it is, the application meets it too and can answer
            return None
        if b"content-encoding" in headers:
            return None
        if int(headers.get(b"content-length", b"0")) > self._limits.max_body:
            return None
        lines = header_lines((*wire.SAFE, wire.EMBEDDABLE, *wire.cors(self._origins, headers, "POST")))

        def again() -> float:
            try:
                return self._until(scope, path) or 0
            except Exception:  # whatever it is, the application meets it too and can answer
                return 0

        return AppendPlan(self._streams, path, options, declared, lines, until, again, self._changes, changes)

    def _until(self, scope: Scope, path: str) -> float | None:
        """Return until when appends are allowed, as far as that is known at once; None: it is not."""
        until = self._authorize(scope, path, "POST")
        if isawaitable(until):
            _forget(until)
            return None
        return 0 if until is None else until

    def access_changed(self) -> None:
        """Check anew who may append and read live: something was revoked. Readers who may not read on are let go."""
        self._changes[0] += 1
        for permission in self._permissions:
            check = asyncio.ensure_future(self._recheck(permission))
            self._rechecks.add(check)
            check.add_done_callback(self._rechecks.discard)

    async def _recheck(self, permission: Permission) -> None:
        try:
            await self._allowed(permission.scope, permission.path, "GET")
        except (Unauthorized, Forbidden, TooManyRequests):
            permission.withdraw()
        except Exception as error:  # whatever it is: what cannot be found out does not end a read that was allowed
            log.warning("cannot check anew who reads %s: %s", permission.path, error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        response = _StreamResponse(send, head=scope["method"] == "HEAD")
        try:
            raw = raw_below(scope)
            headers = wire.request_headers(scope)
            cors = wire.cors(self._origins, headers, scope["method"])
            response.always = (*wire.SAFE, wire.EMBEDDABLE, *cors)
            if scope["method"] == "OPTIONS":
                preflight = b"access-control-request-method" in headers
                reply: Reply | None = self._preflight if preflight else _OPTIONS
            elif self._control is not None and (control := self._below_control(raw)) is not None:
                reply = await self._control.serve(control, self._root.decode(), scope, receive)
            else:
                path = self._path(raw)
                if paths.engine_owned(path):
                    kept = (wire.NOT_EMBEDDABLE, *((wire.DOWNLOAD,) if is_file(path) else ()))
                    response.always = (*wire.SAFE, *kept, *cors)
                until = await self._allowed(scope, path, scope["method"])
                reply = await self._serve(_StreamRequest(path, headers, scope, receive, response, until))
            if reply is not None:
                await response.reply(reply)
        except (body.Disconnected, ReplyLost):
            return
        except Exception as error:
            if response.started:
                raise
            await response.reply(wire.stream_problem(error))

    async def _serve(self, request: _StreamRequest) -> Reply | None:
        if paths.reserved(request.path):
            raise NotSupported("Subscriptions are not served here.")
        method: str = request.scope["method"]
        if is_file(request.path) and method in {"GET", "HEAD"}:
            await self._check_whole(request.path)
        match method:
            case "POST":
                return await self._post(request)
            case "GET":
                return await self._get(request)
            case "HEAD":
                head = await self._streams.head(request.path)
                return Reply(200, b"", (*wire.stream_headers(head), wire.NO_STORE))
            case "PUT":
                return await self._put(request)
            case "DELETE":
                await self._streams.delete(request.path)
                return Reply(204, b"", (wire.NO_STORE,))
            case _:
                raise MethodNotAllowed(
                    f"A stream takes {wire.METHODS}, not {method[:20]}. Nothing was done.", allow=wire.METHODS
                )

    async def _check_whole(self, path: str) -> None:
        """Refuse to show a file that is not whole.

        Raises:
            StreamNotFound: it is not, or is not there.
        """
        if not (await self._streams.head(path)).closed:
            raise StreamNotFound("There is no file at this path, or it is not whole yet.")

    async def _allowed(self, scope: Scope, path: str, method: str) -> float | None:
        until = self._authorize(scope, path, method)
        return await until if isawaitable(until) else until

    def _path(self, raw: bytes) -> str:
        path = self._stream_at(raw)
        if path is None:
            raise NotFound("Streams do not live here.")
        return path

    def _below_control(self, raw: bytes) -> bytes | None:
        """Return the path below the stream root, undecoded, if the protocol keeps it for its control API (§6)."""
        below_root = raw.removeprefix(self._root)
        return below_root if (below_root + b"/").startswith(PREFIX) else None

    def _stream_at(self, raw: bytes) -> str | None:
        """Return the path of a stream whose address has this path; None if no stream can live there."""
        return paths.from_url(raw[len(self._root) :]) if raw.startswith(self._root) else None

    def _named(self, raw: bytes, scope: Scope) -> bytes:
        """Return the path below this application that a caller writes as the path of a URL of ours."""
        public = urlsplit(self._public_url or "").path.rstrip("/").encode()
        return raw[len(public) :] if public and raw.startswith(public + self._root) else below(raw, scope)

    async def _put(self, request: _StreamRequest) -> Reply:
        headers = request.headers
        branch = await self._branch(request)
        ttl, ends = headers.text(b"stream-ttl"), headers.text(b"stream-expires-at")
        if ttl is not None and ends is not None:
            raise BadRequest("Stream-TTL and Stream-Expires-At exclude each other. Nothing was stored.")
        ttl_s = None if ttl is None else expiry.parse_ttl(ttl)
        expires_at = None if ends is None else expiry.check_expires_at(ends)
        declared = headers.text(b"content-type") or content_type.DEFAULT
        if branch is not None and b"content-type" not in headers:
            declared = await self._streams.content_type(branch.source)
        data = await request.body(self._limits.max_body)
        payload = await self._streams.payload(declared, data)
        written = await self._streams.create(
            request.path,
            payload,
            closed=headers.closing,
            ttl_s=ttl_s,
            expires_at=expires_at,
            fork=branch,
            compacted=compaction.parse_option(headers.text(b"stream-compaction")),
        )
        described = [*wire.stream_headers(written.head), wire.NO_STORE]
        if written.new:
            described.append(wire.location(request.scope, headers, self._public_url))
        return Reply(201 if written.new else 200, b"", tuple(described))

    async def _branch(self, request: _StreamRequest) -> Branch | None:
        """Return what is to be forked and where, if the caller may read it (§4.2)."""
        headers = request.headers
        raw = headers.get(b"stream-forked-from")
        token, sub_offset = headers.text(b"stream-fork-offset"), headers.text(b"stream-fork-sub-offset")
        if raw is None:
            if token is not None or sub_offset is not None:
                raise BadRequest(
                    "Stream-Fork-Offset and Stream-Fork-Sub-Offset need Stream-Forked-From. Nothing was created."
                )
            return None
        source = self._stream_at(self._named(raw.strip(), request.scope))
        if source is None or paths.reserved(source):
            raise BadRequest(
                f"Stream-Forked-From is the path of a stream's address, like `{self._root.decode()}chat/1`. "
                "Nothing was created."
            )
        await self._allowed(request.scope, source, "GET")
        if is_file(source):
            await self._check_whole(source)
        return fork.branch(source, token, sub_offset)

    async def _post(self, request: _StreamRequest) -> Reply:
        path, headers = request.path, request.headers
        options = AppendOptions.read(headers)
        data = await request.body(self._limits.max_body)
        if data:
            payload = await self._streams.payload(headers.text(b"content-type"), data)
            written = await self._streams.append(
                path, payload, close=options.close, seq=options.seq, producer=options.producer
            )
        elif options.close:
            written = await self._streams.close(path, options.producer)
            return Reply(204, b"", append_headers(written))
        else:
            raise BadRequest("There is nothing to append: the body is empty, and Stream-Closed is not `true`.")
        return Reply(append_status(written, options.producer), b"", append_headers(written))

    async def _get(self, request: _StreamRequest) -> Reply | None:
        query = wire.query(request.scope["query_string"])
        read = StreamRead(
            self._streams,
            self._limits,
            self._long_replies,
            request.path,
            query,
            private=paths.engine_owned(request.path),
            authorized=not self._shared or b"authorization" in request.headers,
            permission=Permission(request.scope, request.path),
            until=request.until,
        )
        if query.live is None:
            return await request.deliver(await _catch_up(read, request.headers))
        if self._live >= self._limits.max_readers:
            raise ServerBusy("As many live readers as this server serves are connected. Try again later.")
        self._live += 1
        self._permissions.add(read.permission)
        try:
            if query.live == "long-poll":
                return await request.deliver(await live_reads.long_poll(read, request.receive))
            await live_reads.sse(read, request.receive, request.response)
            return None
        finally:
            self._live -= 1
            self._permissions.discard(read.permission)


@dataclass(frozen=True, slots=True)
class _StreamRequest:
    """A request whose path was decoded and allowed, until a time."""

    path: str
    headers: Headers = field(repr=False)  # a token is among them
    scope: Scope = field(repr=False)
    receive: Receive
    response: _StreamResponse
    until: float | None

    async def deliver(self, reply: Reply | LongReply | None) -> Reply | None:
        """Send a long response; return a short one, which is still to be sent."""
        if isinstance(reply, LongReply):
            await reply.send(self.receive, self.response)
            return None
        return reply

    async def body(self, most: int) -> bytes:
        """Read the whole body.

        Raises:
            UnsupportedMediaType: it is compressed; what is stored is what readers get.
            PayloadTooLarge: it has more than `most` bytes.
        """
        if self.headers.get(b"content-encoding", b"identity").strip().lower() not in {b"identity", b""}:
            raise UnsupportedMediaType("Send the body without a Content-Encoding. Nothing was stored.")
        return await body.read(self.scope, self.receive, most)


_OPTIONS: Final = Reply(204, b"", ((b"allow", wire.METHODS.encode()),))


def _preflight(allow_headers: Sequence[str]) -> Reply:
    return Reply(
        204,
        b"",
        (
            *_OPTIONS.headers,
            (b"access-control-allow-methods", wire.METHODS.encode()),
            (b"access-control-allow-headers", ", ".join((wire.REQUEST_HEADERS, *allow_headers)).encode("ascii")),
            (b"access-control-max-age", b"600"),
        ),
    )


def _forget(later: Awaitable[object]) -> None:
    """Let a coroutine end that nobody is going to await."""
    if iscoroutine(later):
        later.close()


async def _catch_up(read: StreamRead, headers: Headers) -> Reply | LongReply:
    """Return what there is now, at most one chunk (§5.6)."""
    chunk = await read.chunk(read.query.offset)
    described = [*read.headers(chunk)]
    if read.query.offset == offset.NOW:
        return Reply(200, chunk.body, (*described, wire.NO_STORE))
    tag = read.tag(chunk)
    described += [(b"etag", tag.encode()), read.cache(chunk)]
    known = headers.text(b"if-none-match")
    if known is not None and live.matches(tag, known):
        return Reply(304, b"", tuple(described))
    return read.reply(chunk, read.query.offset, tuple(described))


class _StreamResponse:
    """The response to one request, with the headers that every response has."""

    __slots__ = ("_send", "always", "head", "started")

    def __init__(self, send: Send, *, head: bool) -> None:
        self._send = send
        self.always: tuple[Header, ...] = (*wire.SAFE, wire.NOT_EMBEDDABLE)
        self.head = head
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message["headers"] = [*message["headers"], *self.always]
        await self._send(message)

    async def reply(self, reply: Reply) -> None:
        """Send a complete response."""
        headers = [*reply.headers, *self.always]
        # The length of a body that is not sent would be that of a GET's (RFC 9110 §8.6), which is unknown.
        if not (self.head or reply.status in {204, 304}):
            headers.append((b"content-length", str(len(reply.body)).encode("ascii")))
        self.started = True
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": b"" if self.head else reply.body})
