"""How the code asks to be woken, and what it means to it that a timer is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from signoff.workflow.durations import Duration, duration_ms
from signoff.workflow.futures import CommandFuture, JournalFuture, TimerHandle, caller
from signoff.workflow.offer import Feeds, Offer
from signoff.workflow.timer.entries import TimerCancelled, TimerFired, TimerStarted

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands


class Sleeps(Offer):
    """The code's own timers."""

    __slots__ = ()

    def sleep(self, duration: Duration) -> CommandFuture[None]:
        """Sleep, for seconds or for months; the run holds no memory meanwhile.

        Args:
            duration: `"2s"`, `"3d"`, seconds, or a timedelta.
        """
        commands, ms = self._commands, duration_ms(duration)
        if commands.swallows_its_end():
            return commands.never_done()
        id_, _ = commands.next_id("sleep", "name")
        started = commands.issue(TimerStarted, id_, id_, commands.now_ms + ms)
        future = commands.loop.asked(id_, self._sleep_given_up, caller())
        commands.timers[id_] = (started.fire_at, future)
        return future

    def _sleep_given_up(self, future: JournalFuture[Any]) -> None:
        cancel(self._commands, future.id)


def start(commands: Commands, handle: TimerHandle, fire_at: int) -> str:
    """Ask for a timer of asyncio's; return its id."""
    if commands.swallows_its_end():
        return ""
    id_, _ = commands.next_id("timer", "name")
    started = commands.issue(TimerStarted, id_, id_, fire_at)
    commands.timers[id_] = (started.fire_at, handle)
    return id_


def cancel(commands: Commands, id_: str) -> None:
    """Give a timer up."""
    if commands.timers.pop(id_, None) is not None and not commands.stopped():
        commands.issue(TimerCancelled, id_, id_)


def _fired(commands: Commands, entry: TimerFired) -> None:
    found = commands.timers.pop(entry.id, None)
    if found is None:
        return
    target = found[1]
    if isinstance(target, TimerHandle):
        commands.loop.fire(target)
    elif not target.done():
        commands.done(target)
        target.set_result(None)


FEEDS: Feeds = {TimerFired: _fired}
