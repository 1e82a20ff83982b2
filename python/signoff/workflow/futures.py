"""What runs on a workflow's loop: callbacks, timers, and futures and tasks whose sets keep one order."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Generator
from itertools import islice
from types import CodeType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

T = TypeVar("T")


class Timers(Protocol):
    """What the loop asks of the machine: durable timers."""

    now_ms: int
    forever: int

    def start_timer(self, handle: TimerHandle, fire_at: int) -> str:
        """Ask for a timer; return its id."""
        ...

    def cancel_timer(self, id_: str) -> None:
        """Give a timer up."""
        ...


def nothing() -> None:
    """Stand where a cancelled handle had its callback, so that what it held can be freed."""


class Handle(asyncio.Handle):
    """A callback that is ready. Made by `WorkflowLoop.call_soon` alone, without a constructor: there is one a step."""

    __slots__ = ()
    _callback: Callable[..., object]
    _context: contextvars.Context

    def cancel(self) -> None:
        """Forget the callback."""
        self._cancelled = True
        self._callback, self._args = nothing, ()

    def __repr__(self) -> str:
        return f"<Handle {'cancelled' if self._cancelled else self._callback!r}>"


class TimerHandle(asyncio.TimerHandle):
    """A callback that waits for a durable timer."""

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
            self._callback, self._args = nothing, ()
            if self.id is not None:
                self._timers.cancel_timer(self.id)

    def __repr__(self) -> str:
        return f"<TimerHandle {self.id} {'cancelled' if self._cancelled else self._callback!r}>"


class JournalFuture(asyncio.Future[T]):
    """A future that the journal resolves. Cancelling it tells the machine that nobody waits any more."""

    __slots__ = ("given_up", "id", "number")
    given_up: Callable[[JournalFuture[Any]], None] | None
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


CallSite = tuple[CodeType, int]
"""A place in the users' code: the code, and the instruction there. The line is looked for only if it is to be told."""


def caller() -> CallSite:
    """Return where the method of `ctx` was called that calls this."""
    frame = sys._getframe(2)
    return frame.f_code, frame.f_lasti


class CommandFuture(JournalFuture[T]):
    """A future of something asked of the world that does nothing for the code unless it is awaited.

    Attributes:
        asked_at: where the code asked for it.
    """

    # Nothing here runs when it is awaited, which is nearly always: who waits for it is seen in its callbacks.
    __slots__ = ("_was_awaited", "asked_at")
    _was_awaited: bool
    asked_at: CallSite

    @property
    def awaited(self) -> bool:
        """Tell whether anybody waits for it, or has."""
        return self._was_awaited or bool(self._callbacks)

    @property
    def place(self) -> tuple[str, int]:
        """Return file and line of the code that asked for it."""
        code, instruction = self.asked_at
        line = next(islice(code.co_positions(), instruction // 2, None))[0]
        return code.co_filename, line or 0

    def remove_done_callback(self, fn: Any, /) -> int:
        """Forget a callback, but not that somebody has waited."""
        self._was_awaited = True
        return super().remove_done_callback(fn)

    def overdue(self) -> None:
        """Note that it is done, and nobody has waited for it until then."""
        self.__class__ = _OverdueFuture


class _OverdueFuture(CommandFuture[T]):
    """A future that was done before anybody waited for it."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, T]:
        self._was_awaited = True
        return super().__await__()

    __iter__ = __await__

    def add_done_callback(self, fn: Any, /, **options: Any) -> None:
        """Call `fn` soon: somebody waits for it after all."""
        self._was_awaited = True
        super().add_done_callback(fn, **options)


class WorkflowTask(asyncio.Task[T]):
    """A task of workflow code; hashed by number, as futures are.

    Attributes:
        home: the context its code runs in; its cleanup runs there too.
    """

    def __init__(self, coro: Any, number: int, context: contextvars.Context | None, **options: Any) -> None:
        self.number = number  # first: asyncio's constructor already asks for the hash
        self.home = contextvars.copy_context() if context is None else context
        self._cancels = 0
        super().__init__(coro, context=self.home, **options)
        self._log_destroy_pending = False  # the loop closes what is left

    def cancel(self, msg: Any | None = None) -> bool:
        """Throw CancelledError into the code when it runs next."""
        if not super().cancel(msg):
            return False
        self._cancels += 1
        return True

    def cancelling(self) -> int:
        """Return how many requests to cancel it are open."""
        return self._cancels

    def uncancel(self) -> int:
        """Take one request to cancel it back; as before Python 3.13, one that was not delivered yet stays."""
        self._cancels = max(self._cancels - 1, 0)
        return self._cancels

    def __hash__(self) -> int:
        """Hash by number: a TaskGroup keeps its tasks in a set."""
        return self.number


if TYPE_CHECKING:
    from collections.abc import Coroutine

    class StepFuture(CommandFuture[T], Coroutine[Any, Any, T]):
        """The result of a step, awaitable wherever asyncio takes a future or, as in a TaskGroup, a coroutine."""
else:
    StepFuture = CommandFuture
