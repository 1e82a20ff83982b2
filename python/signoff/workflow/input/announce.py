"""Requests that a chat is told of: once people are asked, and those that the code asks for at once together.

A chat sends what people have decided when the message has ended, so the message ends behind the last of them. What a
policy decides, or an approval that is remembered, nobody is told of: the message goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from signoff.errors import StreamClosed, StreamConflict
from signoff.names import check_name, made_name
from signoff.workflow.futures import JournalFuture
from signoff.workflow.input.chunks import FINISH, approval_request, opening, proposal
from signoff.workflow.step.ask import Steps
from signoff.workflow.step.current import current_step
from signoff.workflow.step.retry import Retry

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands
    from signoff.workflow.input.options import Announce
    from signoff.workflow.input.request import InputRequest


_RETRY: Final = Retry(attempts=20, never=(StreamClosed, StreamConflict))
"""For a quarter of an hour: a store may be out of reach, while what is closed or of another format stays so."""


@dataclass(slots=True)
class Announcement:
    """A request that an output is to tell of.

    Attributes:
        request: as the code has it.
        output: the name of the output, of the format `ui-message`.
        chunks: what it is to say.
        close: the message ends with it.
        context: the context variables that the code had set when it asked.
    """

    request: InputRequest[Any]
    output: str
    chunks: list[dict[str, Any]]
    close: bool
    context: Context = field(default_factory=copy_context, repr=False)


class Announcements:
    """What a run's outputs are still to tell of.

    Args:
        commands: of the run.
    """

    __slots__ = ("_commands", "_open")

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._open: list[Announcement] = []

    def add(self, request: InputRequest[Any], how: Announce, tool: tuple[str, Any] | None) -> None:
        """Have a request announced when the code has come to rest, and people are asked.

        Args:
            request: that was asked for.
            how: where.
            tool: its name and its arguments, for an output that does not show the call yet.
        """
        call = how.get("tool_call_id") or request.id
        chunks = [] if tool is None else [proposal(call, *tool)]
        chunks.append(approval_request(self._commands.run_id, request.id, call))
        self._open.append(Announcement(request, how["output"], chunks, how.get("close", True)))

    def tell(self) -> None:
        """Ask for the steps that announce what people are asked by now; how they end is not the code's business."""
        held = {one.output for one in self._open if one.request.pending and one.request.deciding}
        outputs: dict[str, list[Announcement]] = {}
        for one in self._open:
            if one.request.pending and one.output not in held:
                outputs.setdefault(one.output, []).append(one)
        self._open = [one for one in self._open if one.output in held]
        for output, asked in outputs.items():
            step = made_name("announce.", asked[0].request.id.partition(":")[0])
            chunks = [chunk for one in asked for chunk in one.chunks]
            close = any(one.close for one in asked)
            steps = Steps(self._commands).options(retry=_RETRY)
            done = asked[0].context.copy().run(steps.step, step, _write, output, chunks, close=close)
            done.add_done_callback(_look_away)


def check_announce(how: Announce | None) -> None:
    """Refuse what cannot be announced.

    Raises:
        TypeError: it has no output.
        InvalidName: no output is called so.
    """
    if how is not None:
        if not isinstance(how, dict) or "output" not in how:
            raise TypeError(f"`announce` of a request names an `output`, unlike {how!r:.100}.")
        check_name(how["output"], "name of an output")


async def _write(name: str, chunks: Sequence[dict[str, Any]], *, close: bool) -> None:
    """Write what is not shown: an earlier attempt may have written it, and the model's own step the call."""
    async with current_step().output(name, format="ui-message", keep_open=True) as out:
        shown = await out.shown()
        calls = {one.get("toolCallId") for one in shown if one.get("type") == "tool-input-available"}
        for chunk in [*opening(shown), *chunks]:
            if chunk not in shown and not (chunk["type"] == "tool-input-available" and chunk["toolCallId"] in calls):
                await out.write(chunk)
        if close:
            for chunk in FINISH if FINISH[-1] not in shown else ():
                await out.write(chunk)
            await out.close()


def _look_away(future: JournalFuture[Any]) -> None:
    if not future.cancelled():
        future.exception()
