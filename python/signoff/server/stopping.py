"""How an application learns that the server it runs in is about to stop, which ASGI tells only after the last response.

A server's own process gets SIGINT or SIGTERM. A worker process of hypercorn gets neither: its parent does, and sets an
event that the worker's server looks at every tenth of a second. So do we.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Protocol, runtime_checkable

LOOK_S: Final = 0.1
"""Seconds between two looks at the event of a parent process."""

NOT_ASYNCIO: Final = (
    "Signoff runs on asyncio, and this server runs its applications on something else, such as trio. "
    "Use an asyncio server: uvicorn, or hypercorn with --worker-class asyncio or uvloop."
)


def check_loop() -> None:
    """Refuse to run on another loop than asyncio's.

    Raises:
        RuntimeError: there is none running here.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(NOT_ASYNCIO) from None


@contextmanager
def on_stop(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` in the loop when the process is told to stop, before whoever stops it does."""
    with _at_signals(act), _at_event(act):
        yield


@contextmanager
def _at_signals(act: Callable[[], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def before(handler: Callable[[int, FrameType | None], object]) -> Callable[[int, FrameType | None], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(act)
            handler(number, frame)

        return handle

    replaced = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        if callable(handler):  # else the process ends at once, or never
            replaced[number] = before(handler), handler
            signal.signal(number, replaced[number][0])
    try:
        yield
    finally:
        for number, (ours, theirs) in replaced.items():
            if signal.getsignal(number) is ours:
                signal.signal(number, theirs)


@runtime_checkable
class _StopEvent(Protocol):
    """What the parent of a worker sets when it is to stop."""

    def is_set(self) -> bool: ...


@contextmanager
def _at_event(act: Callable[[], None]) -> Iterator[None]:
    # The arguments of its process are all that a worker of hypercorn has of its parent.
    arguments = getattr(multiprocessing.current_process(), "_kwargs", None) or {}
    event = arguments.get("shutdown_event")
    if not isinstance(event, _StopEvent):
        yield
        return

    async def look() -> None:
        while not event.is_set():  # noqa: ASYNC110 - it is another process that sets it
            await asyncio.sleep(LOOK_S)
        act()

    task = asyncio.get_running_loop().create_task(look(), name="signoff-parent")
    try:
        yield
    finally:
        task.cancel()
