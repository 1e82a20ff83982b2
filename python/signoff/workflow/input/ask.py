"""How the code asks people: what a request may have, and what the journal says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from signoff.errors import InputExpired as InputExpiredError
from signoff.workflow import codec
from signoff.workflow.input.actions import Action, Actions, Offered, offered, offered_apart
from signoff.workflow.input.announce import Announcements, check_announce
from signoff.workflow.input.answer import UNSET, Answer, Unset, who_answered
from signoff.workflow.input.entries import (
    InputAnswered,
    InputEscalated,
    InputExpired,
    InputRecalled,
    InputReminded,
    InputRequested,
)
from signoff.workflow.input.hook import ReminderHook
from signoff.workflow.input.options import RequestOptions, check_options
from signoff.workflow.input.request import InputRequest, withdrawal
from signoff.workflow.input.rules import rules_of
from signoff.workflow.input.schema import schema_of
from signoff.workflow.input.spec import check_list, check_spec
from signoff.workflow.input.times import asked_times, check_plan
from signoff.workflow.offer import Feeds, Offer
from signoff.workflow.validation.ask import Checks

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


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
            announce: an output of the run that is to say so to a chat: a `dict` with `output`, its name, and
                `tool_call_id`; see `Announce`. It is written once people are asked, by the step `announce.NAME`.

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
    tool: tuple[str, Any] | None = None,
) -> InputRequest[Any]:
    """Ask for an input; see `Requests.await_input`.

    Args:
        offer: what may be chosen.
        policy: rules that follow from where it is asked.
        tool: its name and its arguments, if it is about a tool.
    """
    check_options(options)
    check_announce(options.get("announce"))
    check_list("to", options.get("to", ()))
    check_list("forbid", options.get("forbid", ()))
    to = tuple(options.get("to", ()))
    forbid, apart = _forbidden(options.get("forbid", ()))
    checks = Checks.of(offer, options, remembered=bool(policy and policy.get("tool", {}).get("remember")))
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
    check_plan(options, len(to) + len(forbid))
    rules = {**(policy or {}), **apart, **rules_of(options, checks.policy, offer.names, forbid)}
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
    if announced := options.get("announce"):
        commands.announced = commands.announced or Announcements(commands)
        commands.announced.add(request, announced, tool)
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
        found.fail(withdrawal(entry.id, entry.reason))


FEEDS: Feeds = {
    InputReminded: _happened,
    InputEscalated: _happened,
    InputAnswered: _answered,
    InputExpired: _expired,
    InputRecalled: _recalled,
}
