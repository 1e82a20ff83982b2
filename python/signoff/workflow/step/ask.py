"""Steps as the code asks for them."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from signoff.errors import UnsupportedValue
from signoff.workflow import codec
from signoff.workflow.entry import SAME
from signoff.workflow.futures import Asked
from signoff.workflow.step.retry import Retry
from signoff.workflow.step.types import return_type


@dataclass(slots=True, eq=False)
class StepCall:
    """An open step: what to call, and how often it was tried.

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
