"""A run that nobody works on, as those who act on it and answer its request may rely on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from signoff.testing.histories import RecordedCall


class AnswerGiven(NamedTuple):
    """What `answer` is given: who sends a submission again sends the same."""

    submission: str
    value: bool


@dataclass(frozen=True, slots=True)
class RunState:
    """A run that is there.

    Attributes:
        request: `none`, `pending`, `answered`, or `withdrawn`.
        undone: the request was taken back by a rewind, and cannot be rewound to any more.
        accepted: submissions that counted, as they were sent.
        journal: what was written, but for what begins a run.
    """

    paused: bool = False
    cancelling: bool = False
    ended: bool = False
    request: str = "none"
    undone: bool = False
    accepted: tuple[AnswerGiven, ...] = ()
    journal: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """Return what its row says."""
        if self.ended:
            return "cancelled"
        if self.paused:
            return "paused"
        return "waiting" if self.request == "pending" else "running"

    def written(self, *entries: str) -> RunState:
        """Return this run with more in its journal."""
        return replace(self, journal=(*self.journal, *entries))


ASKED = RunState(request="pending")
"""A run that has just asked."""


class RunModel:
    """A run; None is one that is not there.

    Verbs result in the status afterwards or the code of the refusal; `answer` in `accepted`, `replayed` or such a code;
    `look` in the status, `history` in the journal.
    """

    def __init__(self, initial: RunState | None) -> None:
        self.initial = initial

    def step(self, state: RunState | None, call: RecordedCall) -> Iterable[RunState | None]:
        """Return the states an operation may lead to."""
        result, after = self._do(state, call)
        if call.unknown:
            return [] if after == state else [after]
        return [after] if result == call.result else []

    def _do(self, state: RunState | None, call: RecordedCall) -> tuple[object, RunState | None]:
        if call.name == "start":
            return ("started", RunState()) if state is None else ("known", state)
        if state is None:
            return "run_not_found", None
        match call.name:
            case "look":
                return state.status, state
            case "history":
                return state.journal, state
            case "answer":
                return _answer(state, call.given)
            case "delete":
                return (state.status, None) if state.ended else ("not_ended", state)
        after = VERBS[call.name](state)
        return (after, state) if isinstance(after, str) else (after.status, after)


def _answer(state: RunState, given: AnswerGiven) -> tuple[str, RunState]:
    for known in state.accepted:
        if known.submission == given.submission:
            return ("replayed" if known == given else "submission_reused"), state
    match state.request:
        case "none":
            return "input_not_found", state
        case "answered":
            return "already_decided", state
        case "withdrawn":
            return "withdrawn", state
    after = replace(state, request="answered", accepted=(*state.accepted, given))
    return "accepted", after.written(f"input.answered {given.submission}")


def _pause(state: RunState) -> RunState | str:
    if state.ended:
        return "run_closed"
    return state if state.paused else replace(state, paused=True).written("run.paused")


def _resume(state: RunState) -> RunState | str:
    if state.ended:
        return "run_closed"
    return replace(state, paused=False).written("run.resumed") if state.paused else "not_paused"


def _cancel(state: RunState) -> RunState | str:
    if state.ended:
        return "run_closed"
    entries = [] if state.cancelling else ["run.cancel_requested"]
    entries += ["run.resumed"] if state.paused else []
    return replace(state, cancelling=True, paused=False, request=_withdrawn(state)).written(*entries)


def _terminate(state: RunState) -> RunState | str:
    if state.ended:
        return "run_closed"
    return replace(state, ended=True, paused=False, request=_withdrawn(state)).written("run.terminated")


def _rewind(state: RunState) -> RunState | str:
    """Undo the request, whatever became of it."""
    if state.ended:
        return "run_closed"
    if state.undone or state.request == "none":
        return "unknown_command"
    return replace(state, undone=True, request="withdrawn").written("run.rewound")


def _retry(_: RunState) -> RunState | str:
    return "not_blocked"


def _withdrawn(state: RunState) -> str:
    return "withdrawn" if state.request == "pending" else state.request


VERBS = {
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "terminate": _terminate,
    "rewind": _rewind,
    "retry": _retry,
}
