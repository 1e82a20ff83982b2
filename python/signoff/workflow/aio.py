"""What asyncio does differently from one Python to the next, or in an order of its own: one behaviour for workflows.

The order in which code asks for things is what replay compares, so it may not depend on the Python that runs it. While
the running loop is a workflow's, these functions and methods of asyncio are ours; everywhere else they are what they
were. They are exchanged in place, so that it does not matter how a module has imported them.

`wait_for`, `gather` and the rest behave as in Python 3.13. Runs begun before journals recorded their Python are
*legacy*: they were recorded on 3.11, and `wait_for`, `gather` and `as_completed` order things for them as there.
"""

from __future__ import annotations

import asyncio
import importlib
import math
import types
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Iterable, Iterator
from operator import attrgetter
from typing import Any

from signoff.workflow import guard

_original: dict[str, Callable[..., Any]] = {}
_loop_type: Any = None
knows_anyio = False
"""What anyio does is ours already."""


def install(loop_type: type) -> None:
    """Exchange what differs, once for this process.

    Args:
        loop_type: the class of workflows' loops.
    """
    global _loop_type  # noqa: PLW0603 - there is one such class
    if _loop_type is not None:
        return
    _loop_type = loop_type
    for ours in (_wait_for, _gather, _as_completed, _all_tasks, _run_coroutine_threadsafe):
        name = ours.__name__[1:]
        _exchange(getattr(asyncio, name), ours)
    for owner, name, method in (
        (asyncio.TaskGroup, "__aexit__", _leave_group),
        (asyncio.Semaphore, "acquire", _acquire),
        (asyncio.Condition, "wait", _wait_for_notice),
        (asyncio.Queue, "shutdown", _shut_down),
    ):
        if hasattr(owner, name):
            original = _original[f"{owner.__name__}.{name}"] = getattr(owner, name)
            method.__doc__ = original.__doc__
            setattr(owner, name, method)


def _exchange(function: Any, ours: Any) -> None:
    """Give a function of asyncio's another body; what has been imported from there before is the same function."""
    kept = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    kept.__kwdefaults__ = function.__kwdefaults__
    _original[function.__name__] = kept
    name = f"_signoff{ours.__name__}"
    function.__globals__[name] = ours
    makes = "async def" if asyncio.iscoroutinefunction(function) else "def"
    waits = "await " if makes == "async def" else ""
    body: dict[str, Any] = {}
    exec(f"{makes} _(*args, **options): return {waits}{name}(*args, **options)", body)  # noqa: S102 - two fixed forms
    function.__code__ = body["_"].__code__.replace(co_name=function.__name__)
    function.__defaults__ = function.__kwdefaults__ = None
    function.__wrapped__ = kept  # its signature


def install_anyio() -> None:
    """Let anyio's cancel scopes end in one order, and its endless sleep be one; once somebody has imported anyio."""
    global knows_anyio  # noqa: PLW0603 - it is loaded once
    knows_anyio = True
    backend = importlib.import_module("anyio._backends._asyncio")
    scopes, sleep = backend.CancelScope, backend.AsyncIOBackend.sleep.__func__

    def number(scope: Any) -> int:
        task = getattr(scope, "_host_task", None)  # scopes beside each other are those of different tasks
        return hash(task) if task is not None and type(task.get_loop()) is _loop_type else object.__hash__(scope)

    async def endless(cls: Any, delay: float) -> None:
        loop = _ours()
        await (sleep(cls, delay) if loop is None or delay != math.inf else loop.forever())

    scopes.__hash__ = number
    backend.AsyncIOBackend.sleep = classmethod(endless)


def _ours() -> Any:
    """Return the running loop if it is a workflow's."""
    loop = asyncio._get_running_loop()
    return loop if type(loop) is _loop_type else None


# -- waiting -----------------------------------------------------------------------------------------------------------


async def _wait_for(fut: Any, timeout: float | None) -> Any:  # noqa: ASYNC109 - asyncio's own signature
    loop = _ours()
    if loop is None:
        return await _original["wait_for"](fut, timeout)
    if timeout is not None and timeout <= 0:
        fut = asyncio.ensure_future(fut)
        if fut.done():
            return fut.result()
        return await _given_up(loop, fut)
    if loop.legacy:
        return await _wait_for_as_in_311(loop, fut, timeout)
    async with asyncio.timeout(timeout):
        return await fut


async def _wait_for_as_in_311(loop: Any, fut: Any, timeout: float | None) -> Any:  # noqa: ASYNC109
    """Wait as Python 3.11 did: the timer first, then a coroutine in a task of its own."""
    if timeout is None:
        return await fut
    waiter = loop.create_future()
    timer = loop.call_later(timeout, _wake, waiter)
    fut = asyncio.ensure_future(fut, loop=loop)

    def over(_done: Any) -> None:
        _wake(waiter)

    fut.add_done_callback(over)
    try:
        try:
            await waiter
        except CancelledError:
            if fut.done():
                return fut.result()
            fut.remove_done_callback(over)
            await _cancelled(loop, fut)
            raise
        if fut.done():
            return fut.result()
        fut.remove_done_callback(over)
        return await _given_up(loop, fut)
    finally:
        timer.cancel()


async def _given_up(loop: Any, fut: Any) -> Any:
    """Cancel what took too long; return its result if it has one after all."""
    await _cancelled(loop, fut)
    try:
        return fut.result()
    except CancelledError as error:
        raise TimeoutError from error


async def _cancelled(loop: Any, fut: Any) -> None:
    """Cancel and wait until it has taken effect."""
    waiter = loop.create_future()

    def over(_done: Any) -> None:
        _wake(waiter)

    fut.add_done_callback(over)
    try:
        fut.cancel()
        await waiter
    finally:
        fut.remove_done_callback(over)


def _wake(waiter: Any) -> None:
    if not waiter.done():
        waiter.set_result(None)


# -- several at once ---------------------------------------------------------------------------------------------------


class Gathering(asyncio.Future[Any]):
    """The future that `gather` returns; cancelling it cancels what it waits for."""

    number = 0
    children: tuple[Any, ...] = ()
    cancel_requested = False

    def __hash__(self) -> int:
        """Hash by number, as all futures of workflow code."""
        return self.number

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel what is gathered; the result follows from that."""
        if self.done():
            return False
        # All of them, so no any(): each is to be cancelled.
        took = [child.cancel(msg=msg) for child in self.children]
        self.cancel_requested = self.cancel_requested or any(took)
        return any(took)


def _gather(*coros_or_futures: Any, return_exceptions: bool = False) -> Any:
    loop = _ours()
    if loop is None:
        return _original["gather"](*coros_or_futures, return_exceptions=return_exceptions)
    if not coros_or_futures:
        nothing = loop.create_future()
        nothing.set_result([])
        return nothing
    outer = Gathering(loop=loop)
    outer.number = loop.next_gathering()
    futures: dict[int, Any] = {}  # by identity; `coros_or_futures` keeps them alive
    for one in coros_or_futures:
        if id(one) not in futures:
            futures[id(one)] = asyncio.ensure_future(one, loop=loop)
    outer.children = children = tuple(futures[id(one)] for one in coros_or_futures)
    left = len(futures)

    def over(done: Any) -> None:
        nonlocal left
        left -= 1
        if outer.done():
            if not done.cancelled():
                done.exception()  # so that nobody complains about it
            return
        if not return_exceptions:
            error = done._make_cancelled_error() if done.cancelled() else done.exception()
            if error is not None:
                outer.set_exception(error)
                return
        if left:
            return
        if outer.cancel_requested:
            outer.set_exception(done._make_cancelled_error())
        else:
            outer.set_result([_settled(child) for child in children])

    # Python 3.12 began to take what is done already at once, in the place of a turn of the loop later.
    early = [] if loop.legacy else [future for future in futures.values() if future.done()]
    for future in futures.values():
        if loop.legacy or not future.done():
            future.add_done_callback(over)
    for future in early:
        over(future)
    return outer


def _settled(future: Any) -> Any:
    if future.cancelled():
        return CancelledError(future._cancel_message or "")
    error = future.exception()
    return future.result() if error is None else error


class Arrivals:
    """What `as_completed` returns: results in the order in which they come; what is done already, as it was given."""

    def __init__(self, loop: Any, awaitables: Iterable[Any], timeout: float | None) -> None:
        self._loop = loop
        # As in Python 3.13, a list of any awaitables; the order of a set would differ from process to process.
        self._given = list(dict.fromkeys(awaitables))
        self._timeout = timeout
        self._arrived: asyncio.Queue[Any] = asyncio.Queue()
        self._waiting: dict[Any, None] = {}
        self._left = len(self._given)
        self._timer: Any = None
        self._begun = False
        if not loop.legacy:
            self._begin()

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        given: Iterable[Any] = self._given
        if self._loop.legacy and all(map(asyncio.isfuture, self._given)):
            given = {future for future in set(self._given)}  # noqa: C416 - as it was done; futures have numbers
        self._waiting = dict.fromkeys([asyncio.ensure_future(one, loop=self._loop) for one in given])
        for future in self._waiting:
            future.add_done_callback(self._arrive)
        if self._waiting and self._timeout is not None:
            self._timer = self._loop.call_later(self._timeout, self._late)

    def _arrive(self, future: Any) -> None:
        if future not in self._waiting:
            return
        del self._waiting[future]
        self._arrived.put_nowait(future)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()

    def _late(self) -> None:
        for future in self._waiting:
            future.remove_done_callback(self._arrive)
            self._arrived.put_nowait(None)
        self._waiting.clear()

    async def _next(self, *, result: bool) -> Any:
        future = await self._arrived.get()
        if future is None:
            raise TimeoutError
        return future.result() if result else future

    def __iter__(self) -> Iterator[Coroutine[Any, Any, Any]]:
        return self

    def __next__(self) -> Coroutine[Any, Any, Any]:
        self._begin()
        if not self._left:
            raise StopIteration
        self._left -= 1
        return self._next(result=True)

    def __aiter__(self) -> Arrivals:
        return self

    async def __anext__(self) -> Any:
        self._begin()
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        return await self._next(result=False)


def _as_completed(fs: Any, *, timeout: float | None = None) -> Any:
    loop = _ours()
    if loop is None:
        return _original["as_completed"](fs, timeout=timeout)
    if asyncio.isfuture(fs) or asyncio.iscoroutine(fs):
        raise TypeError(f"as_completed takes several awaitables in a list, not one {type(fs).__name__}")
    return Arrivals(loop, fs, timeout)


def _all_tasks(loop: Any = None) -> Any:
    ours = _ours() if loop is None else loop
    if type(ours) is not _loop_type:
        return _original["all_tasks"](loop)
    return set(sorted(ours.open_tasks(), key=attrgetter("number")))  # noqa: C414 - in the same order, each time


def _run_coroutine_threadsafe(coro: Any, loop: Any) -> Any:
    if _ours() is not None:
        coro.close()
        raise guard.refusal("hand work to another event loop")
    return _original["run_coroutine_threadsafe"](coro, loop)


# -- methods -----------------------------------------------------------------------------------------------------------


async def _leave_group(self: Any, kind: Any, error: Any, trace: Any) -> Any:
    if type(self._loop) is not _loop_type or self._loop.legacy:
        return await _original["TaskGroup.__aexit__"](self, kind, error, trace)
    self._exiting = True
    if error is not None and self._is_base_error(error) and self._base_error is None:
        self._base_error = error
    if error is not None and not self._aborting:
        self._abort()
    cancelled = await _all_left(self, error if isinstance(error, CancelledError) else None)
    if self._base_error is not None:
        raise self._base_error
    if self._parent_cancel_requested and self._parent_task.uncancel() == 0:
        cancelled = None  # it was only the group that stopped its body
    if cancelled is not None and not self._errors:
        raise cancelled
    if error is not None and not isinstance(error, CancelledError):
        self._errors.append(error)
    if self._errors:
        if self._parent_task.cancelling():  # somebody else's request is still to be delivered
            self._parent_task.uncancel()
            self._parent_task.cancel()
        errors, self._errors = self._errors, None
        raise BaseExceptionGroup("unhandled errors in a TaskGroup", errors) from None
    return None


async def _all_left(self: Any, cancelled: BaseException | None) -> BaseException | None:
    """Wait for the tasks of a group; return the cancellation that is to be passed on."""
    while self._tasks:  # a parent may be cancelled more than once meanwhile
        if self._on_completed_fut is None:
            self._on_completed_fut = self._loop.create_future()
        try:
            await self._on_completed_fut
        except CancelledError as again:
            if not self._aborting:
                cancelled = again
                self._abort()
        self._on_completed_fut = None
    return cancelled


async def _acquire(self: Any) -> bool:
    loop = _ours()
    if loop is None or loop.legacy:
        return bool(await _original["Semaphore.acquire"](self))
    if not self.locked():
        self._value -= 1
        return True
    # Asked of Python's own deque, whatever it keeps its waiters in.
    if self._waiters is None:
        self._waiters = asyncio.locks.collections.deque()  # type: ignore[attr-defined]
    turn = self._get_loop().create_future()
    self._waiters.append(turn)
    try:
        try:
            await turn
        finally:
            self._waiters.remove(turn)
    except CancelledError:
        if turn.done() and not turn.cancelled():
            self._value += 1  # it was given a place that it cannot take
        raise
    finally:
        while self._value > 0 and any(not waiter.done() for waiter in self._waiters):
            self._wake_up_next()
    return True


async def _wait_for_notice(self: Any) -> bool:
    loop = _ours()
    if loop is None or loop.legacy:
        return bool(await _original["Condition.wait"](self))
    if not self.locked():
        raise RuntimeError("cannot wait on un-acquired lock")
    notice = self._get_loop().create_future()
    self.release()
    try:
        try:
            self._waiters.append(notice)
            try:
                await notice
            finally:
                self._waiters.remove(notice)
        finally:
            await _again(self)
    except BaseException:
        # Somebody may have been told in vain: tell another one.
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(False)
                break
        raise
    return True


async def _again(lock: Any) -> None:
    """Take the lock again, though cancelled meanwhile."""
    cancelled = None
    while True:
        try:
            await lock.acquire()
            break
        except CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _shut_down(self: Any, immediate: bool = False) -> Any:
    if _ours() is not None:
        raise guard.refusal("shut a queue down, which Python has from 3.13 on only (put an end mark into it)")
    return _original["Queue.shutdown"](self, immediate)
