"""Calls that cannot be stopped, each in a thread of its own, so that one that hangs keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

MOST_HANGING: Final = 64
"""Threads of one `CallThreads` at a time; with so many nothing more is begun."""


class CallThreads:
    """Threads for calls whose callers stop waiting after a while; the process ends without them.

    While a call of a name hangs, none is begun beside it. If it succeeds after its caller has left, the next call for
    the same is not made again.

    Args:
        name: of the threads, for whoever looks at the process.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._hanging: set[str] = set()
        self._late: dict[str, str] = {}

    async def call(self, name: str, id_: str, fn: Callable[[], str | None]) -> str | None:
        """Call a function, and return what it returns; what it raises is raised.

        Args:
            name: of what there is one call at a time.
            id_: of what the call does; once it is done it is not done again.
            fn: returns why it has failed, or None.
        """
        if name in self._hanging:
            return "an earlier call for this request has not returned yet"
        if self._late.pop(name, None) == id_:
            return None
        if len(self._hanging) >= MOST_HANGING:
            return f"{MOST_HANGING} calls have not returned yet"
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[str | None] = loop.create_future()

        def settle(why: str | None, error: Exception | None) -> None:
            self._hanging.discard(name)
            if not ended.done():
                if error is None:
                    ended.set_result(why)
                else:
                    ended.set_exception(error)
            elif error is None and why is None:
                self._late[name] = id_
                if len(self._late) > MOST_HANGING:
                    del self._late[next(iter(self._late))]

        def run() -> None:
            why: str | None = None
            failure: Exception | None = None
            try:
                why = fn()
            except Exception as error:  # whoever waits gets it
                failure = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, why, failure)

        self._hanging.add(name)
        threading.Thread(target=run, name=self._name, daemon=True).start()
        return await ended
