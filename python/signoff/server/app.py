"""The ASGI application: one shell around everything, a router under it, and no rules.

The shell refuses what must not go further (`origin.py`), finds out who calls (`access.py`), turns errors into problem
documents, and adds the headers every answer has. Paths are Starlette's to match; what is behind them is plain ASGI.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from starlette.routing import BaseRoute, Route, Router

from signoff.errors import InvalidName, MethodNotAllowed, NotFound, SignoffError
from signoff.server.access.callers import Callers, Identify
from signoff.server.access.identity import ANONYMOUS, Identity, check_stream
from signoff.server.access.origin import Origins
from signoff.server.api import document, events, inputs, runs
from signoff.server.api.call import Call
from signoff.server.config import ServerConfig
from signoff.server.fast.express import Lane, Plan
from signoff.server.http import body
from signoff.server.http.address import raw_below
from signoff.server.http.problems import problem
from signoff.server.http.reply import ASGI, Header, Message, Receive, Reply, Scope, Send, ok
from signoff.server.page import Page
from signoff.server.streams.endpoints import StreamEndpoints
from signoff.server.subscriptions.endpoints import ControlEndpoints
from signoff.server.subscriptions.webhook import HttpWebhooks
from signoff.service.engine import Engine
from signoff.service.subscriptions.subscriptions import Subscriptions

STREAMS = b"/v1/stream/"
_ENCODED_SLASH = re.compile(rb"%2f|%5c", re.IGNORECASE)

Handler = Callable[[Call], Awaitable[Reply]]
_SAFE: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_PRIVATE: Header = (b"cache-control", b"no-store")


def subscriptions_over(engine: Engine, config: ServerConfig) -> Subscriptions:
    """Make the service that wakes workers; starting and closing it is the caller's."""
    webhooks = HttpWebhooks(engine.clock, config.webhook_targets)
    root = None if config.public_url is None else config.public_url.rstrip("/") + STREAMS.decode()
    return Subscriptions(
        engine.store,
        engine.committer,
        engine.streams,
        webhooks,
        engine.clock,
        public_url=root,
        limits=config.subscriptions,
    )


def create_app(
    engine: Engine,
    *,
    config: ServerConfig | None = None,
    streams: ASGI | None = None,
    subscriptions: Subscriptions | None = None,
    identify: Identify | None = None,
) -> ASGI:
    """Build the ASGI application over an engine; mount it where you like. Inside an application use `signoff.embed`.

    Args:
        engine: opened; closing it is the caller's.
        config: keys, origins, limits, the page.
        streams: serves everything below `/v1/stream/`; the durable-stream endpoints over `engine` if None.
        subscriptions: started and closed by the caller; if None, started by the ASGI lifespan, which mounted
            applications do not get, and closed with the engine.
        identify: says who calls, in place of bearer tokens.

    Example:
        >>> uvicorn.run(create_app(await Engine.open(store)))
    """
    config = config or ServerConfig()
    callers = Callers(config, identify, engine.clock)

    def may(identity: Identity, path: str, method: str) -> float:
        check_stream(identity, method, path)
        return inf if identity.until is None else identity.until * 1000

    async def ask(scope: Scope, path: str, method: str) -> float:
        return may(await callers.identify(scope), path, method)

    def authorize(scope: Scope, path: str, method: str) -> float | Awaitable[float]:
        return may(callers.at_once(scope), path, method) if callers.by_token else ask(scope, path, method)

    async def operators(scope: Scope) -> None:
        (await callers.identify(scope)).require_operator()

    shared = subscriptions or subscriptions_over(engine, config)
    if subscriptions is None:
        engine.before_close(shared.close)
    control = ControlEndpoints(shared, operators)
    streams = streams or StreamEndpoints(
        engine.streams,
        authorize,
        limits=config.stream_limits,
        control=control,
        public_url=config.public_url,
        shared=identify is None,
        allow_headers=config.allow_headers,
    )
    return Shell(engine, config, callers, streams, None if subscriptions else shared)


async def health(call: Call) -> Reply:
    """Tell that the server is up, to everybody."""
    call.query({})
    return ok({"status": "ok", "version": call.version})


ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/v1/runs/{run_id}/inputs/{key}/answer": {"POST": inputs.answer},
    "/v1/runs": {"GET": runs.list_runs, "POST": runs.start},
    "/v1/runs/{run_id}": {"GET": runs.get},
    "/v1/runs/{run_id}/cancel": {"POST": runs.cancel},
    "/v1/runs/{run_id}/terminate": {"POST": runs.terminate},
    "/v1/runs/{run_id}/result": {"GET": runs.result},
    "/v1/runs/{run_id}/retry": {"POST": runs.retry},
    "/v1/runs/{run_id}/history": {"GET": runs.history},
    "/v1/runs/{run_id}/events/{topic}": {"POST": events.send},
    "/v1/runs/{run_id}/inputs/{key}": {"GET": inputs.get},
    "/v1/inputs": {"GET": inputs.list_inputs},
    "/v1/events/{topic}": {"POST": events.emit},
    "/v1/openapi.json": {"GET": document.describe},
    "/health": {"GET": health},
}


OPEN = frozenset({"/health", "/v1/openapi.json"})
"""Paths for which it does not matter who calls, nor whether that can be found out."""


class Shell:
    """The outermost ASGI application."""

    def __init__(
        self, engine: Engine, config: ServerConfig, callers: Callers, streams: ASGI, owned: Subscriptions | None
    ) -> None:
        self._owned = owned
        self._origins = Origins(config)
        self._streams = streams
        self._lane: Lane | None = getattr(streams, "lane", None) if callers.by_token else None
        routes: list[BaseRoute] = [
            Route(path, Endpoint(engine, config, None if path in OPEN else callers, methods))
            for path, methods in ROUTES.items()
        ]
        page = Page(config.page, config.page_policy) if config.page else _nowhere
        self._router = Router(routes, redirect_slashes=False, default=page)

    @property
    def lane(self) -> Lane:
        """Return what serves without a task, for connections that can (`express.py`)."""
        return self

    def plan(self, scope: Scope) -> Plan | None:
        """Plan what the streams can plan, if the request may go on at all."""
        if self._lane is None or not raw_below(scope).startswith(STREAMS):
            return None
        try:
            self._origins.check(scope)
        except SignoffError:
            return None
        return self._lane.plan(scope)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        outgoing = _Outgoing(send, self._origins.headers(scope))
        try:
            self._origins.check(scope)
            path = raw_below(scope)
            if not path.startswith(STREAMS):
                await self._api(path, scope, receive, outgoing)
                return
        except body.Disconnected:
            return
        except Exception as error:
            # The last line of defence: whatever it is, no traceback reaches a client.
            if outgoing.started:
                raise
            await problem(error).send(outgoing, head=scope["method"] == "HEAD")
            return
        # Durable streams bring their own headers and problems, CORS among them.
        await self._streams(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message: Any = await receive()
            stopping = message["type"] == "lifespan.shutdown"
            if self._owned is not None:
                if stopping:
                    await self._owned.close()
                else:
                    self._owned.start()
            await send({"type": f"{message['type']}.complete"})
            if stopping:
                return

    async def _api(self, path: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        preflight = self._origins.preflight(scope)
        if preflight is not None:
            await preflight.send(send)
            return
        _check_path(path)
        await self._router(scope, receive, send)


def _check_path(raw: bytes) -> None:
    # The router matches decoded paths; what is one segment to the sender must not become two.
    if b"%" in raw and _ENCODED_SLASH.search(raw):
        raise InvalidName("An address has no encoded slashes. Nothing was done.")


class _Outgoing:
    """Add to each response what every response has."""

    __slots__ = ("_cors", "_send", "started")

    def __init__(self, send: Send, cors: list[Header]) -> None:
        self._send = send
        self._cors = cors
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = [*message["headers"], *_SAFE, *self._cors]
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append(_PRIVATE)
            message["headers"] = headers
        await self._send(message)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Serve one path: choose the handler by method, then find out who calls.

    Attributes:
        callers: None: it does not matter who calls.
    """

    engine: Engine
    config: ServerConfig
    callers: Callers | None
    methods: Mapping[str, Handler]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        head = method == "HEAD"
        handler = self.methods.get("GET" if head else method)
        if handler is None:
            reply = self._other(method)
        else:
            identity = ANONYMOUS if self.callers is None else await self.callers.identify(scope)
            reply = await handler(Call(self.engine, self.config, identity, scope, receive))
        await reply.send(send, head=head)

    def _other(self, method: str) -> Reply:
        names = ["HEAD"] if "GET" in self.methods else []
        allow = ", ".join(sorted([*self.methods, *names, "OPTIONS"]))
        if method == "OPTIONS":
            return Reply(204, b"", ((b"allow", allow.encode("ascii")),))
        raise MethodNotAllowed(f"This address takes {allow}, not {method[:20]}. Nothing was done.", allow=allow)


async def _nowhere(scope: Scope, _receive: Receive, _send: Send) -> None:
    raise NotFound(f"There is nothing at {scope['path'][:140]!r}.")
