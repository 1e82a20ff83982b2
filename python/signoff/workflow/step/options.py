"""How a step is run: what its function says, and what the call says over it."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast, overload

from signoff.names import check_text
from signoff.workflow import guard
from signoff.workflow.durations import Duration, duration_ms
from signoff.workflow.step.retry import Retry

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class StepOptions:
    """How a step is run; None: as the function says, or the default."""

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
