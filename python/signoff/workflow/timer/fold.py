"""How timers look from outside: they have no rows; a run that has nothing but timers open is `sleeping`."""

from __future__ import annotations

from signoff.workflow.projector import Folds, Projector
from signoff.workflow.timer.entries import TimerCancelled, TimerFired, TimerStarted
from signoff.workflow.view import RunFold


def _started(_: Projector, run: RunFold, entry: TimerStarted) -> None:
    run.timers.append(entry.id)


def _over(_: Projector, run: RunFold, entry: TimerFired | TimerCancelled) -> None:
    if entry.id in run.timers:
        run.timers.remove(entry.id)


FOLDS: Folds = {TimerStarted: _started, TimerFired: _over, TimerCancelled: _over}
