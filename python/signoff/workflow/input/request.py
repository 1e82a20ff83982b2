"""A request for input as the code has it: pending until it is answered, expires or is withdrawn."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from signoff.errors import InputWithdrawn as InputWithdrawnError
from signoff.errors import InvalidAnswer, UnsupportedValue, WorkflowError
from signoff.names import check_text
from signoff.workflow import codec
from signoff.workflow.claim.entries import InputReleased
from signoff.workflow.durations import Duration, moment
from signoff.workflow.entry import DecidedBy
from signoff.workflow.futures import JournalFuture
from signoff.workflow.handover.entries import InputAmended
from signoff.workflow.input.actions import Actions, Offered
from signoff.workflow.input.answer import UNSET, Answer, Done, Unset, Vote, who_answered
from signoff.workflow.input.entries import (
    InputAnswered,
    InputRequested,
    InputRevised,
    InputWithdrawn,
)
from signoff.workflow.input.hook import ReminderHook
from signoff.workflow.input.schedule import Schedule, TimedEntry
from signoff.workflow.input.spec import check_spec
from signoff.workflow.input.state import outlives
from signoff.workflow.input.times import Calendar, Escalation, When, revised_times
from signoff.workflow.validation.ask import NO_CHECKS, OpenValidation
from signoff.workflow.validation.entries import InputSubmitted
from signoff.workflow.vote.entries import InputVoted
from signoff.workflow.vote.quorum import check_quorum

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands

T_co = TypeVar("T_co", covariant=True)


class InputRequest(Generic[T_co]):
    """A request for input: pending until it is answered, expires or is withdrawn.

    Awaiting gives the `Answer`, as often as one likes; giving the wait up (a timeout, a cancelled task) withdraws the
    request, so that nobody is asked in vain.

    Attributes:
        id: `name:n`.

    Raises (when awaited):
        InputExpired: the deadline passed.
        InputWithdrawn: it was taken back.
        InvalidAnswer: the value matched the JSON Schema, but not the Python type; `extra["errors"]` tells where.

    Example:
        >>> request = ctx.await_input("approve", Decision, title="Approve?", to=["group:finance"], deadline="3d")
        >>> await request.revise(show=newer)
        >>> answer = await request
    """

    __slots__ = (
        *("_answer", "_asked", "_commands", "_failure", "_offered", "_waiters"),
        *("checks", "claimed_until", "deciding", "hook", "id", "place", "schedule", "submission", "votes"),
    )

    def __init__(self, commands: Commands, id_: str, offered_: Offered, asked: InputRequested | None) -> None:
        policy = {} if asked is None or asked.policy is None else asked.policy
        self.id = id_
        self.schedule = Schedule() if asked is None else Schedule.of(asked.policy, asked.deadline)
        self.hook: ReminderHook | None = None
        self.place: dict[str, Any] | None = policy.get("wizard")
        self.checks = NO_CHECKS
        self.submission: InputSubmitted | None = None
        self.deciding = "decides" in policy
        self.claimed_until: int | None = None
        self.votes: dict[str, InputVoted] = {}
        self._asked = asked
        self._commands = commands
        self._offered = offered_
        self._answer: Answer[T_co] | None = None
        self._failure: WorkflowError | InvalidAnswer | None = None
        self._waiters: list[JournalFuture[Answer[T_co]]] = []

    @property
    def pending(self) -> bool:
        """Tell whether it can still be answered."""
        return self._answer is None and self._failure is None

    @property
    def actions(self) -> list[str]:
        """Return what may be chosen."""
        return self._offered.names

    @property
    def answered_by_people(self) -> bool:
        """Tell whether an answer was accepted, and no rule's."""
        return self._answer is not None and self._answer.by.kind in {"person", "operator"}

    def __await__(self) -> Generator[Any, None, Answer[T_co]]:
        if self._answer is not None:
            return self._answer
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        waiter: JournalFuture[Answer[T_co]] = self._commands.pending(self.id, self._given_up)
        self._waiters.append(waiter)
        return (yield from waiter)

    def revise(
        self,
        *,
        title: str | Unset = UNSET,
        description: str | Unset | None = UNSET,
        show: Any = UNSET,
        initial: Any = UNSET,
        ui: dict[str, Any] | Unset | None = UNSET,
        actions: Actions | Unset = UNSET,
        to: Sequence[str] | Unset = UNSET,
        deadline: Duration | datetime | Calendar | Unset | None = UNSET,
        remind: Sequence[When] | Unset = UNSET,
        escalate: Sequence[Escalation] | Unset = UNSET,
    ) -> Done:
        """Change a request. An answer to what the person no longer sees is refused as stale.

        Who is asked, and until when, does not make an answer stale.

        Takes effect at once; awaiting the result gives True, or False if the request was already decided.

        Args:
            actions: where each has a type of its own: some of their names, or others with their types.
            deadline: counts from now; None: no deadline any more. What counts back from it moves with it.
            remind, escalate: each replaces what of its kind is to come, and counts from now. The others are as in
                `Context.await_input`.
        """
        offered_ = self._offered if isinstance(actions, Unset) else self._offered.revised(actions)
        given = {"title": title, "description": description, "show": show, "initial": initial, "ui": ui}
        given |= {} if offered_ is self._offered else offered_.spec()
        given |= {"to": to}
        changes = {name: codec.public_json(value) for name, value in given.items() if value is not UNSET}
        check_spec(changes)
        if self._asked is not None and ("to" in changes or "actions" in changes):
            asked_of = changes.get("to", self._asked.to)
            check_quorum(self._asked.policy, asked_of, changes.get("actions", self.actions))
        times = {"deadline": deadline, "remind": remind, "escalate": escalate}
        times = {name: value for name, value in times.items() if value is not UNSET}
        if not (changes or times) or not self.pending:
            return Done(False)
        if times and not self._commands.recalls(InputRevised, self.id):
            changes |= revised_times(times, self.schedule, self._commands.now_ms)
        self._offered = offered_
        self.revised(self._commands.issue(InputRevised, self.id, self.id, changes))
        return Done(True)

    def revised(self, entry: InputRevised | InputAmended) -> None:
        """Take note of a revision, the code's own or an operator's."""
        if self.submission is not None and not outlives(self.submission.by, entry.changes):
            self.submission = None  # it was to something else
        self.schedule = self.schedule.revised(entry.changes, entry.at)
        if self.hook is not None:
            self.hook.revised(entry.changes)

    def withdraw(self, reason: str | None = None) -> Done:
        """Take the request back; whoever awaits it gets `InputWithdrawn`.

        Takes effect at once; awaiting the result gives True, or False if the request was already decided.
        """
        check_text(reason, "reason of a withdrawal")
        if not self.pending:
            return Done(False)
        commands = self._commands
        if commands.inputs.pop(self.id, None) is not None and not commands.stopped():
            commands.issue(InputWithdrawn, self.id, self.id, reason)
        self.fail(withdrawal(self.id, reason))
        return Done(True)

    # -- what is due by time ---------------------------------------------------------------------------------------

    @property
    def deadline_ms(self) -> int | None:
        """Return its deadline in milliseconds, or None."""
        return self.schedule.deadline

    def due_at(self, now_ms: int | None = None) -> int | None:
        """Return when something is to happen to it by itself, in milliseconds; None: never, or not before a verdict.

        Args:
            now_ms: what is overdue by now, and passed over, does not count.
        """
        if self.validation is not None:
            return None
        times = (self.schedule.next_at(now_ms), self.claimed_until)
        return min((at for at in times if at is not None), default=None)

    def due(self, now_ms: int) -> TimedEntry | InputReleased:
        """Return what happens to it then."""
        at, claimed = self.schedule.next_at(now_ms), self.claimed_until
        if claimed is not None and (at is None or claimed < at):
            return InputReleased(now_ms, self.id, DecidedBy("timeout"), "expired")
        return self.schedule.due(self.id, now_ms)

    # -- what is judged --------------------------------------------------------------------------------------------

    @property
    def validation(self) -> OpenValidation | None:
        """Return what a worker is to judge about it; None: nothing."""
        if self.submission is None and not self.deciding:
            return None
        return OpenValidation(self._commands.run_id, self.id, self.submission, self.checks, self._offered)

    # -- what the machine tells ------------------------------------------------------------------------------------

    def _given_up(self, waiter: JournalFuture[Any]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        if self.pending:
            self.withdraw("no longer awaited")

    def answered(self, entry: InputAnswered) -> None:
        """Resolve with an accepted answer."""
        try:
            value: Any = self._offered.read(entry.action, entry.value, checked=entry.checked)
            votes = tuple(
                Vote(self._offered.read(vote.action, vote.value), vote.action, vote.by, moment(vote.at))
                for vote in (self.votes[id_] for id_ in entry.votes)
            )
        except UnsupportedValue as error:
            self.fail(InvalidAnswer(f"The answer to {self.id} cannot be read: {error}", **error.extra))
            return
        judged = self.submission
        sent_by = judged.by if judged is not None and entry.by.kind == "policy" else None
        self._answer = Answer(value, entry.action, entry.by, moment(entry.at), votes, sent_by, entry.reason)
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(self._answer)

    def decided_by(self) -> list[str]:
        """Return the people who had a part in its answer: who gave it, even if a policy then decided, and who voted."""
        return [] if self._answer is None else who_answered(self._answer)

    def fail(self, error: WorkflowError | InvalidAnswer) -> None:
        """Resolve with an error."""
        self._failure = error
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)


def withdrawal(id_: str, reason: str | None) -> InputWithdrawnError:
    """Return what the code gets for a request that was taken back."""
    why = f": {reason}" if reason else ""
    return InputWithdrawnError(f"The request {id_} was withdrawn{why}.", input=id_)
