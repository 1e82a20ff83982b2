"""Compare what the code asks for with what the journal says it asked for, and say readably where they differ."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from signoff.errors import NonDeterminism
from signoff.workflow.entry import PYTHON, Command, Notification
from signoff.workflow.loop import ASYNCIO
from signoff.workflow.run.cut import Cut

_OURS = (str(Path(__file__).parent), ASYNCIO)


def title(kind: type[Any], name: str) -> str:
    """Return a command as people read it, e.g. `step.scheduled check:0`."""
    return f"{kind.type} {name}".rstrip()


class Recorded:
    """The commands of the journal that the code has not asked for again yet.

    Cuts stand among them: what is asked for behind one was asked for when the run went on, so the code's time is no
    earlier from there on.

    Args:
        passed: told of each cut that the code comes to.

    Attributes:
        turning: the code takes its last turn before a cut: it comes to the cut with the last command before it.
    """

    __slots__ = ("_passed", "count", "last", "python", "queue", "turning")

    def __init__(self, passed: Callable[[Cut], None]) -> None:
        self._passed = passed
        self.queue: deque[Command | Cut] = deque()
        self.last: deque[tuple[type[Any], str]] = deque(maxlen=5)
        self.count = 0
        self.python: str | None = PYTHON
        self.turning = False

    def take(self, kind: type[Any], name: str) -> Command | None:
        """Return the recorded command that matches; None: the journal has no more, so this one is new.

        One that is optional, and that the code does not ask for any more, is passed over.

        Raises:
            NonDeterminism: the journal has another command here.
        """
        found: Command | None = None
        while self.queue:
            command = self.queue.popleft()
            if type(command) is kind and command.name == name:  # type: ignore[union-attr]  # no cut is of this kind
                found = command  # type: ignore[assignment]
                break
            if isinstance(command, Notification):
                self._passed(command)
            elif not command.optional:
                raise self._differs(title(type(command), command.name), title(kind, name), user_line())
        self.last.append((kind, name))
        self.count += 1
        if self.turning:
            self.pass_cuts()
        return found

    def upcoming(self) -> Command | None:
        """Return the command that the journal has next; None: it has no more."""
        return next((command for command in self.queue if not isinstance(command, Notification)), None)

    def holds_next(self, kind: type[Any], name: str) -> bool:
        """Tell whether `take` would find this command."""
        for command in self.queue:
            if isinstance(command, Notification):
                continue
            if type(command) is kind and command.name == name:
                return True
            if not command.optional:
                return False
        return False

    def pass_cuts(self) -> None:
        """Come to the cuts that stand before the next command."""
        while self.queue and isinstance(cut := self.queue[0], Notification):
            self.queue.popleft()
            self._passed(cut)

    def left_over(self, waiting: list[FrameType], ended: str | None) -> NonDeterminism | None:
        """Return the complaint about recorded commands that the code did not ask for, if there are any.

        Args:
            waiting: frames of code that is suspended.
            ended: how the code ended, if it did.
        """
        self.pass_cuts()
        while (command := self.upcoming()) is not None and command.optional:
            self.queue.popleft()
            self.pass_cuts()
        if command is None:
            return None
        found = f"the end of the code ({ended})" if ended else "nothing: the code waits"
        where = ", ".join(sorted({_line(frame) for frame in waiting})) or "after its last command"
        return self._differs(title(type(command), command.name), found, where)

    def _differs(self, expected: str, found: str, where: str) -> NonDeterminism:
        before = ", ".join(title(kind, name) for kind, name in self.last) or "run.started"
        return NonDeterminism(
            f"The code and the journal disagree at command {self.count + 1}.\n"
            f"  expected (journal)  {expected}\n"
            f"  found (code)        {found}\n"
            f"  where               {where}\n"
            f"  before              {before}\n"
            "Nothing is lost: deploy the code this run was started with, or let both live with ctx.patched()."
            f"{self._other_python()}",
            expected=expected,
            found=found,
            where=where,
            before=before,
        )

    def _other_python(self) -> str:
        python = self.python or "3.11"
        if python == PYTHON:
            return ""
        begun = f"was begun on Python {python}" if self.python else "does not say its Python and is read as one of 3.11"
        return (
            f"\nThe run {begun}; this worker runs Python {PYTHON}. If the code has not changed, what it uses behaves "
            f"differently there: the run goes on with a worker on Python {python}."
        )


def user_line() -> str:
    """Return `file:line in function` of the workflow code that is running now."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _is_users(frame):
            return _line(frame)
        frame = frame.f_back
    return "unknown"


def user_frame(coroutine: Any) -> FrameType | None:
    """Return the innermost frame of the user's code in which a coroutine is suspended."""
    found = None
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is not None and _is_users(frame):
            found = frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return found


def _is_users(frame: FrameType) -> bool:
    return not frame.f_code.co_filename.startswith((*_OURS, "<frozen"))


def _line(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
