"""Names of webhooks' hosts, looked up by threads of their own: a name server that does not answer holds nobody else up.

The system's resolver blocks, for as long as it likes, and cannot be interrupted. So each lookup has a thread, of which
there are few; callers wait as long as they want to, and a lookup that nobody waits for any more keeps its thread until
the system returns. The same name is looked up once at a time, so a name that hangs takes one thread however often it is
asked for. The threads are daemons: a process that ends waits for none of them.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from signoff.streams.subscriptions.target import Address, literal

LOOKUPS: Final = 16
"""Lookups under way at a time."""

NameLookup = Callable[[str, int], Sequence[str]]
"""Return the addresses of a name, as text; blocks; raises OSError if there are none."""


def look_up(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a name, in the order to try them.

    Raises:
        OSError: it has none, or is none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host[:80]!r} is no name that can be looked up") from error
    return [str(sockaddr[0]) for _, _, _, _, sockaddr in found]


class SystemResolver:
    """A resolver of names, by the system.

    Args:
        look_up: asks the system unless given.
        most: lookups under way at a time; further callers wait.

    Example:
        >>> await SystemResolver()("localhost", 443)
        [IPv6Address('::1'), IPv4Address('127.0.0.1')]
    """

    def __init__(self, look_up: NameLookup = look_up, most: int = LOOKUPS) -> None:
        self._look_up = look_up
        self._threads = asyncio.Semaphore(most)
        self._under_way: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a name; stop waiting whenever you like.

        Raises:
            OSError: it has none.
        """
        name = (host, port)
        while (answer := self._under_way.get(name)) is None:
            await self._threads.acquire()
            if name in self._under_way:
                self._threads.release()
            else:
                self._begin(name)
        given = (literal(one) for one in await asyncio.shield(answer))
        return list(dict.fromkeys(address for address in given if address is not None))

    def _begin(self, name: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[str]] = loop.create_future()
        answer.add_done_callback(_seen)

        def ended(settle: Callable[[Any], None], result: Any) -> None:
            self._threads.release()
            del self._under_way[name]
            settle(result)

        def run() -> None:
            try:
                outcome: tuple[Callable[[Any], None], Any] = answer.set_result, self._look_up(*name)
            except Exception as error:  # whoever asked gets it
                outcome = answer.set_exception, error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(ended, *outcome)

        try:
            threading.Thread(target=run, name="signoff-names", daemon=True).start()
        except RuntimeError as error:
            self._threads.release()
            raise OSError("the system has no thread for looking a name up") from error
        self._under_way[name] = answer


def _seen(answer: asyncio.Future[Sequence[str]]) -> None:
    """Retrieve an error that nobody waits for any more, so that it is not reported as forgotten."""
    if not answer.cancelled():
        answer.exception()
