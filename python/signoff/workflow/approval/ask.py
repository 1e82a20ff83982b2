"""How the code has people decide about a tool that an agent wants to call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, Literal, TypeVar, Unpack, overload

from pydantic import Field

from signoff.names import made_name
from signoff.workflow import codec
from signoff.workflow.approval.arguments import Arguments, arguments
from signoff.workflow.approval.outcome import Approved, Edited, Rejected, Responded, ToolDecision
from signoff.workflow.approval.remember import check_scopes, remember_type
from signoff.workflow.input.actions import Offered, offered_apart
from signoff.workflow.input.answer import Answer
from signoff.workflow.input.ask import ask_people
from signoff.workflow.input.options import Announce, RequestOptions
from signoff.workflow.input.request import InputRequest
from signoff.workflow.offer import Feeds, Offer
from signoff.workflow.validation.verdict import Decided, Submission

if TYPE_CHECKING:
    from signoff.workflow.validation.ask import Validator

A = TypeVar("A")

ToolAction = Literal["approve", "edit", "reject", "respond"]
ToolPolicy = Callable[[str, Any], Decided | Awaitable[Decided | None] | None]
"""Decides by itself about a tool and its arguments; None: it leaves it to people."""

ACTIONS: Final[tuple[ToolAction, ...]] = ("approve", "edit", "reject", "respond")
AS_PROPOSED: Final[tuple[ToolAction, ...]] = ("approve", "reject")
LONGEST: Final = 256
"""Characters of a tool's name, and of the id of a call."""

_REASON: Final = Annotated[str | None, Field(title="Reason")]
_TEXT: Final = Annotated[str, Field(title="What the model gets instead")]


class ToolRequest(Generic[A]):
    """A request to decide about a tool; awaiting it gives the `ToolDecision`, as often as one likes.

    Attributes:
        tool: what is to be called.
        args: as proposed, read as the type of the tool's arguments.
        request: what people see, to revise or withdraw it; whoever awaits it gets the `Answer`.
    """

    __slots__ = ("args", "request", "tool")

    def __init__(self, tool: str, args: A, request: InputRequest[Any]) -> None:
        self.tool = tool
        self.args = args
        self.request = request

    @property
    def id(self) -> str:
        """Return the key of the request, `name:n`."""
        return self.request.id

    def __await__(self) -> Generator[Any, None, ToolDecision[A]]:
        return _decision((yield from self.request.__await__()), self.args)


def _decision(answer: Answer[Any], args: A) -> ToolDecision[A]:
    match answer.action:
        case "approve":
            return Approved(args, answer.by, answer.at, answer.reason)
        case "edit":
            return Edited(answer.value, answer.by, answer.at, answer.reason)
        case "respond":
            return Responded(answer.value, answer.by, answer.at)
        case _:
            return Rejected(answer.value or answer.reason, answer.by, answer.at)


class Approvals(Offer):
    """Decisions about what an agent is about to do."""

    __slots__ = ()

    @overload
    def approve_tool(  # type: ignore[overload-overlap]  # a class is a type, though it can be called
        self,
        tool: str,
        args: Mapping[str, Any],
        *,
        args_type: type[A],
        title: str | None = None,
        actions: Sequence[ToolAction] | None = None,
        policy: ToolPolicy | None = None,
        remember: Collection[Literal["run", "tool"]] = (),
        tool_call_id: str | None = None,
        output: str | None = None,
        name: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> ToolRequest[A]: ...
    @overload
    def approve_tool(  # type: ignore[overload-overlap]  # a class is a type, though it can be called
        self,
        tool: str,
        args: A,
        *,
        args_type: type[A],
        title: str | None = None,
        actions: Sequence[ToolAction] | None = None,
        policy: ToolPolicy | None = None,
        remember: Collection[Literal["run", "tool"]] = (),
        tool_call_id: str | None = None,
        output: str | None = None,
        name: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> ToolRequest[A]: ...
    @overload
    def approve_tool(
        self,
        tool: str,
        args: Mapping[str, Any],
        *,
        args_type: Callable[..., Any] | None = None,
        args_schema: Mapping[str, Any] | None = None,
        title: str | None = None,
        actions: Sequence[ToolAction] | None = None,
        policy: ToolPolicy | None = None,
        remember: Collection[Literal["run", "tool"]] = (),
        tool_call_id: str | None = None,
        output: str | None = None,
        name: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> ToolRequest[dict[str, Any]]: ...
    def approve_tool(
        self,
        tool: str,
        args: Any,
        *,
        args_type: Any = None,
        args_schema: Mapping[str, Any] | None = None,
        title: str | None = None,
        actions: Sequence[ToolAction] | None = None,
        policy: ToolPolicy | None = None,
        remember: Collection[Literal["run", "tool"]] = (),
        tool_call_id: str | None = None,
        output: str | None = None,
        name: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> ToolRequest[Any]:
        """Ask whether a tool may run that an agent wants to call; the request appears at once.

        People approve it, edit its arguments, reject it, or respond in its place. Awaiting gives `Approved`, `Edited`,
        `Rejected` or `Responded`. It is an ordinary request for input, and several at once are several requests.

        Args:
            tool: its name, as the model calls it.
            args: proposed: a mapping, or a value of `args_type`.
            args_type: what the tool takes: a model, dataclass or TypedDict, or the tool's function itself, whose
                parameters are meant. What is approved or edited is of this type; of a function, a dictionary.
            args_schema: the same as JSON Schema, where there is no type.
            title: plain text; `Run TOOL?` unless given.
            actions: which of the four are offered; all unless given, with a quorum `approve` and `reject`.
            policy: decides by itself, with a reason: a function of the tool and its arguments that returns
                `approve("…")`, `reject("…")`, or None to leave it to people. It is asked once, on a worker; what it
                said is recorded, and a later one does not change it.
            remember: how far whoever approves may say it for the next times too: `run` for this tool in this run,
                `tool` for this tool in all runs of this workflow that the same person has started. It is asked for
                after the policy, and goes without a quorum.
            tool_call_id: the id of the call, as the model gives it; browsers see it.
            output: the output of the run, of the format `ui-message`, that tells a chat of it once people are asked:
                the call, unless it is shown there already, under `tool_call_id` or else the id of the request; and that
                it waits. The message ends behind the last of those that the code asks for at once. What a policy
                decides, or an approval that is remembered, is not told there.
            name: of the request; made of the tool's unless given: `tool.` and the tool, with `_` for what no name has.
            options: as of `Context.await_input`, but `initial` and `decide`. What people look at are the arguments
                unless `show` is given; `validate` is asked about edited arguments alone.

        Raises:
            UnsupportedValue: the arguments do not fit what the tool takes; nobody is asked.
            TypeError, ValueError: naming what is wrong.

        Example:
            >>> decision = await ctx.approve_tool("send_mail", args, args_type=Mail, to=[ctx.started_by])
            >>> match decision:
            ...     case Approved(args) | Edited(args):
            ...         result = await ctx.step("send_mail", send_mail, args)
            ...     case Rejected(reason):
            ...         result = f"Refused: {reason}"
            ...     case Responded(text):
            ...         result = text
        """
        for given in ("initial", "decide"):
            if given in options:
                raise TypeError(
                    f"approve_tool() takes no `{given}`: people begin with the arguments, and `policy` decides."
                )
        _check_text(tool, "name of a tool")
        if tool_call_id is not None:
            _check_text(tool_call_id, "id of a tool's call")
        actions = _actions(actions, together="quorum" in options)
        scopes = check_scopes(remember, options)
        if output is not None:
            options = _announced(options, output, tool_call_id)
        takes = arguments(args_type, args_schema)
        proposed = takes.read(args)
        shown = takes.shown(proposed)
        options = {"show": shown, **options, "initial": codec.leave_out(shown, takes.schema)}
        if policy is not None:
            options["decide"] = functools.partial(policy, tool, proposed)
        if (validate := options.get("validate")) is not None:
            options["validate"] = _of_edits(validate)
        request = ask_people(
            self._commands,
            name_of(tool) if name is None else name,
            _offered(actions, takes, scopes),
            title=f"Run {tool}?" if title is None else title,
            options=options,
            policy={
                "tool": {
                    "name": tool,
                    "call": tool_call_id,
                    "remember": scopes,
                    "args": codec.digest(codec.encode(proposed)),
                }
            },
            tool=(tool, shown),
        )
        return ToolRequest(tool, proposed, request)


def name_of(tool: str) -> str:
    """Return the name of the requests about a tool.

    Example:
        >>> name_of("files:read")
        'tool.files_read'
    """
    return made_name("tool.", tool)


def _actions(given: Sequence[ToolAction] | None, *, together: bool) -> Sequence[ToolAction]:
    """Return what is offered; `together`: several people decide, who agree on an action and not on its value."""
    if given is None:
        return AS_PROPOSED if together else ACTIONS
    if isinstance(given, str) or not set(given) <= set(ACTIONS):
        raise TypeError(f"`actions` of a tool are some of {', '.join(ACTIONS)}, not {given!r:.100}.")
    if together and not set(given) <= set(AS_PROPOSED):
        raise ValueError(
            f"With a quorum a tool is approved or rejected as it was proposed: what one of them writes would speak for "
            f"all. Leave the quorum out, or leave out {', '.join(one for one in given if one not in AS_PROPOSED)}."
        )
    return given


def _offered(actions: Sequence[str], takes: Arguments, scopes: Sequence[str]) -> Offered:
    types = {
        "approve": remember_type(tuple(scopes)) if scopes else None,
        "edit": None,
        "reject": _REASON,
        "respond": _TEXT,
    }
    found = offered_apart({action: types[action] for action in actions})
    if "edit" not in actions:
        return found
    assert found.types is not None, "each action has its own"
    choices = found.choices | {"edit": {"schema": takes.schema}}
    return Offered(found.names, choices, None, found.types | {"edit": takes.type})


def _of_edits(validate: Validator) -> Validator:
    """Return a validator that judges edited arguments, and takes all else as it is."""
    wanted = [one for one in inspect.signature(validate).parameters.values() if one.default is one.empty]

    async def edits(value: Any, sent: Submission) -> Any:
        if sent.action != "edit":
            return None
        said = validate(value, sent) if len(wanted) > 1 else validate(value)
        return await said if inspect.isawaitable(said) else said

    return edits


def _announced(options: RequestOptions, output: str, tool_call_id: str | None) -> RequestOptions:
    if "announce" in options:
        raise TypeError("approve_tool() takes an `output` or `announce`, not both.")
    how: Announce = {"output": output}
    if tool_call_id is not None:
        how["tool_call_id"] = tool_call_id
    return {**options, "announce": how}


def _check_text(given: object, what: str) -> None:
    if not (isinstance(given, str) and given.isprintable() and 0 < len(given) <= LONGEST):
        raise ValueError(f"The {what} has 1 to {LONGEST} printable characters, unlike {given!r:.100}.")


FEEDS: Feeds = {}
