"""Take SIGINT and SIGTERM: the first asks for a clean end, the second ends the process, whatever code is running.

An event loop's own handlers run when the loop does, and users' code may keep it from that. So these are handlers of
Python's, which run between any two steps of any code, and in many calls into C; the end that was asked for has a time
limit kept by a thread in C; and what is left of the handlers after the first signal is the system's own: the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

END_S = 15
"""Seconds after the first signal in which the process has ended: 10 for attempts under way, and some for the rest."""

_BOTH = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopping(ask: Callable[[], None]) -> Iterator[None]:
    """Call `ask` in the running loop at the first signal; see that the process ends in `END_S`, or at the second."""
    loop = asyncio.get_running_loop()
    first = os.getpid() == 1  # asked now: the handler may run within workflow code, which must not ask
    before = {number: signal.getsignal(number) for number in _BOTH}

    def asked(_: int, __: FrameType | None) -> None:
        for number in _BOTH:
            signal.signal(number, _end_at_once if first else signal.SIG_DFL)
        with contextlib.suppress(AttributeError, ValueError, io.UnsupportedOperation):  # a stderr that is no file
            faulthandler.dump_traceback_later(END_S, exit=True)
        with contextlib.suppress(RuntimeError):  # the loop has just ended
            loop.call_soon_threadsafe(ask)

    for number in _BOTH:
        signal.signal(number, asked)
        _once(number)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is asked:
                signal.signal(number, handler)


def _end_at_once(number: int, _: FrameType | None) -> None:
    """End a process that the system's own handler would not: the first of a container."""
    os._exit(128 + number)


def _once(number: int) -> None:
    """Have the system take the handler away at the first signal, if it can.

    Code in C that keeps the interpreter to itself keeps Python from handling that signal; the second ends it too.
    """
    if os.getpid() == 1 or sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        install = ctypes.CDLL(None).sysv_signal
        install.argtypes, install.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
        install(number, install(number, None))
