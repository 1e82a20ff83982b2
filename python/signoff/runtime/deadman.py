"""End a process in which one call into C keeps the interpreter to itself for too long.

Nothing of Python runs in such a process any more, and it harms others: if the store's writer was stopped within a
transaction, the file stays locked for every process. So the system is asked for a signal after some time of the
processor's, again and again before that is over. When nobody asks any more the signal comes, and its handlers are in C:
one tells where all threads are, the other ends the process. Being stopped (SIGSTOP, a machine asleep) uses no time.
"""

from __future__ import annotations

import ctypes
import faulthandler
import signal
import threading
from typing import Any

KEPT_S = 60.0
"""Seconds of the processor's time, of all threads together, without a turn for the one that puts the end off."""

SIGNAL: Any = getattr(signal, "SIGPROF", None)
"""The signal of the clock; its number is the exit code."""


def arm() -> bool:
    """Have the process end unless `put_off` is called in time; say whether that can be had: not where a profiler is."""
    if (
        SIGNAL is None
        or threading.current_thread() is not threading.main_thread()
        or signal.getsignal(SIGNAL) is not signal.SIG_DFL
    ):
        return False
    try:
        system = ctypes.CDLL(None)
        install, end = system.signal, ctypes.cast(system._exit, ctypes.c_void_p)
        install.argtypes, install.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
        install(SIGNAL, end)  # and not the system's own end: the first process of a container would ignore that
        faulthandler.register(SIGNAL, file=2, all_threads=True, chain=True)
    except (OSError, AttributeError, RuntimeError):
        return False
    put_off()
    return True


def put_off() -> None:
    """Begin the time anew, from any thread; a profiler that has come meanwhile keeps the clock."""
    if signal.getsignal(SIGNAL) is signal.SIG_DFL:
        signal.setitimer(signal.ITIMER_PROF, KEPT_S)


def disarm() -> None:
    """Let the process be."""
    if signal.getsignal(SIGNAL) is signal.SIG_DFL:
        signal.setitimer(signal.ITIMER_PROF, 0)
