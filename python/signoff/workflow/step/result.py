"""How a step's result is kept: as the journal has it, and as people see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from signoff.errors import UnsupportedValue
from signoff.workflow import codec
from signoff.workflow.entry import SAME

if TYPE_CHECKING:
    from signoff.workflow.step.ask import StepCall


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
