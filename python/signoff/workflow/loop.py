"""The event loop under workflow code: a queue of callbacks that are ready, and nothing else.

It has no selector, no clock and no threads. Time stands still while code runs, and moves only when the machine is fed
an entry. A callback that is due later is a durable timer: the loop asks for it by a command and runs the callback when
the journal says that the timer fired. asyncio's own primitives (tasks, futures, gather, wait, timeout, queues, locks)
run on it, always in the same order; where Pythons differ, `aio.py` gives them one behaviour.

It is driven from a plain callback or a plain thread, never from inside a task of another loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import math
import sys
import weakref
from asyncio import _get_running_loop, _set_running_loop
from asyncio.tasks import _enter_task, _leave_task
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from sys import get_asyncgen_hooks, set_asyncgen_hooks
from typing import Any, NoReturn, TypeVar
from weakref import WeakValueDictionary

from signoff.workflow import aio, guard
from signoff.workflow.durations import duration_ms
from signoff.workflow.futures import (
    CallSite,
    CommandFuture,
    Handle,
    JournalFuture,
    TimerHandle,
    Timers,
    WorkflowTask,
    nothing,
)

T = TypeVar("T")

log = logging.getLogger("signoff.workflow")

CancelledError = asyncio.CancelledError
ASYNCIO = str(Path(asyncio.__file__).parent)
"""The folder of asyncio's own code."""


MOST_HALTS = 20
"""How often the end of the machine is raised in code that swallows it; then it is given futures that never come."""

MOST_CLOSES = 20
"""How often a coroutine that awaits something in its cleanup is closed again."""

MOST_AHEAD = 100 * 366 * 86_400
"""How far ahead a timer may be, in seconds; the bound of `ctx.sleep`."""

MOST_CALLBACKS = 1_000_000
"""What code may do before it waits for something, so that a loop without end stops its run and not its worker."""


class Halt(BaseException):
    """The end of workflow code for good: the machine has stopped. Not an Exception: users' handlers let it pass."""


_new = object.__new__


async def _await(awaitable: Any) -> Any:
    return await awaitable


class WorkflowLoop(asyncio.AbstractEventLoop):
    """An event loop that runs callbacks in the order in which they became ready, and nothing else.

    Attributes:
        active: its code is running now.
        failure: what reached the loop unhandled; nothing runs after it.
        salt: where numbering of futures and tasks begins. The same in every replay of a run; different between runs,
            because asyncio keeps all tasks of a process in one set.
        legacy: the run was begun before journals recorded their Python; asyncio behaves as it did then (see `aio.py`).
    """

    def __init__(self, timers: Timers) -> None:
        self.failure: BaseException | None = None
        self._timers = timers
        self._ready: deque[Handle | TimerHandle] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()  # strong: a task that is collected runs its cleanup at random
        # Weak, so that a generator the code lets go of is finalized; by number, so that they end in one order.
        self._generators: WeakValueDictionary[int, AsyncGenerator[Any, Any]] = WeakValueDictionary()
        self._numbers: dict[int, int] = {}
        self._homes: dict[int, Any] = {}
        self._kept: list[AsyncGenerator[Any, Any]] = []
        self._closings: list[asyncio.Task[Any]] = []
        self._begun = self._gatherings = 0
        self._due = 0.0
        self.halts = 0
        self.legacy = False
        self.salt = 0
        self.active = False
        self._count = 0
        self._closed = False
        self._turn = Turn(self, None, True)

    # -- driving ---------------------------------------------------------------------------------------------------

    def running(self) -> Turn:
        """Return a context in which this is the running loop of the thread, and what its code does is watched.

        Raises:
            RuntimeError: this was called inside a task of another loop.
        """
        host = _get_running_loop()
        if host is not None and asyncio.current_task(host) is not None:
            raise RuntimeError(
                "Workflow code runs on an event loop of its own, which a task of another loop cannot enter; nothing "
                "was run. A test replays a history with signoff.testing.replay, from anywhere; other code advances a "
                "machine from a plain callback (loop.call_soon) or a thread."
            )
        if not aio.knows_anyio and "anyio" in sys.modules:
            aio.install_anyio()
        turn = self._turn
        turn.host = host
        return turn

    def drain(self, main: asyncio.Future[Any]) -> None:
        """Run callbacks until none is ready, the main task is done or something failed."""
        ready = self._ready
        for _ in range(MOST_CALLBACKS):
            if not ready:
                return
            handle = ready.popleft()
            if handle._cancelled:
                continue
            try:
                handle._context.run(handle._callback, *handle._args)
            except BaseException as error:  # KeyboardInterrupt too: who stops the process sends a signal
                self.fail(error)
            if self.failure is not None or main.done():
                return
        if ready:
            self.fail(guard.endless())

    def fail(self, error: BaseException) -> None:
        """Stop for good, because of the first error told here."""
        if self.failure is None:
            self.failure = error

    def fire(self, handle: TimerHandle) -> None:
        """Make a timer's callback ready."""
        handle._scheduled = False
        handle.id = None
        if not handle._cancelled:
            self._ready.append(handle)

    def open_tasks(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that are not done, oldest first."""
        return sorted((task for task in self._tasks if not task.done()), key=attrgetter("number"))

    def ending(self) -> asyncio.Task[None] | None:
        """Return a task that ends the generators which the code has begun and not finished; None: there are none."""
        if self.legacy:
            return None
        for _, generator in sorted(self._generators.items()):
            if generator.ag_frame is not None and not generator.ag_running:  # type: ignore[attr-defined]
                self._close_generator(generator)
        self._generators.clear()
        closing = self._endings()
        return self.create_task(_all_of(closing)) if closing else None

    def _close_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._closings = [*self._endings(), self.create_task(generator.aclose(), name="end of an async generator")]

    def _endings(self) -> list[asyncio.Task[Any]]:
        return [task for task in self._closings if not task.done()]

    def cancel_endings(self) -> None:
        """Cancel the cleanup of generators: the run is cancelled."""
        for task in self._endings():
            task.cancel()

    def close(self) -> None:
        """Drop everything; coroutines are closed, each in its own context, and nothing is scheduled any more."""
        if self._closed:
            return
        self._closed, self.active = True, False
        self._ready.clear()
        tasks = self.open_tasks()
        generators = sorted(self._generators.items())
        if tasks or generators:
            with Turn(self, _get_running_loop(), False):
                stubborn = [task for task in tasks if not self._end(task, task.get_coro())]
                for number, generator in generators:  # those the code has let be where they were
                    self._end_generator(generator, self._homes.get(number))
                self._tasks.clear()
                tasks.clear()
                if stubborn:
                    _abandon(stubborn)
        self._tasks.clear()
        self._generators.clear()
        self._homes.clear()
        self._kept.clear()
        self._closings.clear()

    def _end_generator(self, generator: AsyncGenerator[Any, Any], task: Any) -> None:
        if task is None or generator.ag_frame is None or generator.ag_running:  # type: ignore[attr-defined]
            return
        self._end(task, _await(generator.aclose()), begun=False)

    def _end(self, task: Any, coroutine: Any, *, begun: bool = True) -> bool:
        """Close a coroutine as this task; tell whether it is over."""
        context = task.home
        try:
            context.run(nothing)
        except RuntimeError:  # a context is entered once at a time: the code itself let go of its machine
            context = context.copy()
        try:
            _enter_task(self, task)
        except RuntimeError:  # a Python that knows one current task a thread, and it is the host's
            return _close(coroutine, context, begun=begun)
        try:
            return _close(coroutine, context, begun=begun)
        finally:
            _leave_task(self, task)

    # -- what asyncio asks of a loop -------------------------------------------------------------------------------

    def time(self) -> float:
        """Return the machine's time in seconds; to a timer's callback, never less than the time it was set for."""
        return max(self._timers.now_ms / 1000, self._due)

    get_debug = bool
    """Return False: there is no debug mode. Every future asks, so it is a function of C's."""

    def set_debug(self, enabled: bool) -> None:
        """Do nothing: there is no debug mode."""

    def is_running(self) -> bool:
        """Tell whether the machine is running now."""
        return asyncio._get_running_loop() is self

    def another_runs(self) -> bool:
        """Tell whether it is another machine that is running now."""
        running = _get_running_loop()
        return isinstance(running, WorkflowLoop) and running is not self

    def is_closed(self) -> bool:
        """Tell whether the machine was closed."""
        return self._closed

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run a callback after those that are ready."""
        handle = _new(Handle)
        handle._context = contextvars.copy_context() if context is None else context
        handle._callback = callback
        handle._args = args
        handle._cancelled = False
        if not self._closed:
            self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run a callback after `delay` seconds; a durable timer if that is in the future."""
        if not delay <= 0:  # also what is no number
            duration_ms(delay)
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run a callback at `when` seconds of machine time; a durable timer if that is in the future.

        Raises:
            BadRequest: that is no number, or more than 100 years ahead.
        """
        ahead = when - self.time()
        if not ahead < MOST_AHEAD:
            duration_ms(ahead)
        fire_at = math.ceil(round(when * 1000, 3))
        timer = TimerHandle(when, self._on_time, (when, callback, args), context, self._timers)
        if fire_at > self._timers.now_ms:
            timer.id = self._timers.start_timer(timer, fire_at)
        elif not self._closed:
            self._ready.append(timer)
        return timer

    def _on_time(self, when: float, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        # Timers fire at whole milliseconds, and `when` may be a hair beyond: a callback that compares (as anyio's do)
        # would find itself too early, and set itself the same timer again, without end.
        self._due = when
        try:
            callback(*args)
        finally:
            self._due = 0.0

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: our handles tell the machine themselves."""

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return self.pending()

    def pending(
        self, id_: str = "", given_up: Callable[[JournalFuture[Any]], None] | None = None
    ) -> JournalFuture[Any]:
        """Return a numbered future that tells when it is cancelled."""
        future: JournalFuture[Any] = JournalFuture(loop=self)
        future.number = self._next_number()
        future.id = id_
        future.given_up = given_up
        return future

    def asked(self, id_: str, given_up: Callable[[JournalFuture[Any]], None], asked_at: CallSite) -> CommandFuture[Any]:
        """Return the same that also knows whether it was awaited, and where it was asked for."""
        future: CommandFuture[Any] = CommandFuture(loop=self)
        self._count = count = self._count + 1
        future.number = self.salt + count
        future.id = id_
        future.given_up = given_up
        future.asked_at = asked_at
        future._was_awaited = False
        return future

    def forever(self) -> JournalFuture[None]:
        """Return a future that only a cancellation ends; the run waits as long."""
        self._timers.forever += 1
        return self.pending("", self._no_longer)

    def _no_longer(self, _future: JournalFuture[Any]) -> None:
        self._timers.forever -= 1

    def next_gathering(self) -> int:
        """Return a number for a future of `gather`; not of those that tasks are named after."""
        self._gatherings += 1
        return -(self.salt + self._gatherings) - 2

    def _next_number(self) -> int:
        self._count += 1
        return self.salt + self._count

    def create_task(
        self, coro: Any, *, name: object = None, context: contextvars.Context | None = None, **kwargs: Any
    ) -> asyncio.Task[Any]:
        """Run a coroutine, or anything else that can be awaited, as a task."""
        if not asyncio.iscoroutine(coro):
            if not hasattr(coro, "__await__"):
                raise TypeError(f"a coroutine was expected, got {coro!r}")
            coro = _await(coro)
        if self._closed:
            coro.close()
            self.halts += 1
            if self.halts < MOST_HALTS:
                raise Halt
            return self.pending()  # type: ignore[return-value]  # something to wait for that never comes
        number = self._next_number()
        label = f"Task-{self._count}" if name is None else str(name)
        task: asyncio.Task[Any] = WorkflowTask(coro, number, context, loop=self, name=label, **kwargs)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def get_task_factory(self) -> None:
        """Return None: tasks are asyncio's."""

    def get_exception_handler(self) -> None:
        """Return None: there is no handler of the user's."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Stop the machine because of an error that nobody handles.

        What the garbage collector reports (a failed task that was never awaited) comes at no fixed time, so it is
        logged and must not stop anything.
        """
        message = str(context.get("message", ""))
        error = context.get("exception")
        if "never retrieved" in message or "was destroyed" in message:
            task = context.get("task") or context.get("future")
            if not self._closed and self.failure is None and isinstance(task, WorkflowTask):
                log.warning("%s: %r", message, task, exc_info=error)
            return
        self.fail(error if isinstance(error, BaseException) else RuntimeError(message))

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Stop the machine because of an error that nobody handles."""
        self.call_exception_handler(context)

    async def shutdown_asyncgens(self) -> None:
        """Do nothing: generators end with the machine."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's own
        """Do nothing: there is no executor."""

    def _began(self, generator: AsyncGenerator[Any, Any]) -> None:
        if self.legacy:
            self._kept.append(generator)
        self._begun += 1
        self._generators[self._begun] = generator
        self._numbers[id(generator)] = self._begun
        self._homes[self._begun] = asyncio.current_task(self)

    def _finalize(self, generator: AsyncGenerator[Any, Any]) -> None:
        """End a generator that nothing refers to any more, as asyncio does: its cleanup runs in a task of its own."""
        number = self._numbers.pop(id(generator), 0)
        if self._closed:
            return
        home = self._homes.pop(number, None)
        mine = asyncio._get_running_loop() is self
        if mine and self.active and not self.legacy and self.failure is None:
            self._close_generator(generator)
        else:  # found by the garbage collector, at no fixed time: it stays as it is until the run ends
            self._kept.append(generator)
            self._generators[number] = generator
            self._homes[number] = home


class Turn:
    """The time in which code of a machine runs in this thread. A class, no generator: there is one a step."""

    __slots__ = ("_active", "_collects", "_entered", "_hooks", "_loop", "host")

    def __init__(self, loop: WorkflowLoop, host: asyncio.AbstractEventLoop | None, active: bool) -> None:
        self._loop, self.host, self._active = loop, host, active

    def __enter__(self) -> None:
        loop = self._loop
        self._hooks = get_asyncgen_hooks()
        # Garbage is collected at no fixed time: only what the code itself lets go of may end while it runs.
        self._collects = gc.isenabled()
        gc.disable()
        set_asyncgen_hooks(loop._began, loop._finalize)
        _set_running_loop(loop)
        self._entered = guard.enter()
        loop.active = self._active

    def __exit__(self, _kind: object, _error: object, _trace: object) -> None:
        self._loop.active = False
        if self._entered:
            guard.leave()
        _set_running_loop(self.host)
        set_asyncgen_hooks(*self._hooks)
        if self._collects:
            gc.enable()


def new_loop(timers: Timers) -> WorkflowLoop:
    """Return a loop whose timers are commands of this machine."""
    aio.install(WorkflowLoop)
    return WorkflowLoop(timers)  # type: ignore[abstract]  # what is missing is refused, see below


async def _all_of(tasks: list[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            log.warning("an async generator failed in its cleanup: %r", task.exception())


def _close(coroutine: Any, context: contextvars.Context, *, begun: bool) -> bool:
    """Close a coroutine, however much it resists; tell whether it is over."""
    if not begun:
        with suppress(BaseException):  # what it awaits is never there
            context.run(coroutine.send, None)
    # Not by `close()`: an async generator whose cleanup awaits something could never be closed again after it.
    for _ in range(MOST_CLOSES):
        try:
            context.run(coroutine.throw, Halt())
        except BaseException:
            return True  # else it awaits something in its cleanup
    with suppress(BaseException):
        context.run(coroutine.close)
    return getattr(coroutine, "cr_frame", None) is None


def _abandon(tasks: list[Any]) -> None:
    """Let go of tasks whose code swallows every attempt to end it, without Python's complaint about each."""
    left = [weakref.ref(task.get_coro()) for task in tasks]
    for task in tasks:
        frame = task.get_coro().cr_frame
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        log.warning(
            "Workflow code refuses to end, at %s: a bare `except:` or `except BaseException:` around an await swallows "
            "the end of the machine. Nothing is lost; write `except Exception:`.",
            where,
        )
        if task._fut_waiter is not None:
            task._fut_waiter.cancel()  # each holds the other
    frame = task = None
    hook, sys.unraisablehook = sys.unraisablehook, _no_complaint
    try:
        tasks.clear()
        if any(one() is not None for one in left):
            gc.collect()
    finally:
        sys.unraisablehook = hook


def _no_complaint(_complaint: Any) -> None:
    """Say nothing: what could be said has been logged."""


def _refused(act: str) -> Callable[..., NoReturn]:
    def refuse(_self: WorkflowLoop, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise guard.refusal(act)

    return refuse


_REFUSED = {
    "run code in a thread": ("run_in_executor", "set_default_executor", "call_soon_threadsafe"),
    "use the network": (
        *("getaddrinfo", "getnameinfo", "create_connection", "create_server", "create_datagram_endpoint"),
        *("create_unix_connection", "create_unix_server", "connect_accepted_socket", "start_tls", "sendfile"),
        *("sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendto"),
        *("sock_connect", "sock_accept", "sock_sendfile", "sock_connect", "add_reader", "remove_reader"),
        *("add_writer", "remove_writer", "connect_read_pipe", "connect_write_pipe"),
    ),
    "start a process": ("subprocess_shell", "subprocess_exec"),
    "handle signals": ("add_signal_handler", "remove_signal_handler"),
    "run or stop the event loop itself": ("run_forever", "run_until_complete", "stop"),
    "change how the event loop works": ("set_task_factory", "set_exception_handler"),
}
for _act, _names in _REFUSED.items():
    for _name in _names:
        setattr(WorkflowLoop, _name, _refused(_act))
