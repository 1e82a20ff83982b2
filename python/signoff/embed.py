"""Signoff inside an application you have: something to mount, and a lifespan that runs what it needs.

This puts the parts together for hosts, as `cli/` does for the command. What is mounted gets no lifespan of its own from
Starlette or FastAPI, so the host's is where store, worker and subscriptions begin and end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.routing import Router

from signoff.errors import ServerBusy
from signoff.runtime.observe import Observer
from signoff.runtime.worker import ACTIVATION_S, Worker
from signoff.server.access.authenticator import Identify
from signoff.server.app import create_app, notifier_over, subscriptions_over
from signoff.server.config import ServerConfig
from signoff.server.http.problems import problem
from signoff.server.http.reply import ASGI, Receive, Scope, Send
from signoff.server.stopping import check_loop, on_stop
from signoff.service.engine import Engine
from signoff.service.output_lengths import MOST_BYTES
from signoff.stores.base import WorkflowStore
from signoff.stores.open import open_store
from signoff.workflow.definition import App
from signoff.workflow.durations import Duration, duration_ms

log = logging.getLogger(__name__)


class Signoff:
    """Signoff inside another ASGI application.

    Make it where the application is made, give the application its `lifespan`, and mount it at `/` (after your own
    routes) or below a prefix. Served by itself, as `uvicorn module:signoff`, it needs neither.

    Args:
        store: a URL, see `signoff.stores.open`, or a store that is not open yet.
        app: the workflows to run in this process; None: none, workers run elsewhere or only streams are wanted.
        config: key, origins, limits, page. Without a key it serves this machine alone.
        identify: says who calls, in place of bearer tokens, at once or when awaited; raises `Unauthorized`.
        end_at_signals: end live reads as soon as the process gets SIGINT or SIGTERM, before whoever handles the signal
            does, or as soon as the parent of a worker of hypercorn did. A server that shuts down waits for its
            responses, and a live one has no end of its own for a minute.
        activation_s: seconds that workflow code may go on without waiting for anything; 0: for ever, for debuggers.
        observers: are told what the worker does, see `signoff.Observer`.
        retention: how long runs are kept after they have ended, e.g. `"30d"`; None: until somebody deletes them.
        output_bytes: how long an output of a run may become.

    Example:
        >>> signoff = Signoff("sqlite:///signoff.db", app, config=ServerConfig(secret=secret))
        >>> host = FastAPI(lifespan=signoff.lifespan)
        >>> host.mount("/signoff", signoff)
    """

    def __init__(
        self,
        store: str | WorkflowStore,
        app: App | None = None,
        *,
        config: ServerConfig | None = None,
        identify: Identify | None = None,
        end_at_signals: bool = True,
        activation_s: float = ACTIVATION_S,
        observers: Iterable[Observer] = (),
        retention: Duration | None = None,
        output_bytes: int = MOST_BYTES,
    ) -> None:
        self._store = store
        self._app = app
        self._config = config or ServerConfig()
        self._identify = identify
        self._end_at_signals = end_at_signals
        self._activation_s = activation_s
        self._observers = tuple(observers)
        self._retention_ms = None if retention is None else duration_ms(retention)
        self._output_bytes = output_bytes
        self._engine: Engine | None = None
        self._asgi: ASGI = _not_running
        self._ending: asyncio.Task[None] | None = None

    @property
    def engine(self) -> Engine:
        """Return the services, for the host's own code: `signoff.engine.runs.start(…)`.

        Raises:
            RuntimeError: outside of the lifespan.
        """
        if self._engine is None:
            raise RuntimeError(_WHY_NOT)
        return self._engine

    @asynccontextmanager
    async def lifespan(self, host: object = None) -> AsyncIterator[None]:  # noqa: ARG002 - the way Starlette calls it
        """Run for the time of the block: `lifespan=signoff.lifespan`, or `async with signoff.lifespan():` within yours.

        At the end live reads are ended, the worker finishes the attempts under way and gives up its leases, deliveries
        of subscriptions get a little time, and the store is closed.

        Args:
            host: whose lifespan it is; not looked at.

        Raises:
            StoreUnavailable, SchemaTooNew: the store cannot be opened.
            RuntimeError: it is running already, or the server does not run on asyncio.
        """
        check_loop()
        if self._engine is not None:
            raise RuntimeError("This Signoff is running already; an application has one lifespan.")
        async with AsyncExitStack() as ends:
            store = open_store(self._store) if isinstance(self._store, str) else self._store
            engine = await Engine.open(
                store, app=self._app, retention_ms=self._retention_ms, output_bytes=self._output_bytes
            )
            ends.push_async_callback(engine.close)
            subscriptions = subscriptions_over(engine, self._config)
            ends.push_async_callback(subscriptions.close)
            subscriptions.start()
            notifier = notifier_over(engine, self._config, self._app)
            ends.push_async_callback(notifier.close)
            notifier.start()
            if self._app is not None:
                worker = Worker(self._app, engine, activation_s=self._activation_s, observers=self._observers)
                await ends.enter_async_context(_working(worker))
            ends.push_async_callback(engine.hub.close)
            if self._end_at_signals:
                ends.enter_context(on_stop(self._end_soon))
            self._asgi = create_app(engine, config=self._config, subscriptions=subscriptions, identify=self._identify)
            self._engine = engine
            ends.callback(self._forget)
            yield

    async def end_live_reads(self) -> None:
        """End every live read, so that clients connect anew, to whoever serves then; later ones end at once.

        For a host that is told to stop otherwise than by SIGINT or SIGTERM; call it before its server waits for
        responses under way.
        """
        await self.engine.hub.close()

    def _end_soon(self) -> None:
        if self._engine is not None and self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self.end_live_reads(), name="signoff-end-live-reads")

    def _forget(self) -> None:
        self._engine, self._asgi, self._ending = None, _not_running, None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await Router(lifespan=self.lifespan).lifespan(scope, receive, send)
        else:
            await self._asgi(scope, receive, send)


_WHY_NOT = (
    "Signoff is not running in this application: it runs from the start to the end of the application's lifespan. "
    "Give the application `lifespan=signoff.lifespan`."
)


async def _not_running(scope: Scope, _receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1000})
        return
    log.error(_WHY_NOT)
    busy = ServerBusy("Signoff is not running in this application, or no longer. Nothing was done; try again later.")
    await problem(busy).send(send, head=scope["method"] == "HEAD")


@asynccontextmanager
async def _working(worker: Worker) -> AsyncIterator[None]:
    """Run a worker for the time of the block."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("the worker has ended; runs wait until another takes over", exc_info=task.exception())

    task = asyncio.get_running_loop().create_task(worker.run(), name="signoff-worker")
    task.add_done_callback(ended)
    try:
        yield
    finally:
        if not task.done():
            await worker.drain()
        await asyncio.gather(task, return_exceptions=True)
