"""Run the parts of a process together: start, announce, stop on a signal, end cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import uvicorn
import uvloop

from signoff.cli import output
from signoff.cli.memory import giving_back
from signoff.cli.misuse import Misuse
from signoff.cli.signals import stopping
from signoff.runtime.worker import Worker
from signoff.server.app import create_app, notifier_over, subscriptions_over
from signoff.server.config import ServerConfig, check_binding
from signoff.server.http11.listener import Listener
from signoff.service.engine import Engine
from signoff.service.notify.notifier import Notifier

log = logging.getLogger("signoff")

_END_OF_THREADS_S = 0.5

SWITCH_S = 0.0005
"""How long a busy step thread may keep the interpreter while the store's writer waits for it (Python's default is ten
times as long; measured with one busy thread: 66 commits a second with the default, 447 with this)."""

COLLECT_AFTER = 10_000
"""So many new objects start a garbage collection (Python's default is 700; measured with 1,000 one-step runs at once: a
quarter of the processor's time went into collections)."""

_TELLTALES = ("apprise", "httpcore", "httpx", "requests", "urllib3")
"""Whose everyday messages have addresses in them, which may be all that a receiver of notifications asks for."""

GRACE_S = 3
"""Seconds that requests under way get when the process is asked to stop."""


class ProcessPart(Protocol):
    """What runs in this process until it is stopped."""

    async def run(self) -> None:
        """Run until stopped."""
        ...

    async def stop(self) -> None:
        """Ask for a clean end; return when it is under way."""
        ...


@dataclass(frozen=True, slots=True)
class WorkerPart:
    """A worker, as a part of this process, with the telling of its application's functions (`@app.on_request`)."""

    worker: Worker
    notifier: Notifier | None = None

    async def run(self) -> None:
        """Work until drained."""
        if self.notifier is not None:
            self.notifier.start()
        try:
            with self.worker.watchdog.taking_signals():
                await self.worker.run()
        finally:
            if self.notifier is not None:
                await self.notifier.close()

    async def stop(self) -> None:
        """Finish what is under way."""
        await self.worker.drain()


class HttpPart:
    """A server of HTTP on a bound socket, as a part of this process.

    Args:
        engine: opened.
        config: of the server.
        listening: the bound socket.
        access_log: log every request.
        ready: called once requests are accepted.
    """

    def __init__(
        self,
        engine: Engine,
        config: ServerConfig,
        listening: socket.socket,
        *,
        access_log: bool,
        ready: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._subscriptions = subscriptions_over(engine, config)
        self._notifier = notifier_over(engine, config)
        self._socket = listening
        self._listener = Listener(config.http)
        settings = uvicorn.Config(
            create_app(engine, config=config, subscriptions=self._subscriptions),
            loop="none",
            http=self._listener.protocol(),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=access_log,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = _Uvicorn(settings, ready)

    def leave(self) -> None:
        """Have `stop` send clients to others on this address: each connection gets time for one more request.

        Its response tells the client to connect anew. One that is closed while the client sends would fail a request.
        """
        self._listener.last_requests()
        self._server.leaving = True

    async def run(self) -> None:
        """Serve until stopped."""
        self._subscriptions.start()
        self._notifier.start()
        giving = asyncio.create_task(giving_back())
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            giving.cancel()
            await self._notifier.close()
            await self._subscriptions.close()

    async def stop(self) -> None:
        """Take no new connections, end live readers, let requests finish."""
        self._server.should_exit = True
        await self._engine.hub.close()


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self.leaving = False

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals end the whole process, worker included, so they are not uvicorn's to take.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.leaving:
            for server in self.servers:
                server.close()
            give_up = time.monotonic() + GRACE_S
            while self.server_state.connections and time.monotonic() < give_up:  # noqa: ASYNC110 - uvicorn's own set
                await asyncio.sleep(0.05)
        await super().shutdown(sockets)


def listen(host: str, port: int, config: ServerConfig) -> socket.socket:
    """Bind before anything else starts, so that a taken port costs nothing.

    Raises:
        Forbidden: the host is not loopback and there is no key.
        Misuse: the address cannot be used.
    """
    check_binding(host, config)
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Misuse(f"Cannot listen on {host} port {port}: {reason}. Choose another with --port.") from error
    return listening


def address(listening: socket.socket) -> str:
    """Return the address under which a bound socket can be called."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def announce(listening: socket.socket) -> None:
    """Print the line that people and programs wait for."""
    output.line(f"Signoff is listening on {address(listening)}")
    sys.stdout.flush()


async def until_stopped(*parts: ProcessPart) -> None:
    """Run all parts until a signal comes or one of them ends; then stop the others.

    The first SIGINT or SIGTERM asks for a clean end, which is there after `END_S` at the latest. A second one ends the
    process at once, which loses nothing that was committed.
    """
    stop = asyncio.Event()
    with stopping(stop.set):
        running = [asyncio.create_task(part.run()) for part in parts]
        asked = asyncio.create_task(stop.wait())
        await asyncio.wait([*running, asked], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        stopping_ = [part.stop() for part, task in zip(parts, running, strict=True) if not task.done()]
        results = await asyncio.gather(*stopping_, *running, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _allow_files() -> None:
    """Raise the limit of open files as far as we may: each connection is one."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on Windows

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def tune() -> None:
    """Set the interpreter up for a process that runs many small things: see `SWITCH_S` and `COLLECT_AFTER`."""
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()  # what is there now, modules above all, stays; to look at it again and again is a waste
    gc.set_threshold(COLLECT_AFTER, 10, 10)


def log_to_stderr() -> None:
    """Have warnings and errors logged, with SIGNOFF_DEBUG=1 everything."""
    logging.basicConfig(
        level=logging.DEBUG if os.environ.get("SIGNOFF_DEBUG") == "1" else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for name in _TELLTALES:
        logging.getLogger(name).setLevel(logging.WARNING)


def run_to_end(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop, with warnings and errors logged to stderr."""
    _allow_files()
    log_to_stderr()
    logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    tune()
    runner = asyncio.Runner(loop_factory=_Loop)
    threads = ThreadPoolExecutor(thread_name_prefix="signoff-default")
    runner.get_loop().set_default_executor(threads)
    try:
        runner.run(main)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        if not _hang():
            runner.close()
    if _hang():
        _leave()


class _Loop(uvloop.Loop):
    """The event loop of uvloop, which no KeyboardInterrupt or SystemExit of a task can end: signals end us."""

    def run_forever(self) -> None:
        """Run until stopped."""
        while True:
            try:
                super().run_forever()
            except (KeyboardInterrupt, SystemExit):
                log.exception("a task that a step has started wanted to end the process; it goes on")
            else:
                return


def _hang() -> bool:
    """Tell whether threads that Python waits for at its end do not end, though nobody needs them any more."""
    give_up = time.monotonic() + _END_OF_THREADS_S
    others = [one for one in threading.enumerate() if not one.daemon and one is not threading.main_thread()]
    for thread in others:
        thread.join(max(give_up - time.monotonic(), 0))
    return any(thread.is_alive() for thread in others)


def _leave() -> None:
    """End the process without waiting for its threads. Everything is written and closed."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
