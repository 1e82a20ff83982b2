"""What is done at a reminder: a function of the user's, run as a step that the code does not wait for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from signoff.names import check_name
from signoff.workflow.durations import moment
from signoff.workflow.futures import JournalFuture
from signoff.workflow.input.entries import InputEscalated, InputReminded
from signoff.workflow.input.times import Reminder
from signoff.workflow.step.ask import Steps

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands


class ReminderHook:
    """The function that is called at each reminder of one request, and what it is told.

    Args:
        commands: of the run.
        name: of the request; the step is `remind.NAME`.
        fn: takes a `Reminder`.
        title, to: of the request.

    Attributes:
        to: who is asked now.
    """

    __slots__ = ("_commands", "_context", "_fn", "_step", "_title", "to")

    def __init__(
        self, commands: Commands, name: str, fn: Callable[[Reminder], Any], title: str, to: tuple[str, ...]
    ) -> None:
        self._commands = commands
        self._fn = fn
        self._step = step_name(name)
        self._title = title
        self.to = to
        self._context = copy_context()  # as of a step that the code asks for here

    def revised(self, changes: Mapping[str, Any]) -> None:
        """Take note of another title, and of others who are asked."""
        self._title = changes.get("title", self._title)
        self.to = tuple(changes.get("to", self.to))

    def happened(self, entry: InputReminded | InputEscalated, deadline: int | None) -> None:
        """Take note of others who are asked, or ask for the step.

        How the step ends is not the code's business: a reminder never holds it up, nor fails it.
        """
        if isinstance(entry, InputEscalated):
            self.to = tuple(dict.fromkeys((*self.to, *entry.to))) if entry.keep else entry.to
            return
        until = None if deadline is None else moment(deadline)
        reminder = Reminder(self._commands.run_id, entry.id, self._title, self.to, until, moment(entry.at))
        asked = self._context.copy().run(Steps(self._commands).step, self._step, self._fn, reminder)
        asked.add_done_callback(_look_away)


def step_name(name: str) -> str:
    """Return the name of the step for reminders of a request.

    Raises:
        InvalidName: it would be too long.
    """
    step = f"remind.{name}"
    check_name(step, "name of the step for reminders")
    return step


def _look_away(future: JournalFuture[Any]) -> None:
    if not future.cancelled():
        future.exception()
