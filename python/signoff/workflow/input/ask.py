"""How the code asks people: a request that can be awaited, revised and withdrawn, and what its end means."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack, overload

from signoff.errors import InputExpired as InputExpiredError
from signoff.errors import InputWithdrawn as InputWithdrawnError
from signoff.errors import InvalidAnswer, UnsupportedValue, WorkflowError
from signoff.names import check_text
from signoff.workflow import codec
from signoff.workflow.claim.entries import InputReleased
from signoff.workflow.durations import Duration, moment
from signoff.workflow.entry import DecidedBy
from signoff.workflow.futures import JournalFuture
from signoff.workflow.handover.entries import InputAmended
from signoff.workflow.input.actions import Action, Actions, Offered, offered, offered_apart
from signoff.workflow.input.answer import UNSET, Answer, Done, Unset, Vote, who_answered
from signoff.workflow.input.entries import (
    InputAnswered,
    InputEscalated,
    InputExpired,
    InputRecalled,
    InputReminded,
    InputRequested,
    InputRevised,
    InputWithdrawn,
)
from signoff.workflow.input.hook import ReminderHook
from signoff.workflow.input.options import RequestOptions, check_options
from signoff.workflow.input.rules import rules_of
from signoff.workflow.input.schedule import Schedule, TimedEntry
from signoff.workflow.input.schema import schema_of
from signoff.workflow.input.spec import check_spec
from signoff.workflow.input.times import Calendar, Escalation, When, asked_times, check_plan, revised_times
from signoff.workflow.offer import Feeds, Offer
from signoff.workflow.validation.ask import NO_CHECKS, Checks, OpenValidation
from signoff.workflow.validation.entries import InputSubmitted
from signoff.workflow.vote.entries import InputVoted
from signoff.workflow.vote.quorum import check_quorum

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands

T = TypeVar("T")
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
    def answered_by_now(self) -> bool:
        """Tell whether an answer was accepted."""
        return self._answer is not None

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
        self.fail(_withdrawal(self.id, reason))
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
        self._answer = Answer(value, entry.action, entry.by, moment(entry.at), votes)
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(self._answer)

    def decided_by(self) -> list[str]:
        """Return the people who had a part in its answer: who gave it, and all who voted."""
        return [] if self._answer is None else who_answered(self._answer)

    def fail(self, error: WorkflowError | InvalidAnswer) -> None:
        """Resolve with an error."""
        self._failure = error
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)


class Requests(Offer):
    """Questions to people."""

    __slots__ = ()

    @overload
    def await_input(
        self,
        name: str,
        type: type[T],
        *,
        title: str,
        actions: Sequence[str] | Mapping[str, Action[None] | None] = ("submit",),
        **options: Unpack[RequestOptions],
    ) -> InputRequest[T]: ...
    @overload
    def await_input(
        self,
        name: str,
        type: Any,
        *,
        title: str,
        actions: Sequence[str] | Mapping[str, Action[None] | None] = ("submit",),
        **options: Unpack[RequestOptions],
    ) -> InputRequest[Any]: ...
    @overload
    def await_input(
        self,
        name: str,
        *,
        title: str,
        actions: dict[str, type[T] | Action[T]],
        **options: Unpack[RequestOptions],
    ) -> InputRequest[T]: ...
    @overload
    def await_input(
        self,
        name: str,
        *,
        title: str,
        actions: dict[str, type[T] | Action[T] | None],
        **options: Unpack[RequestOptions],
    ) -> InputRequest[T | None]: ...
    @overload
    def await_input(
        self,
        name: str,
        *,
        title: str,
        actions: Mapping[str, Any],
        **options: Unpack[RequestOptions],
    ) -> InputRequest[Any]: ...
    def await_input(
        self,
        name: str,
        type: Any = UNSET,  # noqa: A002 - it reads as what it is at the call
        *,
        title: str,
        actions: Actions = ("submit",),
        **options: Unpack[RequestOptions],
    ) -> InputRequest[Any]:
        """Ask people; the request appears in their browsers, and the answer comes back when awaited.

        Args:
            name: explicit and stable, as for steps.
            type: what is asked for: a pydantic model, dataclass, TypedDict or plain type. Its JSON Schema is the form.
                Left out where each action has a type of its own.
            title: plain text.
            actions: what may be chosen: names, if there is a type for all. With `submit`, `approve`, `edit` and
                `respond` the value must fit it; with others (`reject`, `back`) it may be left out. Without such a type:
                a mapping of names to what each takes, a type, None for nothing, or an `Action` of one that also says
                how it is shown.
            description: Markdown.
            show: what the person looks at; any JSON-like value, models included.
            initial: what the form starts with.
            ui: hints for rendering.
            to: principals that may answer, e.g. `user:alice`, `group:finance`; empty: operators only.
            forbid: principals that may not, though in `to`. A request, or an `Answer`, stands for whoever had a part
                in it: nobody decides both, whichever comes first. None, as `ctx.started_by` may be, forbids nobody.
            quorum: how many of those asked have to agree, e.g. `Quorum(2, veto=["reject"])`; unless given, the first
                to answer decides. It goes without `validate`.
            claim: how long somebody who claims it has it alone, unless they say otherwise, e.g. `30m`; 10 minutes.
            claim_required: nobody answers it who has not claimed it.
            deadline: a duration from now, an aware datetime, or a function of now that returns one (a calendar). If
                nobody has answered by then, awaiting raises `InputExpired`, unless there is a `default`.
            remind: when to remind, each once: durations from now, datetimes, calendars, or `Before(duration)` for a
                time before the deadline.
            escalate: from when on others are asked, each an `Escalation`.
            default: the answer at the deadline, a `Default(action, value)`; its `by.kind` is `timeout`.
            on_remind: a function, async or not, run as a step of the name `remind.NAME` at each reminder, with a
                `Reminder`. The code does not wait for it.
            expose: the accepted value may be seen by whoever may see the run.
            validate: judges an answer before it is taken, on a worker, outside the journal, with I/O if it likes;
                async, or not (in a thread). It is given the value as your code would get it and, if it wants a second
                argument, the `Submission`; then it sees answers without a value too. It returns None to take the answer
                as it is, a corrected value of the same type, or `Decided` to decide otherwise; it raises `Refused` with
                what is wrong, and the request stays open with that shown to everybody. If it raises anything else,
                takes too long or its worker dies, nothing is consumed; it may be called again for the same answer.
            validate_timeout: how long that may take; 30 s unless given.
            decide: a policy that is asked once before people are, without arguments, on a worker as `validate` is. It
                returns `Decided`, or None to leave it to people.

        Example:
            >>> answer = await ctx.await_input("approve", Decision, title="Approve?", to=["group:finance"])
            >>> tool = await ctx.await_input("tool", actions={"approve": None, "edit": Args}, title="Run it?")
        """
        return ask_people(self._commands, name, offering(type, actions), title=title, options=options)


def offering(type_: Any, actions: Actions) -> Offered:
    """Read what may be chosen at a request.

    Args:
        type_: of all actions; `UNSET`: each has its own.
        actions: as `Context.await_input` takes them.
    """
    return offered_apart(actions) if isinstance(type_, Unset) else offered(actions, type_)


def ask_people(
    commands: Commands,
    name: str,
    offer: Offered,
    *,
    title: str,
    options: RequestOptions,
    policy: dict[str, Any] | None = None,
) -> InputRequest[Any]:
    """Ask for an input; see `Requests.await_input`.

    Args:
        offer: what may be chosen.
        policy: rules that follow from where it is asked.
    """
    check_options(options)
    to = tuple(options.get("to", ()))
    forbid, apart = _forbidden(options.get("forbid", ()))
    checks = Checks.of(offer, options)
    rules = {**(policy or {}), **apart, **rules_of(options, checks.policy)}
    spec = {
        "title": title,
        "description": options.get("description"),
        "schema": {} if offer.types is not None else schema_of(offer.type),
        "ui": codec.public_json(options.get("ui")),
        "show": codec.public_json(options.get("show")),
        "initial": codec.public_json(options.get("initial")),
        **offer.spec(),
    }
    check_spec(spec | {"to": list(to), "forbid": list(forbid)})
    check_quorum(rules, to, spec["actions"])
    check_plan(options, len(to) + len(forbid))
    spec = {member: value for member, value in spec.items() if value is not None}
    if commands.swallows_its_end():
        return InputRequest(commands, "", offer, None)
    on_remind = options.get("on_remind")
    hook = None if on_remind is None else ReminderHook(commands, name, on_remind, title, to)
    id_, _ = commands.next_id(name, "name of a request")
    due = None
    if not commands.recalls(InputRequested, id_):  # what it says counts, whatever a calendar would say now
        due, timed = asked_times(options, offer, commands.now_ms)
        rules |= timed
    expose = options.get("expose", False)
    asked = commands.issue(InputRequested, id_, id_, spec, to, forbid, due, expose, rules or None)
    request: InputRequest[Any] = InputRequest(commands, id_, offer, asked)
    request.hook, request.checks = hook, checks
    commands.inputs[id_] = request
    return request


def _forbidden(given: Sequence[str | InputRequest[Any] | Answer[Any] | None]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return who may not answer, and what the policy says of requests that are not to be decided by the same people."""
    principals: list[Any] = [one for one in given if one is not None and not isinstance(one, InputRequest | Answer)]
    apart: list[str] = []
    for one in given:
        if isinstance(one, InputRequest) and one.id not in apart:
            apart.append(one.id)
        if isinstance(one, InputRequest | Answer):
            people = who_answered(one) if isinstance(one, Answer) else one.decided_by()
            principals += [who for who in people if who not in principals]
    return tuple(principals), {"apart": apart} if apart else {}


def _happened(commands: Commands, entry: InputReminded | InputEscalated) -> None:
    found = commands.inputs.get(entry.id)
    if found is not None and found.schedule.awaits(entry):
        found.schedule = found.schedule.happened(entry)
        if found.hook is not None:
            found.hook.happened(entry, found.deadline_ms)


def _answered(commands: Commands, entry: InputAnswered) -> None:
    found = commands.inputs.pop(entry.id, None)
    if found is not None:
        found.answered(entry)


def _expired(commands: Commands, entry: InputExpired) -> None:
    found = commands.inputs.pop(entry.id, None)
    if found is not None:
        found.fail(InputExpiredError(f"The deadline of {entry.id} passed and nobody answered.", input=entry.id))


def _recalled(commands: Commands, entry: InputRecalled) -> None:
    found = commands.inputs.pop(entry.id, None)
    if found is not None:
        found.fail(_withdrawal(entry.id, entry.reason))


def _withdrawal(id_: str, reason: str | None) -> InputWithdrawnError:
    why = f": {reason}" if reason else ""
    return InputWithdrawnError(f"The request {id_} was withdrawn{why}.", input=id_)


FEEDS: Feeds = {
    InputReminded: _happened,
    InputEscalated: _happened,
    InputAnswered: _answered,
    InputExpired: _expired,
    InputRecalled: _recalled,
}
