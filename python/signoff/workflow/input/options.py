"""What `await_input` takes beside name, type and title, written once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Required, TypedDict

from signoff.workflow.durations import Duration
from signoff.workflow.input.times import Calendar, Default, Escalation, Reminder, When
from signoff.workflow.vote.quorum import Quorum

if TYPE_CHECKING:
    from signoff.workflow.input.answer import Answer
    from signoff.workflow.input.request import InputRequest


class Announce(TypedDict, total=False):
    """Where a request is announced to a reader of the AI SDK's chunks.

    Attributes:
        output: the name of the output of the run, of the format `ui-message`.
        tool_call_id: of the tool call that is asked about, which the output has by then; the id of the request unless
            given.
        close: the message ends with it, and with others that the code asks for at once, as `useChat` expects before it
            sends the answers; True unless given.
    """

    output: Required[str]
    tool_call_id: str
    close: bool


class RequestOptions(TypedDict, total=False):
    """The options of a request for input; what each means stands at `Context.await_input`."""

    description: str | None
    show: Any
    initial: Any
    ui: dict[str, Any] | None
    to: Sequence[str]
    forbid: Sequence[str | InputRequest[Any] | Answer[Any] | None]
    quorum: Quorum
    claim: Duration
    claim_required: bool
    deadline: Duration | datetime | Calendar | None
    remind: Sequence[When]
    escalate: Sequence[Escalation]
    default: Default | None
    on_remind: Callable[[Reminder], Any] | None
    expose: bool
    validate: Callable[..., Any] | None
    validate_timeout: Duration | None
    decide: Callable[[], Any] | None
    announce: Announce | None


_NAMES: Final = frozenset(RequestOptions.__annotations__)


def check_options(options: RequestOptions) -> None:
    """Refuse an option there is not.

    Raises:
        TypeError: naming it.
    """
    for name in sorted(options.keys() - _NAMES):
        raise TypeError(f"await_input() has no option {name!r}; it takes {', '.join(sorted(_NAMES))}.")
