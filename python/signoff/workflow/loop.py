"""The event loop under workflow code: a queue of callbacks that are ready, and nothing else.

It has no selector, no clock and no threads. Time stands still while code runs, and moves only when the machine is fed
an entry. A callback that is due later is a durable timer: the loop asks for it by a command and runs the callback when
the journal says that the timer fired. asyncio's own primitives (tasks, futures, gather, wait, timeout, queues, locks)
run on it unchanged, always in the same order.

It is driven from a plain callback or a plain thread, never from inside a task of another loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

from signoff.workflow import guard

T = TypeVar("T")

log = logging.getLogger("signoff.workflow")

CancelledError = asyncio.CancelledError
ASYNCIO = str(Path(asyncio.__file__).parent)
"""The folder of asyncio's own code."""


MOST_CALLBACKS = 1_000_000
"""What code may do before it waits for something, so that a loop without end stops its run and not its worker."""


class Halt(BaseException):
    """Leave workflow code for good: the machine has stopped. Not an Exception, so that users' handlers let it pass."""


class Timers(Protocol):
    """What the loop asks of the machine: durable timers."""

    now_ms: int

    def start_timer(self, handle: TimerHandle, fire_at: int) -> str:
        """Ask for a timer; return its id."""
        ...

    def cancel_timer(self, id_: str) -> None:
        """Give a timer up."""
        ...


def _nothing() -> None:
    """Stand where a cancelled handle had its callback, so that what it held can be freed."""


class Handle(asyncio.Handle):
    """Hold a callback that is ready."""

    __slots__ = ()
    _callback: Callable[..., object]
    _context: contextvars.Context

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None
    ) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._callback = callback
        self._args = args
        self._cancelled = False

    def cancel(self) -> None:
        """Forget the callback."""
        self._cancelled = True
        self._callback, self._args = _nothing, ()

    def __repr__(self) -> str:
        return f"<Handle {'cancelled' if self._cancelled else self._callback!r}>"


class TimerHandle(asyncio.TimerHandle):
    """Hold a callback that waits for a durable timer."""

    __slots__ = ("_timers", "id")
    _callback: Callable[..., object]
    _context: contextvars.Context

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
        timers: Timers,
    ) -> None:
        self._when = when
        self._context = contextvars.copy_context() if context is None else context
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._scheduled = True
        self._timers = timers
        self.id: str | None = None

    def cancel(self) -> None:
        """Give the timer up and forget the callback."""
        if not self._cancelled:
            self._cancelled = True
            self._callback, self._args = _nothing, ()
            if self.id is not None:
                self._timers.cancel_timer(self.id)

    def __repr__(self) -> str:
        return f"<TimerHandle {self.id} {'cancelled' if self._cancelled else self._callback!r}>"


class Pending(asyncio.Future[T]):
    """A future that the journal resolves. Cancelling it tells the machine that nobody waits any more."""

    __slots__ = ("given_up", "id", "number")
    given_up: Callable[[Pending[Any]], None] | None
    id: str
    number: int

    def __hash__(self) -> int:
        """Hash by number, so that sets of futures (`asyncio.wait` returns two) have the same order in every replay."""
        return self.number

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel the future and withdraw what it waits for."""
        if not super().cancel(msg=msg):
            return False
        if self.given_up is not None:
            self.given_up(self)
        return True


class Work(asyncio.Task[T]):
    """A task of workflow code; hashed by number, as futures are."""

    def __init__(self, coro: Any, number: int, **options: Any) -> None:
        self.number = number  # first: asyncio's constructor already asks for the hash
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        """Hash by number: a TaskGroup keeps its tasks in a set."""
        return self.number


if TYPE_CHECKING:
    from collections.abc import Coroutine

    class StepFuture(Pending[T], Coroutine[Any, Any, T]):
        """The result of a step, awaitable wherever asyncio takes a future or, as in a TaskGroup, a coroutine."""
else:
    StepFuture = Pending


async def _await(awaitable: Any) -> Any:
    return await awaitable


class WorkflowLoop(asyncio.AbstractEventLoop):
    """Run callbacks in the order in which they became ready.

    Attributes:
        active: its code is running now.
        failure: what reached the loop unhandled; nothing runs after it.
        salt: where numbering of futures and tasks begins. The same in every replay of a run; different between runs,
            because asyncio keeps all tasks of a process in one set.
    """

    def __init__(self, timers: Timers) -> None:
        self.failure: BaseException | None = None
        self._timers = timers
        self._ready: deque[Handle | TimerHandle] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()  # strong: a task that is collected runs its cleanup at random
        self._generators: set[AsyncGenerator[Any, Any]] = set()
        self.salt = 0
        self.active = False
        self._count = 0
        self._closed = False

    # -- driving ---------------------------------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Generator[None]:
        """Be the running loop of this thread, and watch what its code does.

        Raises:
            RuntimeError: this was called inside a task of another loop.
        """
        host = asyncio._get_running_loop()
        if host is not None and asyncio.current_task(host) is not None:
            raise RuntimeError("A workflow is advanced from a plain callback (loop.call_soon), not inside a task.")
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._generators.add, finalizer=self._finalize)
        asyncio._set_running_loop(self)
        self.active = True
        guard.enter()
        try:
            yield
        finally:
            guard.leave()
            self.active = False
            asyncio._set_running_loop(host)
            sys.set_asyncgen_hooks(*hooks)

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
            except KeyboardInterrupt:  # somebody stops the process, not this run
                raise
            except BaseException as error:
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
        """Return the tasks that are not done, in no order."""
        return [task for task in self._tasks if not task.done()]

    def close(self) -> None:
        """Drop everything; coroutines are closed, nothing is scheduled any more."""
        if self._closed:
            return
        self._closed, self.active = True, False
        self._ready.clear()
        for task in self.open_tasks():
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            _close(task.get_coro())
        self._tasks.clear()
        self._generators.clear()

    # -- what asyncio asks of a loop -------------------------------------------------------------------------------

    def time(self) -> float:
        """Return the machine's time in seconds."""
        return self._timers.now_ms / 1000

    def get_debug(self) -> bool:
        """Return False: there is no debug mode."""
        return False

    def set_debug(self, enabled: bool) -> None:
        """Do nothing: there is no debug mode."""

    def is_running(self) -> bool:
        """Tell whether the machine is running now."""
        return asyncio._get_running_loop() is self

    def is_closed(self) -> bool:
        """Tell whether the machine was closed."""
        return self._closed

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run a callback after those that are ready."""
        handle = Handle(callback, args, context)
        if not self._closed:
            self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run a callback after `delay` seconds; a durable timer if that is in the future."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run a callback at `when` seconds of machine time; a durable timer if that is in the future."""
        fire_at = math.ceil(round(when * 1000, 3))
        timer = TimerHandle(when, callback, args, context, self._timers)
        if fire_at > self._timers.now_ms:
            timer.id = self._timers.start_timer(timer, fire_at)
        elif not self._closed:
            self._ready.append(timer)
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: our handles tell the machine themselves."""

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return self.pending()

    def pending(self, id_: str = "", given_up: Callable[[Pending[Any]], None] | None = None) -> Pending[Any]:
        """Return a numbered future that tells when it is cancelled."""
        future: Pending[Any] = Pending(loop=self)
        future.number = self._next_number()
        future.id = id_
        future.given_up = given_up
        return future

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
            raise Halt
        number = self._next_number()
        label = f"Task-{self._count}" if name is None else str(name)
        task: asyncio.Task[Any] = Work(coro, number, loop=self, name=label, context=context, **kwargs)
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
            if not self._closed and self.failure is None and isinstance(task, Work):
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

    def _finalize(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._generators.discard(generator)
        if not self._closed:
            self.create_task(generator.aclose())


def new_loop(timers: Timers) -> WorkflowLoop:
    """Return a loop whose timers are commands of this machine."""
    return WorkflowLoop(timers)  # type: ignore[abstract]  # what is missing is refused, see below


def _close(coroutine: Any) -> None:
    """Close a coroutine, however much it resists."""
    for _ in range(100):
        try:
            coroutine.close()
        except RuntimeError:  # it awaits something in its cleanup
            continue
        except BaseException:
            return
        return


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
