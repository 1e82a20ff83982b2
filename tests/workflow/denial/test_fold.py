"""What denials change: nothing that code, browsers or those who are told of requests can see."""

from __future__ import annotations

import random

import pytest

from signoff.workflow.denial.entries import InputDenied
from signoff.workflow.entry import DecidedBy, Entry
from signoff.workflow.input.entries import InputRecalled, InputRequested
from signoff.workflow.machine import Machine
from signoff.workflow.notice import notices
from signoff.workflow.projection import project
from signoff.workflow.run.cut import effective
from signoff.workflow.run.entries import RunRewound
from signoff.workflow.view import Past, View
from tests.workflow.corpus import app
from tests.workflow.loaded import started
from tests.workflow.world import World, by_chance

BOB = DecidedBy("person", "user:bob")
SHAPES = ("two_people", "form", "decided_together", "reminded", "places_handed_on", "timeout_around_input")


def with_denials(entries: list[Entry], chance: random.Random) -> list[Entry]:
    """Return the journal with denials behind each request, and behind about half of the other entries."""
    made: list[Entry] = []
    ids: list[str] = []
    for entry in entries:
        made.append(entry)
        if isinstance(entry, InputRequested):
            ids.append(entry.id)
        if isinstance(entry, InputRequested) or (ids and chance.random() < 0.5):
            made.append(InputDenied(entry.at, chance.choice(ids), "answer", "stale", BOB))
    return made


@pytest.mark.parametrize("name", SHAPES)
def test_code_is_replayed_as_if_they_were_not_there(name: str) -> None:
    for seed in range(6):
        entries = World(app.get(name), by_chance(seed), size=1, cancels=seed % 2 == 1).run()
        machine = Machine(app.get(name))
        assert machine.advance(with_denials(entries, random.Random(seed))) == []
        assert machine.outcome in entries


@pytest.mark.parametrize("name", SHAPES)
def test_rows_are_the_same_with_and_without_them(name: str) -> None:
    entries = World(app.get(name), by_chance(3), size=1).run()
    expected = project(View(past=Past()), entries, 0)
    delta = project(View(past=Past()), with_denials(entries, random.Random(5)), 0)
    assert (delta.public, delta.inboxes, delta.listing) == (expected.public, expected.inboxes, expected.listing)


@pytest.mark.parametrize("name", SHAPES)
def test_a_rewind_goes_on_as_if_they_had_not_been_there(name: str) -> None:
    for seed in range(6):
        entries = World(app.get(name), by_chance(seed), size=1).run()[:-1]
        noted = with_denials(entries, random.Random(seed))
        at = noted[-1].at + 1
        keep = max(n for n, entry in enumerate(noted) if n == 0 or isinstance(entry, InputRequested)) + 1
        plain = sum(not isinstance(one, InputDenied) for one in noted[:keep])
        cut, expected = RunRewound(at, keep), RunRewound(at, plain)
        left = [one for one in effective([*noted, cut]) if not isinstance(one, InputDenied | RunRewound)]
        assert left == [one for one in effective([*entries, expected]) if not isinstance(one, RunRewound)]
        assert Machine(app.get(name)).advance([*noted, cut]) == Machine(app.get(name)).advance([*entries, expected])


def test_nobody_is_told_again_that_a_request_was_withdrawn() -> None:
    asked = InputRequested(1_000, "go:0", {"title": "Go?", "schema": {}}, ("user:alice",))
    view = View()
    recalled = InputRecalled(1_100, "go:0", "moot", DecidedBy("operator", "local"))
    project(view, [started(), asked, recalled], 0)
    entry = InputDenied(1_200, "go:0", "answer", "withdrawn", BOB)
    delta = project(view, [entry], 5)
    assert list(delta.inputs) == ["go:0"]
    assert notices("r1", "flow", [entry], 3, delta.inputs, 1_200) == []
