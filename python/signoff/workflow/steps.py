"""Steps: what the code asks the world to do, and how."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar, cast, overload
from weakref import WeakKeyDictionary

from signoff.errors import UnsupportedValue
from signoff.workflow import codec, guard
from signoff.workflow import retry as policy
from signoff.workflow.durations import Duration, duration_ms
from signoff.workflow.futures import Asked
from signoff.workflow.journal import SAME
from signoff.workflow.names import check_text
from signoff.workflow.retry import Retry

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class StepOptions:
    """Say how a step is run; None: as the function says, or the default."""

    retry: Retry | None = None
    timeout_ms: int | None = None
    expose: bool | None = None
    label: str | None = None

    def over(self, defaults: StepOptions) -> StepOptions:
        """Return these options with gaps filled from `defaults`."""
        return StepOptions(
            self.retry or defaults.retry,
            defaults.timeout_ms if self.timeout_ms is None else self.timeout_ms,
            defaults.expose if self.expose is None else self.expose,
            self.label or defaults.label,
        )


PLAIN = StepOptions()


def options_of(retry: Retry | None, timeout: Duration | None, expose: bool | None, label: str | None) -> StepOptions:
    """Return options as users write them."""
    check_text(label, "label of a step")
    return StepOptions(retry, None if timeout is None else duration_ms(timeout), expose, label)


@overload
def step(fn: F, /) -> F: ...
@overload
def step(
    *, retry: Retry | None = None, timeout: Duration | None = None, expose: bool | None = None, label: str | None = None
) -> Callable[[F], F]: ...
def step(
    fn: F | None = None,
    /,
    *,
    retry: Retry | None = None,
    timeout: Duration | None = None,
    expose: bool | None = None,
    label: str | None = None,
) -> F | Callable[[F], F]:
    """Say how a function is run as a step.

    It stays an ordinary function for tests and other steps. Workflow code that calls it itself, without `ctx.step`, is
    refused: the call would be made again at every replay.

    Args:
        retry: how often it is tried.
        timeout: how long one attempt may take, e.g. `"30s"`.
        expose: browsers may see its result.
        label: what people call it.

    Example:
        >>> @step(retry=Retry(attempts=5), timeout="10s")
        ... async def fetch_rate(currency: str) -> Decimal: ...
    """

    def mark(function: F) -> F:
        marked: Any = _outside_only(function) if isinstance(function, types.FunctionType) else function
        marked.__signoff_step__ = options_of(retry, timeout, expose, label)
        return cast("F", marked)

    return mark if fn is None else mark(fn)


def _outside_only(function: types.FunctionType) -> types.FunctionType:
    """Return the function, refusing calls by workflow code; those of async functions before there is a coroutine."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if guard.watching():
            raise guard.refusal(
                f"call the step function {function.__name__} itself",
                f'Ask for it: await ctx.step("{function.__name__}", {function.__name__}, ...).',
            )
        return function(*args, **kwargs)

    if inspect.iscoroutinefunction(function):
        if sys.version_info >= (3, 12):
            inspect.markcoroutinefunction(called)
        else:  # 3.11 looks at the flag alone; whether a call makes a coroutine is in the bytecode, not in the flag
            plain = cast("types.FunctionType", called)
            plain.__code__ = plain.__code__.replace(co_flags=plain.__code__.co_flags | inspect.CO_COROUTINE)
    return cast("types.FunctionType", called)


@dataclass(slots=True, eq=False)
class StepCall:
    """Hold an open step: what to call, and how often it was tried.

    Attributes:
        id: `name:n`.
        fn, args, kwargs: the call; `fn` may be async.
        retry, timeout_ms: how to run it.
        context: the context variables that the code had set when it asked; a step sees a copy.
        expose: its result may be seen by browsers.
        next_attempt: from 1.
        retry_at: do not try before this time (milliseconds); None: at once.
    """

    id: str
    name: str
    n: int
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    retry: Retry
    timeout_ms: int | None
    future: Asked[Any] = field(repr=False)
    context: Context = field(repr=False)
    expose: bool = False
    next_attempt: int = 1
    retry_at: int | None = None

    @property
    def return_type(self) -> Any:
        """Return the type its result is read as; None: plain values."""
        return return_type(self.fn)


def resolve(fn: Callable[..., Any], options: StepOptions) -> StepOptions:
    """Return how `fn` is run, given the options of the call."""
    defaults = getattr(fn, "__signoff_step__", None)
    return options if defaults is None else options.over(defaults)


def retry_of(options: StepOptions) -> Retry:
    """Return the retry policy of a call."""
    return options.retry or policy.DEFAULT


# -- types -------------------------------------------------------------------------------------------------------------


def return_type(fn: Callable[..., Any]) -> Any:
    """Return the type a function is annotated to return (what an async one resolves to); None if it does not say.

    Decorators that keep `__wrapped__` (functools.wraps, lru_cache, tenacity, validate_call) are looked through: they
    copy the annotation, which may be a text that only the module of the function itself can resolve.

    Raises:
        TypeError: the annotation names something that cannot be found.
    """
    if type(fn) is not types.FunctionType:
        return _return_type(fn)
    try:
        return _returns[fn]
    except KeyError:
        found = _returns[fn] = _return_type(fn)
        return found


_returns: WeakKeyDictionary[Callable[..., Any], Any] = WeakKeyDictionary()


def _return_type(fn: Any) -> Any:
    called, owner = _innermost(fn)
    if isinstance(called, type):
        return called
    hint = evaluate(called, "return")
    if hint is typing.Self or hint is Self:
        return owner
    if typing.get_origin(hint) in _AWAITED:
        hint = typing.get_args(hint)[-1]
    return None if hint is Any or isinstance(hint, TypeVar) else hint


_AWAITED = (collections.abc.Awaitable, collections.abc.Coroutine)


def _innermost(fn: Any) -> tuple[Any, type | None]:
    """Return the function, or the class, whose annotation counts, and whose method it is."""
    called, owner = fn, None
    for _ in range(_MOST_WRAPPED):
        if isinstance(called, type):
            break
        if isinstance(called, functools.partial):
            called = called.func
        elif isinstance(called, types.MethodType):
            owner = called.__self__ if isinstance(called.__self__, type) else type(called.__self__)
            called = called.__func__
        elif (inner := _wrapped(called)) is not None:
            called = inner
        elif isinstance(called, types.FunctionType | types.BuiltinFunctionType | types.WrapperDescriptorType):
            break
        else:  # an object that can be called is annotated there
            owner, called = type(called), type(called).__call__
    return called, owner


_MOST_WRAPPED = 100


def _wrapped(called: Any) -> Any:
    """Return what a decorator has wrapped, unless the wrapper says itself what it returns."""
    inner = inspect.getattr_static(called, "__wrapped__", None)
    if not callable(inner):
        return None
    said = getattr(called, "__annotations__", {}).get("return", _UNSAID)
    return inner if said is _UNSAID or said == getattr(inner, "__annotations__", {}).get("return", said) else None


_UNSAID = object()


def result_keeper(call: StepCall) -> Callable[[Any], tuple[codec.Encoded, Any]]:
    """Return a function that writes a step's result: as the journal keeps it, and as people see it.

    Made before the step runs: if its annotation is of no use, there is no effect yet.

    Raises:
        UnsupportedValue: the annotation cannot be resolved, or pydantic cannot handle it.
    """
    try:
        type_ = call.return_type
        codec.check(type_)
    except TypeError as error:
        raise UnsupportedValue(f"The result of {call.id} could not be kept, so it was not run: {error}") from error

    def keep(value: Any) -> tuple[codec.Encoded, Any]:
        encoded = codec.encode_as(value, type_)
        return encoded, codec.shown_apart(value, encoded) if call.expose else SAME

    return keep


def evaluate(fn: Any, name: str, local: dict[str, Any] | None = None) -> Any:
    """Return the type a function's parameter (or `return`) is annotated with, Any without annotation.

    Raises:
        TypeError: the annotation names something that cannot be found.
    """
    try:
        hint = getattr(fn, "__annotations__", {}).get(name, Any)
        if hint is Any:
            return Any
        names = {**getattr(fn, "__globals__", {}), **(local or {}), **_closure(fn)}
        holder = types.SimpleNamespace(__annotations__={name: hint})
        return typing.get_type_hints(holder, globalns=names, localns=names, include_extras=True)[name]
    except NameError as error:
        raise TypeError(
            f"The annotation of {name!r} of {getattr(fn, '__qualname__', fn)!s} cannot be resolved ({error}); "
            "its values could not be read back. Import the type at run time, at the top of the module."
        ) from error


def _closure(fn: Any) -> dict[str, Any]:
    cells = getattr(fn, "__closure__", None) or ()
    names = fn.__code__.co_freevars if cells else ()
    found = {}
    for name, cell in zip(names, cells, strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found


# -- inside a step -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepInfo:
    """Tell a step which one it is.

    Attributes:
        attempt: from 1.
    """

    run_id: str
    name: str
    n: int
    attempt: int

    @property
    def key(self) -> str:
        """Return what stays the same over all attempts: an idempotency key for effects in the world."""
        return f"{self.run_id}/{self.name}:{self.n}"


_OF_THE_LOOP = frozenset(("decimal_context", "current_async_library_cvar"))

_current: ContextVar[StepInfo] = ContextVar("signoff_step")


def current_step() -> StepInfo:
    """Return which step is running; call it inside a step function.

    Raises:
        RuntimeError: no step is running here.
    """
    try:
        return _current.get()
    except LookupError:
        raise RuntimeError("current_step() answers only inside a function that runs as a step.") from None


@contextmanager
def entering_step(info: StepInfo, variables: Context | None = None) -> Generator[None]:
    """Let `current_step()` answer `info`, and see context variables; for whoever executes steps.

    Args:
        variables: what the workflow's code had set when it asked for the step (`StepCall.context`). What the step sets
            never comes back there.
    """
    # What the loop of a workflow keeps for itself is not for the step: it runs on a loop, and with numbers, of its own.
    given = [(var, value) for var, value in (variables or {}).items() if var.name not in _OF_THE_LOOP]
    tokens = [(var, var.set(value)) for var, value in given]
    token = _current.set(info)
    try:
        yield
    finally:
        _current.reset(token)
        for var, before in tokens:
            var.reset(before)
