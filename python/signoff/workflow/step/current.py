"""What a step knows of itself while it runs."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass


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
