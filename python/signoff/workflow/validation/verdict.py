"""What a validator is given beside the value, and what it may say instead of taking it or raising `Refused`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from signoff.workflow.entry import DecidedBy

MOST_ERRORS: Final = 50
LONGEST: Final = 1_000
"""Characters of what is said of one field, and of a policy's reason."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a validator is told of an answer, beside its value.

    Attributes:
        action: which of the request's actions was chosen.
        by: who sent it.
        run_id, input_id: what it answers.
        submission_id: the same for every time it is judged, as after a crash: what a validator does in the world can be
            told by it from what it has done already.
    """

    action: str
    by: DecidedBy
    run_id: str
    input_id: str
    submission_id: str


@dataclass(frozen=True, slots=True)
class Decided:
    """A policy's own decision on a request; the row says that it was not a person's, and why.

    Args:
        action: one of the request's actions.
        value: of the request's type; may be None for actions that need none.
        reason: for everybody who sees the request.

    Example:
        >>> def small_ones(claim: Claim) -> Decided | None:
        ...     return Decided("approve", claim, "below 50 EUR") if claim.amount < 50 else None
    """

    action: str
    value: Any = None
    reason: str = ""


def bounded(errors: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return what is said of an answer in bounded size, as a row can carry it."""
    kept = errors[:MOST_ERRORS]
    return [{"pointer": one["pointer"][:LONGEST], "message": one["message"][:LONGEST]} for one in kept]
