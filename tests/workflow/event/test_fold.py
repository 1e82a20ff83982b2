"""Which wait an event goes to, as the fold sees it."""

from __future__ import annotations

from signoff.workflow.entry import Entry
from signoff.workflow.event.entries import EventAbandoned, EventAwaited, EventReceived
from signoff.workflow.projection import project
from signoff.workflow.view import View
from tests.workflow.loaded import started


def test_an_event_taken_by_a_wait_that_was_given_up_before_goes_to_the_next() -> None:
    view = View()
    entries: list[Entry] = [
        started(),
        EventAwaited(1, "e:0", "e"),
        EventReceived(2, "e", "e1", 1),
        EventAbandoned(1, "e:0"),
    ]
    project(view, entries, 0)
    assert view.run is not None
    assert [event[1] for event in view.run.events] == ["e"]
    delta = project(view, [EventAwaited(3, "e:1", "e")], 3)
    assert (view.run.events, view.run.waits, delta.waits) == ([], [], ())
