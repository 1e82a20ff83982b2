"""The ASGI application: one callable around everything, a router under it, and no rules.

It refuses what must not go further (`access/origins.py`), turns errors into problem documents, and adds the headers
every answer has. Who calls is found out by the endpoints (`access/authenticator.py`). Paths are Starlette's to match;
what is behind them is plain ASGI.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.routing import Route, Router

from signoff.errors import InvalidName, SignoffError
from signoff.server.access.authenticator import Authenticator, Identify, stream_authorizer
from signoff.server.access.jwks import PublishedKeys
from signoff.server.access.origins import OriginPolicy
from signoff.server.access.rates import RateLimit
from signoff.server.access.tokens import TokenVerifier
from signoff.server.api.routes import link_route, routes
from signoff.server.config import ServerConfig
from signoff.server.fast.port import FastLane, Plan
from signoff.server.http import body
from signoff.server.http.address import raw_below
from signoff.server.http.problems import problem
from signoff.server.http.reply import ASGI, Header, Message, Receive, Scope, Send
from signoff.server.notify.people_messenger import PeopleMessenger
from signoff.server.notify.webhook import WebhookMessenger
from signoff.server.streams.endpoints import StreamEndpoints
from signoff.server.streams.live_connection import PATH as LIVE
from signoff.server.streams.live_connection import LiveConnections
from signoff.server.subscriptions.endpoints import ControlEndpoints
from signoff.server.subscriptions.webhook import HttpWebhooks
from signoff.server.web_page import CONSOLE, Pages, WebPage
from signoff.service.engine import Engine
from signoff.service.links import Links
from signoff.service.notify.functions import PREFIX, FunctionMessenger
from signoff.service.notify.notifier import Messenger, Notifier
from signoff.service.notify.target import TargetKind
from signoff.service.subscriptions.subscriptions import Subscriptions
from signoff.workflow.definition import App

STREAMS = b"/v1/stream/"

FAILURES = 10.0
FAILURES_AT_ONCE = 100
"""Tokens that are not valid, of one address: a second in the long run, and at once."""

_ENCODED_SLASH = re.compile(rb"%2f|%5c", re.IGNORECASE)

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


def notifier_over(engine: Engine, config: ServerConfig, app: App | None = None) -> Notifier:
    """Make the task that tells of requests; starting and closing it is the caller's.

    Args:
        app: the application whose functions this process calls; None: none.
    """
    listeners = {} if app is None else app.listeners
    webhooks = WebhookMessenger(HttpWebhooks(engine.clock, config.webhook_targets), engine.clock)
    messengers: dict[TargetKind, Messenger] = {"webhook": webhooks, "function": FunctionMessenger(listeners)}
    own: dict[str, TargetKind] = {f"{PREFIX}{name}": "function" for name in listeners}
    if config.notify:
        links = Links(engine.store, engine.committer, engine.clock, config.keyring)
        messengers["apprise"] = PeopleMessenger(config.notify, engine.inputs, links, config.public_url or "")
        own |= {one.id: "apprise" for one in config.notify}
    return Notifier(engine.store, engine.targets, engine.clock, messengers, own=own)


def function_notifier(engine: Engine, app: App) -> Notifier | None:
    """Make the task that tells the functions of an application, for a worker beside a server; None: it has none."""
    if not app.listeners:
        return None
    own: dict[str, TargetKind] = {f"{PREFIX}{name}": "function" for name in app.listeners}
    messengers: dict[TargetKind, Messenger] = {"function": FunctionMessenger(app.listeners)}
    return Notifier(engine.store, engine.targets, engine.clock, messengers, own=own)


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
    published = None if config.jwks_url is None else PublishedKeys(config.jwks_url, engine.clock)
    tokens = TokenVerifier(
        config.keyring,
        config.audience,
        engine.clock,
        issuer=config.issuer,
        published=published,
        revoked=engine.revocations.revoked,
    )
    authenticator = Authenticator(
        tokens,
        identify,
        calls=RateLimit(config.rate, config.burst, engine.clock),
        failures=RateLimit(FAILURES, FAILURES_AT_ONCE, engine.clock),
    )

    async def operators(scope: Scope) -> None:
        (await authenticator.identify(scope)).require_operator()

    shared = subscriptions or subscriptions_over(engine, config)
    if subscriptions is None:
        engine.before_close(shared.close)
    control = ControlEndpoints(shared, operators)
    if streams is None:
        streams = _streams(engine, config, authenticator, control, shared=identify is None)
        engine.revocations.on_revoked(streams.access_changed)
        if published is not None:
            published.on_change(streams.access_changed)
    return Application(engine, config, authenticator, streams, None if subscriptions else shared)


def _streams(
    engine: Engine, config: ServerConfig, authenticator: Authenticator, control: ControlEndpoints, *, shared: bool
) -> StreamEndpoints:
    return StreamEndpoints(
        engine.streams,
        stream_authorizer(authenticator, engine.runs.starter_of),
        limits=config.stream_limits,
        control=control,
        public_url=config.public_url,
        shared=shared,
        allow_headers=config.allow_headers,
    )


class Application:
    """The outermost ASGI application.

    Args:
        authenticator: says who calls.
        streams: serves everything below `/v1/stream/`.
        owned: started by the ASGI lifespan, and closed.
    """

    def __init__(
        self,
        engine: Engine,
        config: ServerConfig,
        authenticator: Authenticator,
        streams: ASGI,
        owned: Subscriptions | None,
    ) -> None:
        self._owned = owned
        self._origins = OriginPolicy(
            keyless=config.keyless,
            origins=config.origins,
            hosts=config.hosts,
            public_url=config.public_url,
            allow_headers=config.allow_headers,
        )
        self._streams = streams
        self._fast_streams: FastLane | None = getattr(streams, "lane", None) if authenticator.by_token else None
        page = WebPage(config.page, config.page_policy) if config.page else None
        pages = Pages(page, CONSOLE if config.console else None)
        connections = LiveConnections(streams, config.max_depth, lambda: engine.hub.closed)
        served = [
            *routes(engine, config, authenticator),
            link_route(engine, config, authenticator),
            *(Route(path, connections) for path in (LIVE, f"{LIVE}/{{connection}}")),
        ]
        self._router = Router(served, redirect_slashes=False, default=pages)

    @property
    def lane(self) -> FastLane | None:
        """Return what serves without a task, for connections that can (`fast/`)."""
        return None if self._fast_streams is None else self

    @property
    def prefix(self) -> bytes:
        """Return how the paths of all streams begin."""
        return STREAMS

    def plan(self, scope: Scope) -> Plan | None:
        """Plan what the streams can plan, if the request may go on at all."""
        if self._fast_streams is None or not raw_below(scope).startswith(STREAMS):
            return None
        try:
            self._origins.check(scope)
        except SignoffError:
            return None
        return self._fast_streams.plan(scope)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = _ApiResponse(send, scope, self._origins)
        try:
            self._origins.check(scope)
            path = raw_below(scope)
            if not path.startswith(STREAMS):
                await self._api(path, scope, receive, response)
                return
        except body.Disconnected:
            return
        except Exception as error:
            # The last line of defence: whatever it is, no traceback reaches a client.
            if response.started:
                raise
            await problem(error).send(response, head=scope["method"] == "HEAD")
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


class _ApiResponse:
    """The response to one request to the API or the page, with the headers that each of these has."""

    __slots__ = ("_origins", "_scope", "_send", "started")

    def __init__(self, send: Send, scope: Scope, origins: OriginPolicy) -> None:
        self._send = send
        self._scope = scope
        self._origins = origins
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = [*message["headers"], *_SAFE, *self._origins.headers(self._scope)]
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append(_PRIVATE)
            message["headers"] = headers
        await self._send(message)
