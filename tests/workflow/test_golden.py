"""Journals written by earlier releases replay for ever.

Each file in `golden/` is one run of a shape in `corpus.py`. They are never rewritten; a new shape gets a new file by
`python -m tests.workflow.test_golden`, which leaves existing files alone.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from signoff.workflow import journal
from signoff.workflow.entry import PYTHON, Entry
from signoff.workflow.machine import Machine
from signoff.workflow.projection import project
from signoff.workflow.run.entries import OUTCOMES, RunCancelled, RunCompleted, RunFailed
from signoff.workflow.view import View
from tests.workflow.corpus import app
from tests.workflow.world import World, by_chance

GOLDEN = Path(__file__).parent / "golden"
PYTHONS = ("3.11", "3.12", "3.13")
RECORDED_ON_311 = {"as_they_come", "background", "chance", "cleanup", "condition", "events", "events_by_key"}
RECORDED_ON_311 |= {"failing_group", "first", "form", "gather", "generators", "loop", "nested_groups", "patches"}
RECORDED_ON_311 |= {"primitives", "publishing", "retry", "sequence", "shielded", "sleeps", "step_against_clock"}
RECORDED_ON_311 |= {"timeout_around_input", "two_people"}
"""Shapes that also have journals from before the Python was recorded."""


def path_of(name: str, python: str | None, *, cancels: bool) -> Path:
    return GOLDEN / f"{name}{'-cancelled' if cancels else ''}{'' if python is None else f'-{python}'}.json"


def telling(name: str, *, cancels: bool) -> list[Entry]:
    """Return a run of a shape in which much happens."""
    runs = [World(app.get(name), by_chance(seed), 1, cancels=cancels).run() for seed in range(60)]
    wanted = {RunCancelled} if cancels else {RunCompleted, RunFailed}
    fitting = [run for run in runs if wanted & set(map(type, run)) and len(run) < 60]
    return max(fitting, key=lambda run: (len(set(map(type, run))), len(run)))


def write_missing() -> None:
    """Write a journal of this Python for every shape that has none."""
    for name in app.names():
        for cancels in (False, True):
            path = path_of(name, PYTHON, cancels=cancels)
            if not path.exists():
                lines = ",\n".join(json.dumps(journal.to_json(entry)) for entry in telling(name, cancels=cancels))
                path.write_text(f'{{"workflow": "{name}", "entries": [\n{lines}\n]}}\n')


@pytest.mark.parametrize("name", sorted(app.names()))
def test_every_shape_has_golden_journals_of_every_python(name: str) -> None:
    pythons = (*PYTHONS, None) if name in RECORDED_ON_311 else PYTHONS
    for python in pythons:
        assert path_of(name, python, cancels=False).exists()
        assert path_of(name, python, cancels=True).exists()


@pytest.mark.parametrize("name", sorted(app.names()))
@pytest.mark.parametrize("cancels", [False, True])
def test_every_python_writes_the_same_journal(name: str, cancels: bool) -> None:
    first, *others = (path_of(name, python, cancels=cancels).read_text() for python in PYTHONS)
    for python, other in zip(PYTHONS[1:], others, strict=True):
        assert other == first.replace('"python": "3.11"', f'"python": "{python}"')


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_golden_journal_replays(path: Path) -> None:
    golden = json.loads(path.read_text())
    entries = [journal.from_json(entry) for entry in golden["entries"]]
    machine = Machine(app.get(golden["workflow"]))
    assert machine.advance(entries) == []
    ended = [entry for entry in entries if type(entry) in OUTCOMES]
    assert [machine.outcome] == ended


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_the_rows_of_a_golden_journal_close_as_it_ends(path: Path) -> None:
    entries = [journal.from_json(entry) for entry in json.loads(path.read_text())["entries"]]
    view = View()
    delta = project(view, entries, 0)
    assert view.run is not None
    ended = {"run.completed": "completed", "run.failed": "failed", "run.cancelled": "cancelled"}
    outcome = next(entry for entry in entries if type(entry) in OUTCOMES)
    assert view.run.row["status"] == ended[outcome.type]
    assert view.run.steps == 0
    assert not view.steps
    assert not any(state.pending for state in view.inputs.values())
    assert delta.close == (outcome.type != "run.failed")


if __name__ == "__main__":
    write_missing()
