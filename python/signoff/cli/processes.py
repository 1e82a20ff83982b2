"""`signoff server --workers N`: several server processes on one address, kept going by the one that was started.

That one binds the address, and does nothing else but look after the others. All accept from the one socket, which stays
open as long as it lives: who connects while a process ends or begins waits in the socket's queue for the next that
accepts. (Sockets of their own, by SO_REUSEPORT, have queues of their own, and who waits in that of a process that ends
is refused.)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from signoff.cli.parent_line import END, LEAVE, VARIABLE, ParentLine
from signoff.cli.signals import END_S

log = logging.getLogger("signoff")

PAUSE_S: Final = 0.25
"""Seconds before a process that has died is started again; twice as long each time, up to `MOST_PAUSE_S`."""

MOST_PAUSE_S: Final = 30.0

STEADY_S: Final = 30.0
"""A process that has lived so long (seconds) begins with the shortest pause again."""

BACKLOG: Final = 2048
"""How many connections wait at most for a process that accepts them; the system may have a lower limit."""

START_S: Final = 120.0
"""Seconds a new process gets until it serves: it may have to migrate a large file first."""

_LAST_WORDS_S: Final = 1.0

_ASKED: Final = (-signal.SIGINT, -signal.SIGTERM)
"""How a process ends that was sent the signal we got, too, before it could take it."""


class ServerProcess:
    """One process that serves, and the line to it.

    Attributes:
        number: its place, from 1 on.
        began: when, by the monotonic clock.
    """

    def __init__(self, number: int, process: asyncio.subprocess.Process, line: socket.socket) -> None:
        self.number = number
        self.began = time.monotonic()
        self._process = process
        self._line = line
        self._serves = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(line, 1))
        self._ended = asyncio.ensure_future(self._wait())

    @classmethod
    async def start(cls, number: int, command: Sequence[str], listening: socket.socket) -> ServerProcess:
        """Start a process that inherits the bound socket."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *command,
                env={**os.environ, VARIABLE: ParentLine.variable(listening, theirs, number)},
                pass_fds=(listening.fileno(), theirs.fileno()),
            )
        return cls(number, process, ours)

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Tell whether the process has ended."""
        return self._ended.done()

    async def serves(self) -> bool:
        """Wait until it serves; False: it has ended before, or took too long and was ended."""
        said = self._serves
        await asyncio.wait((said,), timeout=START_S)
        if said.done() and not said.cancelled() and said.exception() is None and said.result():
            return True
        self.kill()
        await self.ended()
        return False

    async def ended(self) -> int:
        """Wait for its end; return its exit code, negative for a signal."""
        return await asyncio.shield(self._ended)

    async def end(self, how: bytes = END) -> int:
        """Have it end, and see that it does in time; return its exit code."""
        with contextlib.suppress(OSError):
            self._line.send(how)
        try:
            return await asyncio.wait_for(self.ended(), END_S)
        except TimeoutError:
            log.warning("server process %d (%d) did not end in %d s; it is killed", self.number, self.pid, END_S)
            self.kill()
            return await self.ended()

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _wait(self) -> int:
        code = await self._process.wait()
        await asyncio.wait((self._serves,), timeout=_LAST_WORDS_S)
        self._serves.cancel()
        self._line.close()
        return code


class ServerPlace:
    """One of the places of server processes: who dies is followed by another, and who is replaced hands it over first.

    Args:
        number: from 1 on.
        start: starts a process for a place.
    """

    def __init__(self, number: int, start: Callable[[int], Awaitable[ServerProcess]]) -> None:
        self._number = number
        self._start = start
        self._one_at_a_time = asyncio.Lock()
        self._now: ServerProcess
        self._living: list[ServerProcess] = []

    async def fill(self) -> bool:
        """Start the first process; return whether it serves."""
        self._now = await self._begin()
        return await self._now.serves()

    async def keep(self) -> None:
        """Start another process whenever one dies, after a pause that grows with each that does not last."""
        pause = PAUSE_S
        while True:
            watched = self._now
            code = await watched.ended()
            async with self._one_at_a_time:
                if watched is not self._now:  # it was replaced
                    continue
                if time.monotonic() - watched.began > STEADY_S:
                    pause = PAUSE_S
                log.error(
                    "server process %d (%d) has ended by itself (%s); another one starts in %g s",
                    self._number, watched.pid, _told(code), pause,
                )  # fmt: skip
                await asyncio.sleep(pause)
                pause = min(2 * pause, MOST_PAUSE_S)
                self._now = await self._begin()

    async def renew(self) -> bool:
        """Replace the process by a new one, which serves before the old one ends; False: the new one does not serve."""
        async with self._one_at_a_time:
            fresh = await self._begin()
            if not await fresh.serves():
                log.error("server process %d: the new one does not serve; the old one goes on", self._number)
                return False
            old, self._now = self._now, fresh
        await old.end(LEAVE)
        return True

    async def end(self) -> list[int]:
        """End what lives here; return the exit codes."""
        return list(await asyncio.gather(*(process.end() for process in self._living if not process.has_ended)))

    def kill(self) -> None:
        """End what lives here at once."""
        for process in self._living:
            process.kill()

    async def _begin(self) -> ServerProcess:
        process = await self._start(self._number)
        self._living = [one for one in self._living if not one.has_ended]
        self._living.append(process)
        return process


class Supervisor:
    """The keeper of so many server processes.

    Args:
        count: how many.
        listening: the bound socket.
        command: starts one; it finds its socket by `ParentLine.inherited`.
        ready: called once all of them serve.
    """

    def __init__(self, count: int, listening: socket.socket, command: Sequence[str], ready: Callable[[], None]) -> None:
        self._listening = listening
        self._command = command
        self._ready = ready
        self._places = [ServerPlace(number, self._start) for number in range(1, count + 1)]
        self._stop = asyncio.Event()
        self._renew = asyncio.Event()

    async def run(self) -> int:
        """Keep the processes running until SIGINT or SIGTERM; return the exit code.

        The first of these ends all of them cleanly, a second one at once. SIGHUP replaces one after the other.
        """
        self._listening.listen(BACKLOG)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._asked, number)
        loop.add_signal_handler(signal.SIGHUP, self._renew.set)
        filled = asyncio.ensure_future(self._fill())
        stopped = asyncio.ensure_future(self._stop.wait())
        tasks: list[asyncio.Future[Any]] = [filled]
        try:
            await asyncio.wait((filled, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not self._stop.is_set():
                if not filled.result():  # and which of them has said why
                    await self._end()
                    return 1
                self._ready()
                tasks += [
                    asyncio.ensure_future(one) for one in (*(place.keep() for place in self._places), self._replace())
                ]
            await stopped
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return await self._end()
        finally:
            for place in self._places:
                place.kill()

    async def _start(self, number: int) -> ServerProcess:
        return await ServerProcess.start(number, self._command, self._listening)

    async def _fill(self) -> bool:
        # The first one alone: it may have to migrate the store, or cannot open it, and once is enough for either.
        first, *others = self._places
        return await first.fill() and all(await asyncio.gather(*(place.fill() for place in others)))

    async def _replace(self) -> None:
        while True:
            await self._renew.wait()
            self._renew.clear()
            for place in self._places:
                if not await place.renew():
                    log.error("the other server processes stay as they are; SIGHUP tries again")
                    break

    async def _end(self) -> int:
        codes = await asyncio.gather(*(place.end() for place in self._places))
        return 0 if all(code == 0 or code in _ASKED for some in codes for code in some) else 1

    def _asked(self, number: int) -> None:
        if not self._stop.is_set():
            self._stop.set()
            return
        for place in self._places:
            place.kill()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        os._exit(128 + number)  # the first process of a container, which that does not end


def _told(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
