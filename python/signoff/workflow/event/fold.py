"""How events look from outside: no rows, but the index of runs that wait, and what a run holds that nobody awaits."""

from __future__ import annotations

from typing import Any, cast

import orjson

from signoff.workflow.event.entries import EventAbandoned, EventAwaited, EventReceived, EventTimedOut
from signoff.workflow.event.matching import takes
from signoff.workflow.projector import Folds, Projector
from signoff.workflow.run.status import ENDED
from signoff.workflow.view import RunFold

_TAKEN_KEPT = 32


def payload_size(event: EventReceived) -> int:
    """Return how many bytes an event's payload has as JSON."""
    return len(orjson.dumps(event.payload))


def drop_events(projector: Projector, run: RunFold) -> None:
    """Forget waits and events: the run has ended."""
    projector.waits += [(cast("str", id_), cast("str", topic), key, True) for id_, topic, key in run.waits]
    run.waits, run.events, run.taken = [], [], []


def replace_waits(projector: Projector, before: RunFold | None, after: RunFold) -> None:
    """Tell the index what is awaited since something was undone."""
    known = [] if before is None else before.waits
    projector.waits += [
        (cast("str", id_), cast("str", topic), key, True)
        for id_, topic, key in known
        if [id_, topic, key] not in after.waits
    ]
    projector.waits += [
        (cast("str", id_), cast("str", topic), key, False)
        for id_, topic, key in after.waits
        if [id_, topic, key] not in known
    ]


def _awaited(projector: Projector, run: RunFold, entry: EventAwaited) -> None:
    for event in run.events:
        if takes(entry.topic, entry.key, event[1], event[2]):
            run.events.remove(event)
            _remember(run, entry.id, event)
            return
    run.waits.append([entry.id, entry.topic, entry.key])
    projector.waits.append((entry.id, entry.topic, entry.key, False))


def _received(projector: Projector, run: RunFold, entry: EventReceived) -> None:
    if run.row["status"] in ENDED:
        return
    run.event_count += 1
    _offer(projector, run, [run.event_count, entry.topic, entry.key, payload_size(entry)])


def _over(projector: Projector, run: RunFold, entry: EventAbandoned | EventTimedOut) -> None:
    for wait in run.waits:
        if wait[0] == entry.id:
            run.waits.remove(wait)
            projector.waits.append((entry.id, cast("str", wait[1]), wait[2], True))
            return
    if type(entry) is EventAbandoned:
        for taken in run.taken:
            if taken[0] == entry.id:
                run.taken.remove(taken)
                _offer(projector, run, taken[1:])
                return


def _offer(projector: Projector, run: RunFold, event: list[Any]) -> None:
    """Give an event to the oldest wait that takes it, or keep it."""
    for wait in run.waits:
        if takes(wait[1], wait[2], event[1], event[2]):
            run.waits.remove(wait)
            projector.waits.append((cast("str", wait[0]), event[1], wait[2], True))
            _remember(run, cast("str", wait[0]), event)
            return
    run.events.append(event)
    run.events.sort(key=lambda kept: kept[0])


def _remember(run: RunFold, id_: str, event: list[Any]) -> None:
    run.taken.append([id_, *event])
    del run.taken[:-_TAKEN_KEPT]


FOLDS: Folds = {
    EventAwaited: _awaited,
    EventReceived: _received,
    EventAbandoned: _over,
    EventTimedOut: _over,
}
