"""What outsiders may do to a request for input: answer it.

Checks come in a fixed order, so that every refusal says the first thing that matters to the person (protocol, section
8.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import orjson

from signoff.errors import (
    AlreadyDecided,
    BadRequest,
    BeingValidated,
    Expired,
    InputNotFound,
    InvalidAnswer,
    NotInAudience,
    Stale,
    SubmissionReused,
    Withdrawn,
)
from signoff.frozen import frozen
from signoff.streams import offset
from signoff.workflow.claim import lease
from signoff.workflow.decision import AlreadyDone, AppendEntries, Loaded, LoadWhole, Remember
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.answer_faults import faults_of
from signoff.workflow.input.audience import judged_sender
from signoff.workflow.input.entries import InputAnswered
from signoff.workflow.input.evidence import seen
from signoff.workflow.input.state import InputState
from signoff.workflow.input.submission import AnswerRequest, EncodedAnswer, FileFaults, is_meant
from signoff.workflow.validation.decide import JudgedAnswer, is_judged, kept_of_refusal, not_judged, refusal
from signoff.workflow.validation.entries import InputRefused, InputSubmitted
from signoff.workflow.view import View
from signoff.workflow.vote import count
from signoff.workflow.wizard.decide import go_back, goes_back

SCOPE: Final = "answer"
"""The scope in which submission ids are unique."""

VALIDATING: Final = "validating"
"""The outcome of an answer that is being judged."""

ANOTHER: Final = "is another one now: the run of the one you saw was deleted and its id used again, or it was rewound"


@dataclass(frozen=True, slots=True)
class Who:
    """Who answers.

    Attributes:
        principals: `user:{sub}` and `group:{g}` of a person; empty for the local operator.
        by: as it will stand in the row.
        operator: may answer without being asked.
        via: what proves who it is, for the evidence and nobody else: `token:{jti}` or `link:{id}`; None: nothing that
            has a name.
    """

    principals: frozenset[str]
    by: DecidedBy
    operator: bool = False
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Accept:
    """The answer may be recorded."""


@dataclass(frozen=True, slots=True)
class ExpireNow:
    """The deadline has passed: that is recorded (`input.expired`, or the default), and the answer refused."""


@frozen
class Accepted:
    """An answer that was accepted.

    Attributes:
        offset: position in the run's stream from which the decided row is visible.
        txid: the submission id, as it stands in the headers of the rows it changed.
        row: the input row as decided.
        replayed: this submission had been accepted before; the first outcome is repeated.
        outcome: `accepted`; `voted` if others have to agree; `validating` while the workflow's own code judges it:
            nothing is decided then, and the row tells what comes of it.
    """

    offset: str
    txid: str
    row: dict[str, Any]
    replayed: bool
    outcome: str = "accepted"

    @property
    def validating(self) -> bool:
        """Tell whether it is still being judged."""
        return self.outcome == VALIDATING

    def dumps(self) -> bytes:
        """Write as JSON, for when the same submission comes again."""
        more = {} if self.outcome == "accepted" else {"outcome": self.outcome}
        return orjson.dumps({"offset": self.offset, "txid": self.txid, "row": self.row, **more})

    @classmethod
    def loads(cls, data: bytes) -> Accepted:
        """Read what `dumps` wrote, as what is repeated."""
        outcome = orjson.loads(data)
        kind = outcome.get("outcome", "accepted")
        return cls(outcome["offset"], outcome["txid"], outcome["row"], replayed=True, outcome=kind)


def answer(
    loaded: Loaded,
    key: str,
    request: AnswerRequest,
    who: Who,
    now_ms: int,
    *,
    encoded: EncodedAnswer | None = None,
    files: FileFaults | None = None,
) -> AppendEntries[Accepted] | AlreadyDone[Accepted] | LoadWhole:
    """Decide what becomes of an answer. One that comes after the deadline ends the request, and is refused then.

    Args:
        loaded: the run that asked, with the request, and what it remembers under the submission id in `SCOPE`.
        key: `name:n` of the request.
        request: the submission.
        who: the person, or the operator, that answers.
        now_ms: now, in milliseconds.
        encoded: the submission, if it is encoded already.
        files: says what is wrong with the attachments of the value; None: it has none.

    Whoever's answer is judged counts as who decides that request, and may not decide what is kept apart from it.

    Raises:
        InputNotFound: nobody asked this.
        NotInAudience: this person was not asked.
        SubmissionReused: the submission id was used for another answer.
        BadRequest: what the person says to have seen is not written yet.
        Stale, AlreadyDecided, Expired, Withdrawn: the request is no longer what the person saw; `row` tells.
        ClaimedByOther, NotClaimed: somebody else works on it, or somebody has to first.
        InvalidAnswer: the value does not match the schema.
    """
    state = loaded.view.inputs.get(key)
    if state is None:
        raise InputNotFound(f"The run {loaded.run.row['id']!r} has no request {key[:140]!r}.")
    value, digest, _ = encoded or EncodedAnswer.of(key, request, who)
    if loaded.remembered is not None and loaded.remembered.digest == digest:
        return AlreadyDone(remembered_outcome(loaded.remembered.outcome, state.row))
    if state.judging == request.submission_id and state.policy["judged"]["digest"] == digest:
        return AlreadyDone(_accepted(key, request, VALIDATING, loaded.view, loaded.public_tail))
    # Whoever was not asked learns that first. `decide_answer` sees to it; what is refused before it does, too.
    if loaded.remembered is not None or state.judging == request.submission_id:
        check_audience(state, who)
        raise SubmissionReused(
            f"The submission id {request.submission_id!r} was already used for another answer in this run; "
            "this answer was not recorded. Send it under a new id.",
            row=state.row,
        )
    # What was seen of another request is no offset of this run's stream.
    if request.is_for(state.row) and offset.decode(request.seen_offset) > loaded.public_tail:
        check_audience(state, who)
        raise _not_seen(request)
    at = loaded.time(now_ms)
    apart = [] if goes_back(state, request) is not None else _apart(loaded.view, state)
    if isinstance(decide_answer(state, request, who, at, apart, files=files), ExpireNow):
        return expire_now(loaded, state, at)
    remember = Remember(SCOPE, request.submission_id, digest, Accepted.dumps)
    evidence = seen(state, request.seen_offset, who.via)
    if goes_back(state, request) is not None:
        accepted = partial(_accepted, key, request, "accepted")
        may = partial(check_audience, who=who)
        return go_back(
            loaded, state, request, at, by=who.by, may=may, evidence=evidence, remember=remember, reply=accepted
        )
    sent = (at, key, request.submission_id, digest, request.action, value, who.by)
    if is_judged(state, request):
        submitted = partial(_accepted, key, request, VALIDATING)
        return AppendEntries((InputSubmitted(*sent, evidence=evidence),), submitted, wake_at=loaded.wake_at)
    answered = InputAnswered(*sent, evidence=evidence)
    entries = count.entries_of(state, answered, asked=not who.principals.isdisjoint(state.to))
    outcome = "accepted" if isinstance(entries[-1], InputAnswered) else "voted"
    return AppendEntries(
        entries,
        partial(_accepted, key, request, outcome),
        wake_at=loaded.wake_at,
        remember=remember,
    )


def is_late(state: InputState, now_ms: int) -> bool:
    """Tell whether the deadline of a request has passed; what is judged by then is waited for."""
    return state.deadline_ms is not None and now_ms >= state.deadline_ms and not state.validating


def expire_now(loaded: Loaded, state: InputState, at: int) -> AppendEntries[Any]:
    """Return the decision to end a request whose deadline has passed, and to refuse what came too late with that."""
    key = state.row["id"]
    refusal = partial(_late, key)
    return AppendEntries((state.schedule.ended(key, at),), _nothing, wake_at=loaded.wake_at, refusal=refusal)


def _nothing(_view: View, _tail: int) -> None:
    """Reply nothing: it is refused."""


def _accepted(key: str, request: AnswerRequest, outcome: str, view: View, tail: int) -> Accepted:
    row = view.inputs[key].row
    return Accepted(offset.encode(tail), request.submission_id, row, replayed=False, outcome=outcome)


def remembered_outcome(outcome: bytes, row: dict[str, Any]) -> Accepted:
    """Return what the same submission was told before, which a run has remembered.

    Raises:
        InvalidAnswer: it was refused, by the workflow's validator.
    """
    if (refused := refusal(outcome, row)) is not None:
        raise refused
    return Accepted.loads(outcome)


def _apart(view: View, state: InputState) -> list[InputState]:
    """Return the requests that are not to be decided by the same people."""
    others = (view.inputs.get(one) for one in state.policy.get("apart", ()))
    return [one for one in others if one is not None]


def settled(loaded: Loaded, key: str, request: AnswerRequest, who: Who, digest: str) -> Accepted | None:
    """Return what became of an answer that was to be judged; None: it still is.

    Raises:
        InvalidAnswer: it was refused.
        AlreadyDecided, Expired, Withdrawn, Stale: the request went on without it.
        NotInAudience: whoever sent it may not decide the request any more.
        NotValidated: there was no verdict.
    """
    state = loaded.view.inputs.get(key)
    if state is None:
        raise InputNotFound(f"The run {loaded.run.row['id']!r} has no request {key[:140]!r}.")
    if loaded.remembered is not None and loaded.remembered.digest == digest:
        return replace(remembered_outcome(loaded.remembered.outcome, state.row), replayed=False)
    if state.judging == request.submission_id:
        return None
    if not state.pending:
        raise already_decided(state.row)
    if not request.is_for(state.row) or offset.decode(request.seen_offset) < offset.decode(state.row["revised"]):
        raise _stale(state.row, request)
    check_audience(state, who)
    raise not_judged(state.row)


def kept_of(verdicts: Sequence[InputAnswered | InputRefused], view: View, tail: int) -> list[JudgedAnswer]:
    """Return what a run remembers of verdicts that are written.

    Args:
        verdicts: on what was being judged before.
        view, tail: the rows, and the number of messages in the run's stream, afterwards.
    """
    kept: list[JudgedAnswer] = []
    for entry in verdicts:
        if isinstance(entry, InputRefused):
            kept.append(kept_of_refusal(entry))
        else:
            accepted = Accepted(offset.encode(tail), entry.submission_id, view.inputs[entry.id].row, replayed=False)
            kept.append(JudgedAnswer(entry.submission_id, entry.digest, accepted.dumps()))
    return kept


def _late(key: str, view: View) -> Expired | AlreadyDecided:
    row = view.inputs[key].row
    if row["status"] == "answered":
        return AlreadyDecided(
            f"The deadline of {key!r} passed at {row['deadline']}, and the answer is then {row['action']!r} by itself; "
            "nothing was recorded of this.",
            row=row,
        )
    return Expired(f"The deadline of {key!r} passed at {row['deadline']}; nothing was recorded of this.", row=row)


def _not_seen(request: AnswerRequest) -> BadRequest:
    return BadRequest(
        f"/seen_offset {request.seen_offset} is beyond the run's stream, so nobody can have seen it; "
        "nothing was recorded. Send the `revised` of the row that was shown."
    )


def decide_answer(
    state: InputState,
    request: AnswerRequest,
    who: Who,
    now_ms: int,
    apart: Sequence[InputState] = (),
    *,
    files: FileFaults | None = None,
) -> Accept | ExpireNow:
    """Decide what becomes of an answer; nothing is changed.

    Args:
        state: the request as it is.
        request: the submission. That its id is new has been checked against the ledger.
        who: the caller.
        now_ms: now, in milliseconds.
        apart: the requests that are not to be decided by the same people.
        files: says what is wrong with the attachments of the value; None: it has none.

    Raises:
        NotInAudience: the caller was not asked, or is forbidden to answer.
        AlreadyDecided, Expired, Withdrawn: it is decided; with the current `row`.
        ClaimedByOther, NotClaimed: somebody else works on it, or somebody has to first.
        Stale: it was revised after the person saw it, or they saw another; with the current `row`.
        BeingValidated: another answer is being judged, or one by the caller to what is kept apart; with the current
            `row`.
        InvalidAnswer: the action is not offered, or the value does not match the schema; with `errors`.
    """
    check_audience(state, who)
    row = state.row
    if not state.pending:
        raise already_decided(row)
    if is_late(state, now_ms):
        return ExpireNow()
    if not request.is_for(row):
        raise _stale(row, request)
    lease.check_claim(state, who.by, now_ms)
    if offset.decode(request.seen_offset) < offset.decode(row["revised"]):
        raise _stale(row, request)
    if state.validating:
        raise BeingValidated(
            f"Another answer to {row['id']} is being checked just now; yours was not recorded. Look again in a moment.",
            row=row,
        )
    for other in apart:
        if other.judging is not None and judged_sender(other) in who.principals:
            raise BeingValidated(
                f"Your answer to {other.row['id']} is being checked just now, and nobody decides both that and "
                f"{row['id']}; nothing was recorded of this. Look again in a moment.",
                row=row,
            )
    if errors := faults_of(row, request, files):
        raise InvalidAnswer(
            "The answer does not match what was asked; nothing was recorded and the request is still open.",
            errors=errors,
            row=row,
        )
    return Accept()


def _stale(row: dict[str, Any], request: AnswerRequest) -> Stale:
    what = "was revised after you saw it" if request.is_for(row) else ANOTHER
    return Stale(f"The request {row['id']} {what}; your answer was not recorded. Look again.", row=row)


def check_audience(state: InputState, who: Who) -> None:
    """Refuse whoever was not asked.

    Raises:
        NotInAudience: the caller was not asked, or is forbidden to answer.
    """
    if not who.principals.isdisjoint(state.forbid):
        raise NotInAudience(f"You may not decide on {state.row['id']} yourself; somebody else must.")
    check_asked(state, who)


def check_asked(state: InputState, who: Who) -> None:
    """Refuse whoever the request is not for, though it may be for somebody who may not decide it.

    Raises:
        NotInAudience: the caller was not asked.
    """
    if not who.operator and who.principals.isdisjoint(state.to):
        raise NotInAudience(f"You are not among those who were asked {state.row['id']}; nothing was recorded.")


def check_which(state: InputState, asked_at: str | None, done: str) -> None:
    """Refuse what is meant for another request, which stood at this one's place before.

    Raises:
        Stale: `asked_at` is another's; with the current `row`. `done` says in a word what was not.
    """
    if not is_meant(asked_at, state.row):
        raise Stale(f"The request {state.row['id']} {ANOTHER}; nothing was {done}. Look again.", row=state.row)


def already_decided(row: dict[str, Any]) -> AlreadyDecided | Expired | Withdrawn:
    """Return the refusal of whatever comes to a request that is decided."""
    match row["status"]:
        case "expired":
            return Expired(f"The deadline of {row['id']} has passed; nothing was recorded.", row=row)
        case "withdrawn":
            return Withdrawn(f"The request {row['id']} was taken back; nothing was recorded.", row=row)
    return AlreadyDecided(f"The request {row['id']} is already decided; nothing was recorded.", row=row)
