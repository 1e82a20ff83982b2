"""What a step knows of itself while it runs."""

from __future__ import annotations

from contextvars import Context, ContextVar, Token
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StepInfo:
    """Which step is running.

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


class EnteredStep:
    """The time in which `current_step()` answers `info` and context variables are seen; for whoever executes steps.

    Args:
        variables: what the workflow's code had set when it asked for the step (`StepCall.context`). What the step sets
            never comes back there.
    """

    __slots__ = ("_before", "_info", "_variables")

    def __init__(self, info: StepInfo, variables: Context | None = None) -> None:
        self._info = info
        self._variables = variables

    def __enter__(self) -> None:
        # What a workflow's loop keeps for itself is not for the step: it runs on a loop, and with numbers, of its own.
        given = [(var, value) for var, value in (self._variables or {}).items() if var.name not in _OF_THE_LOOP]
        self._before: list[tuple[ContextVar[Any], Token[Any]]] = [(var, var.set(value)) for var, value in given]
        self._before.append((_current, _current.set(self._info)))

    def __exit__(self, _kind: object, _error: object, _trace: object) -> None:
        for var, before in reversed(self._before):
            var.reset(before)
