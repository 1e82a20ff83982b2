"""How refusals that matter later are written down before they are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from signoff.errors import AlreadyDecided, Expired, SignoffError
from signoff.workflow.decision import AppendEntries, Loaded
from signoff.workflow.denial.rules import ANSWER, WATCHED, denial
from signoff.workflow.input.decide import Who
from signoff.workflow.input.entries import InputAnswered
from signoff.workflow.input.submission import AnswerRequest
from signoff.workflow.run.status import ENDED
from signoff.workflow.view import View

D = TypeVar("D")


def watched(
    decide: Callable[[], D],
    loaded: Loaded,
    key: str,
    who: Who,
    now_ms: int,
    *,
    act: str = ANSWER,
    request: AnswerRequest | None = None,
) -> D | AppendEntries[Any]:
    """Decide; a refusal that matters is written down first, and given then.

    It wakes nobody, and whoever looks at the request sees nothing of it. A run that has ended takes no entries.

    Args:
        decide: makes the decision, or raises.
        loaded: the run it is about, with the request.
        key: `name:n` of the request.
        who: acts.
        now_ms: now, in milliseconds.
        act: `answer`, or the verb.
        request: the answer, if it is one.

    Raises:
        SignoffError: what `decide` raises, unless it is written down.
    """
    try:
        decision = decide()
    except WATCHED as error:
        entry = _entry(loaded, key, who, now_ms, act, request, error)
        if entry is None:
            raise
        refused = error
        return AppendEntries(
            (entry,), _nothing, ready=loaded.ready, wake_at=loaded.wake_at, refusal=lambda _view: refused
        )
    if request is not None and isinstance(decision, AppendEntries) and decision.refusal is not None:
        # The deadline had passed, and this is the first to meet that.
        late = AlreadyDecided if isinstance(decision.entries[-1], InputAnswered) else Expired
        entry = _entry(loaded, key, who, now_ms, act, request, late())
        if entry is not None:
            return replace(decision, entries=(*decision.entries, entry))
    return decision


def _entry(  # noqa: PLR0917
    loaded: Loaded, key: str, who: Who, now_ms: int, act: str, request: AnswerRequest | None, error: SignoffError
) -> Any:
    state = loaded.view.inputs.get(key)
    if state is None or loaded.status in ENDED:
        return None
    return denial(state, act, who, loaded.time(now_ms), error, loaded.public_tail, request)


def _nothing(_view: View, _tail: int) -> None:
    """Reply nothing: it is refused."""
