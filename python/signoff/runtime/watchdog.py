"""Watch the worker's event loop from a thread: stop workflow code that goes on too long, and tell what blocks it.

Workflow code runs in the loop's thread, so code that spins would stop every run of the worker. Each piece of it (an
*activation*: the code until it is idle, after one entry it was fed) has a budget. When that is used up an exception is
raised in the middle of the code, again and again, since the code may swallow it; its run is blocked, and the worker
goes on. This is sure in the main thread. Elsewhere a loop that does nothing but swallow is frozen (below).

What Python cannot interrupt, a call into C that returns late or never, is seen from here all the same (`frozen`),
unless it keeps the interpreter to itself. In the main thread a signal can end many of those too (`taking_signals`), and
the process ends if none can (`deadman`).
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import signal
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import signoff
from signoff.errors import WorkflowStuck
from signoff.runtime import deadman
from signoff.workflow import guard
from signoff.workflow.machine import Machine

T = TypeVar("T")

log = logging.getLogger("signoff.runtime")

AGAIN_S = 0.05
"""Seconds between two interruptions of the same code."""

SWALLOWED = 4
"""So many interruptions may be swallowed, before there are many in a row."""

LAYERS = 24
"""How many there are in a row (Python keeps 32 calls for its main thread at most)."""

FROZEN_S = 3.0
"""Seconds of interruptions without effect, after which the code counts as one that cannot be interrupted."""

PATIENCE = 3
"""So many budgets are given to code that hardly gets the processor: step threads may keep it."""

IMPORTING = 10
"""So many budgets are given to code that imports a module."""

SIGNAL = getattr(signal, "SIGVTALRM", None)
"""The signal of the clock that runs while this process uses the processor."""

SIGNAL_S = 0.5
"""Seconds of the processor's time between two looks of the signal's handler."""

BLOCKED_S = 1.0
"""Seconds for which the loop may stand still before that is worth a warning."""


class Interrupted(BaseException):
    """The way out of workflow code that has used up its time. Not an Exception, so that most handlers let it pass."""


@dataclass(slots=True, eq=False)
class Activation:
    """Workflow code that is running now.

    Attributes:
        leaving: it has ended; no interruption is wanted any more.
        interrupted: how often it was interrupted.
        place: where it was when it was interrupted first.
    """

    run_id: str
    machine: Machine
    leaving: bool = False
    interrupted: int = 0
    place: str = ""


class PendingInterruption:
    """A call that Python makes in its main thread between two steps of the code there, and that interrupts them."""

    def __init__(self, activation: Activation) -> None:
        self._activation: Activation | None = activation

    def __bool__(self) -> bool:
        """Interrupt; the one function of C at hand that calls back and may fail asks for the truth of an object."""
        if self._activation is not None and not self._activation.leaving:
            raise Interrupted
        self._activation = None
        return False


class Watchdog:
    """A watch over one event loop.

    Args:
        budget_s: seconds that one activation may take; 0: any time.

    Attributes:
        frozen: the run whose code stands still and cannot be interrupted; None: there is none.
    """

    def __init__(self, budget_s: float) -> None:
        self.frozen: str | None = None
        self._budget = budget_s
        self._pause = min(max(budget_s / 8, 0.01), 0.25) if budget_s else 0.25
        self._current: Activation | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._ident = 0
        self._hooks: Any = None
        self._collects = True
        self._in_main_thread = False
        self._seen: tuple[Activation | None, int] = (None, 0)
        self._elapsed = self._cpu = 0.0
        self._signals = self._armed = False
        self._signalled: tuple[Activation | None, int] = (None, 0)
        self._signalled_at = 0.0
        self._answered, self._silent, self._warned = True, 0.0, False

    def start(self) -> None:
        """Begin to watch the loop this is called in."""
        self._loop = asyncio.get_running_loop()
        self._ident = threading.get_ident()
        self._in_main_thread = threading.current_thread() is threading.main_thread()
        self._hooks = sys.get_asyncgen_hooks()
        self._collects = gc.isenabled()
        threading.Thread(target=self._main, name="signoff-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()

    # -- in the loop's thread --------------------------------------------------------------------------------------

    def run(self, run_id: str, machine: Machine, work: Callable[[], T]) -> T:
        """Run workflow code.

        Raises:
            WorkflowStuck: the code was stopped because its time was over; the machine is of no use any more.
        """
        if not self._budget or self._current is not None:
            return work()
        activation = Activation(run_id, machine)
        result: Any = None
        failure: BaseException | None = None
        self._current = activation
        # Python raises what was set from another thread at calls, returns and backward jumps alone, and only there does
        # it let other threads run: the first thing a handler says cannot be interrupted.
        try:
            try:
                result = work()
                activation.leaving = True
            except Interrupted:
                activation.leaving = True
            except BaseException as error:
                activation.leaving = True
                failure = error
        except Interrupted:
            activation.leaving = True
        self._leave(activation)
        if activation.interrupted:
            self._restore()
            raise self._stuck(activation)
        if failure is not None:
            raise failure
        return result  # type: ignore[no-any-return]

    def close(self, run_id: str, machine: Machine) -> None:
        """Drop a machine: the cleanup of the code it leaves is code as well."""
        try:
            self.run(run_id, machine, machine.close)
        except WorkflowStuck as error:
            log.warning("run %s was put away, and its code resisted: %s", run_id, error)
            keep_for_ever(machine)

    def _leave(self, activation: Activation) -> None:
        while True:
            try:
                with self._lock:
                    self._current = None
            except Interrupted:
                continue
            break
        if activation.interrupted:
            _have_raised(self._ident)

    def _restore(self) -> None:
        """Set right what the code's own way out would have, had it not been interrupted."""
        guard.leave()
        if self._collects:
            gc.enable()
        asyncio._set_running_loop(self._loop)
        sys.set_asyncgen_hooks(*self._hooks)

    def _stuck(self, activation: Activation) -> WorkflowStuck:
        also = activation.machine.disagreement
        return WorkflowStuck(
            f"The workflow's code went on for more than {self._budget:g} s without waiting for anything, at "
            f"{activation.place}, and was stopped there; nothing is lost. Deploy code that does not, or let this try "
            f"again with: signoff retry {activation.run_id}." + (f" Besides: {also}" if also else "")
        )

    @contextmanager
    def taking_signals(self) -> Iterator[None]:
        """Interrupt by signals too, for the time of the block: for a process of our own, in its main thread.

        A signal reaches what an exception set from another thread does not: long calls into C that look for signals,
        such as a regular expression that backtracks or the power of a large number. What keeps the interpreter to
        itself for too long ends the process.
        """
        if SIGNAL is None or not self._budget or signal.getsignal(SIGNAL) is not signal.SIG_DFL:
            yield
            return
        signal.signal(SIGNAL, self._at_signal)
        self._signals = True
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, SIGNAL_S, SIGNAL_S)
            self._armed = deadman.arm()
            yield
        finally:
            if self._armed:
                self._armed = False
                deadman.disarm()
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            self._signals = False  # and the handler stays: a signal may be on its way

    def _at_signal(self, _: int, frame: FrameType | None) -> None:
        activation = self._current
        if activation is None or activation.leaving:
            return
        seen, now = (activation, activation.machine.fed), time.thread_time()
        if seen != self._signalled:
            self._signalled, self._signalled_at = seen, now
        elif now - self._signalled_at >= self._budget or activation.interrupted:
            self._note(activation, frame)
            raise Interrupted

    # -- in the watchdog's thread ----------------------------------------------------------------------------------

    def _main(self) -> None:
        pause = self._pause
        while not self._stop.wait(pause):
            if self._armed:
                deadman.put_off()
            try:
                pause = self._look(pause)
            except Exception:
                log.exception("the watchdog failed to look; it goes on")

    def _look(self, pause: float) -> float:
        """Look what is running; return in how many seconds to look again."""
        activation = self._current
        if activation is None:
            self._seen, self.frozen = (None, 0), None
            self._listen(pause)
            return self._pause
        seen = (activation, activation.machine.fed)
        if seen != self._seen:
            self._seen, self._elapsed, self._cpu, self.frozen = seen, 0.0, _cpu_s(self._ident), None
            return self._pause
        self._elapsed += pause  # and not by a clock: this process may have been stopped meanwhile
        frame = sys._current_frames().get(self._ident)
        if self._elapsed < self._limit(frame):
            return self._pause
        self._interrupt(activation, frame)
        if activation.interrupted * AGAIN_S >= FROZEN_S and self.frozen is None:
            self.frozen = activation.run_id
            log.error(
                "run %s: its code cannot be interrupted, at %s; until it returns this worker can do nothing, so it "
                "gives its other runs to others",
                activation.run_id,
                activation.place,
            )
        return AGAIN_S

    def _limit(self, frame: FrameType | None) -> float:
        if frame is not None and _imports(frame):
            return self._budget * IMPORTING
        hardly_ran = _cpu_s(self._ident) - self._cpu < self._budget / 2
        return self._budget * PATIENCE if hardly_ran else self._budget

    def _interrupt(self, activation: Activation, frame: FrameType | None) -> None:
        with self._lock:
            if self._current is not activation or activation.leaving:
                return
            self._note(activation, frame)
            _raise_in(self._ident, Interrupted)
            if activation.interrupted > SWALLOWED and self._in_main_thread:
                self._insist(activation)
        if self._signals and SIGNAL is not None:
            signal.pthread_kill(self._ident, SIGNAL)  # what waits in a system call returns

    def _insist(self, activation: Activation) -> None:
        """Interrupt many times in a row, each as soon as the one before is caught: in the `except` that caught it."""
        pending = PendingInterruption(activation)
        keep_for_ever(pending)  # some may be called when all is over
        for _ in range(LAYERS):
            ctypes.pythonapi.Py_AddPendingCall(ctypes.pythonapi.PyObject_IsTrue, ctypes.py_object(pending))

    def _note(self, activation: Activation, frame: FrameType | None) -> None:
        if not activation.interrupted:
            activation.place = place_of(frame)
        activation.interrupted += 1

    # -- what blocks the loop otherwise ----------------------------------------------------------------------------

    def _listen(self, pause: float) -> None:
        """Tell, once, where the loop is if it does not answer."""
        if self._answered:
            self._answered, self._silent, self._warned = False, 0.0, False
            try:
                self._loop.call_soon_threadsafe(self._answer)
            except RuntimeError:  # it is closed
                self._stop.set()
            return
        self._silent += pause
        if self._silent >= BLOCKED_S and not self._warned and self._current is None:
            self._warned = True
            frame = sys._current_frames().get(self._ident)
            log.warning(
                "the event loop has stood still for %.1f s, and with it every run of this worker and whatever else is "
                "on the loop: something calls what blocks (an `async` step that does not await?). It is at\n%s",
                self._silent,
                "".join(traceback.format_stack(frame)).rstrip() if frame else "(an unknown place)",
            )

    def _answer(self) -> None:
        self._answered = True


def place_of(frame: FrameType | None) -> str:
    """Return file and line of the innermost frame that is the users' own, or of the innermost one."""
    innermost = frame
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_NOT_THEIRS):
            break
        frame = frame.f_back
    found = frame or innermost
    return "an unknown place" if found is None else f"{found.f_code.co_filename}:{found.f_lineno}"


_STDLIB = sysconfig.get_path("stdlib")
_NOT_THEIRS = (
    str(Path(signoff.__file__).parent),
    "<frozen",
    *(str(path) for path in Path(_STDLIB).iterdir() if path.name not in {"site-packages", "dist-packages"}),
)


def _imports(frame: FrameType | None) -> bool:
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _cpu_s(ident: int) -> float:
    """Return how long a thread has used the processor, in seconds; endless where nobody can tell."""
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(ident))
    except (AttributeError, OSError):
        return float("inf")


def _raise_in(ident: int, kind: type[BaseException]) -> None:
    """Have the thread raise `kind` where it is, in place of what it was to raise and has not yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(kind))


def _have_raised(ident: int) -> None:
    """Raise here, in this thread, what was set to be raised in it and was not yet.

    To take it back instead would leave Python looking for it before every step from then on, without an end: that
    costs time, and a profiler or a debugger would hang.
    """
    try:
        _raise_in(ident, Interrupted)
        while True:
            pass
    except Interrupted:
        return


def keep_for_ever(thing: object) -> None:
    """Never free something, not even when the interpreter ends: its cleanup would run code that does not end."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
