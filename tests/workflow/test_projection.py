"""Rows are a fold: the same however entries are batched, of what is open, and of nothing else. See protocol/vectors."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff import WorkflowError
from signoff.streams.state import fold
from signoff.workflow.entry import DecidedBy, Entry, Error
from signoff.workflow.input.entries import InputAnswered, InputExpired, InputRequested
from signoff.workflow.input.state import InputState
from signoff.workflow.machine import Machine
from signoff.workflow.projection import project, refold
from signoff.workflow.run.entries import CancelRequested, RunCompleted, RunStarted
from signoff.workflow.step.entries import StepCompleted, StepFailed, StepScheduled
from signoff.workflow.timer.entries import TimerFired
from signoff.workflow.view import RunFold, View
from tests.workflow.corpus import app
from tests.workflow.world import World, by_chance

START = RunStarted(0, "r1", "flow", "1", {"secret": 1}, "seed", "digest", ("eu",))
SPEC = {"title": "?", "schema": {"type": "integer"}}
BY = DecidedBy("person", "user:alice")
SHAPES = sorted(app.names())


def shown(*entries: Entry, view: View | None = None, tail: int = 0) -> list[dict[str, Any]]:
    return [orjson.loads(message) for message in project(view or View(), (START, *entries), tail).public]


# -- laws --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_rows_do_not_depend_on_how_entries_are_batched(name: str, seed: int) -> None:
    entries = World(app.get(name), by_chance(seed), 1, cancels=True).run()
    whole = View()
    at_once = project(whole, entries, 0)
    for size in (1, 3):
        view, public, listing, inboxes, waits = View(), [], [], [], []  # type: ignore[var-annotated]
        for start in range(0, len(entries), size):
            if view.run is not None:
                view.run = RunFold.loads(view.run.dumps())
                view.inputs = {id_: InputState.loads(state.dumps()) for id_, state in view.inputs.items()}
            delta = project(view, entries[start : start + size], len(public))
            public += delta.public
            listing += delta.listing
            inboxes += delta.inboxes
            waits += delta.waits
        assert tuple(public) == at_once.public
        assert tuple(listing) == at_once.listing
        assert tuple(inboxes) == at_once.inboxes
        assert tuple(waits) == at_once.waits
        assert view == whole
    quiet = View()
    assert refold(quiet, entries) == len(at_once.public)
    assert quiet == whole


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_fold_and_the_machine_agree_on_what_is_open(name: str, data: st.DataObject) -> None:
    def choose(below: int) -> int:
        return data.draw(st.integers(0, below - 1)) if below > 1 else 0

    entries = World(app.get(name), choose, 1).run(most=25)
    cut = data.draw(st.integers(1, len(entries)))
    machine = Machine(app.get(name))
    fed = [*entries[:cut], *machine.advance(entries[:cut])]
    view = View()
    delta = project(view, fed, 0)
    assert view.run is not None
    if machine.outcome is None:
        assert set(view.steps) == set(machine.open_steps)
        assert set(view.run.timers) == set(machine.open_timers)
        assert set(machine.open_inputs) <= {*view.run.inputs, *decided_meanwhile(fed)}
        assert set(view.run.inputs) <= set(machine.open_inputs)
    machine.close()
    rows = fold(delta.public)
    assert rows["run", "r1"] == view.run.row
    waiting: set[str] = set()
    for id_, _, _, remove in delta.waits:
        assert (id_ in waiting) == remove
        (waiting.discard if remove else waiting.add)(id_)
    assert waiting == {wait[0] for wait in view.run.waits}


def decided_meanwhile(entries: list[Entry]) -> set[str]:
    return {entry.id for entry in entries if isinstance(entry, InputAnswered | InputExpired)}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("seed", range(6))
def test_the_fold_and_the_machine_agree_on_waits_for_events(name: str, seed: int) -> None:
    world = World(app.get(name), by_chance(seed), 1)
    view = View()
    done = 0
    for _ in range(40):
        project(view, world.journal[done:], 0)
        done = len(world.journal)
        assert view.run is not None
        if world.machine.outcome is not None:
            assert view.run.waits == []
            return
        assert {wait[0] for wait in view.run.waits} == set(world.machine.open_events)
        world.step()
    assert done > 40


# -- single rules ------------------------------------------------------------------------------------------------------


def test_what_is_not_exposed_is_not_shown() -> None:
    messages = shown(
        StepScheduled(1, "a:0"),
        StepCompleted(2, "a:0", 1, "secret"),
        StepFailed(2, "a:0", 1, Error("x", "secret")),
        InputRequested(3, "b:0", SPEC),
        InputAnswered(4, "b:0", "s", "d", "submit", "secret", BY),
        StepScheduled(5, "c:0"),
        StepFailed(6, "c:0", 1, Error("broken", "secret")),
        RunCompleted(7, "secret"),
    )
    assert "secret" not in orjson.dumps(messages).decode()
    assert messages[-1]["value"]["status"] == "completed"


def test_what_is_exposed_is_plain_json() -> None:
    start = RunStarted(0, "r1", "flow", "1", {"$signoff": "decimal", "v": "1.5"}, "s", "d", expose=("input",))
    view = View()
    project(view, [start, RunCompleted(1, [{"$signoff": "uuid", "v": "x"}], expose=True)], 0)
    assert view.run is not None
    assert (view.run.row["input"], view.run.row["output"]) == ("1.5", ["x"])


def test_dashboards_get_narrow_rows() -> None:
    start = RunStarted(0, "r1", "flow", "1", 1, "s", "d", expose=("input", "output"))
    delta = project(View(), [start, RunCompleted(1, 2)], 0)
    for message in map(orjson.loads, delta.listing):
        assert message["value"].keys().isdisjoint({"input", "output"})
    assert orjson.loads(delta.public[-1])["value"]["output"] == 2


def test_a_view_that_lacks_what_is_decided_is_refused_loudly() -> None:
    view = View()
    project(view, [START, InputRequested(1, "i:0", SPEC)], 0)
    with pytest.raises(WorkflowError, match="lacks the pending request i:0"):
        project(View(run=view.run), [CancelRequested(2)], 2)


def test_a_journal_without_its_start_is_refused() -> None:
    with pytest.raises(WorkflowError, match=r"begins with run\.started"):
        project(View(), [TimerFired(1, "sleep:0")], 0)
