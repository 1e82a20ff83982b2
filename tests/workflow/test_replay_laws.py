"""Replay issues the same commands: whole, cut anywhere, one entry at a time, through the codec, in any world."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.workflow import journal
from signoff.workflow.entry import Command, Entry
from signoff.workflow.machine import Machine
from signoff.workflow.run.entries import RunStarted
from tests.workflow.corpus import app
from tests.workflow.world import World, by_chance, commands

SHAPES = sorted(app.names())


def replay_whole(name: str, entries: list[Entry]) -> Machine:
    machine = Machine(app.get(name))
    assert machine.advance(entries) == []
    return machine


def replay_cut(name: str, entries: list[Entry], at: int) -> Machine:
    """Feed a prefix; what comes out must be how the journal goes on; then feed the rest."""
    machine = Machine(app.get(name))
    early = machine.advance(entries[:at])
    rest = entries[at:]
    assert early == commands(rest)[: len(early)]
    skipped = 0
    unfed: list[Entry] = []
    for entry in rest:
        if isinstance(entry, Command) and skipped < len(early):
            skipped += 1
        else:
            unfed.append(entry)
    assert machine.advance(unfed) == []
    return machine


def replay_one_by_one(name: str, entries: list[Entry]) -> Machine:
    machine = Machine(app.get(name))
    issued = []
    for entry in entries:
        if not isinstance(entry, Command) or type(entry) is RunStarted:
            issued += machine.advance([entry])
    assert issued == commands(entries)
    return machine


def check_laws(name: str, entries: list[Entry], cuts: list[int]) -> None:
    outcome = entries[-1]
    stored = journal.loads(journal.dumps(entries))
    assert stored == entries
    assert replay_whole(name, stored).outcome in entries
    assert replay_one_by_one(name, entries).outcome in entries
    for at in cuts:
        assert replay_cut(name, entries, at).outcome in entries
    assert type(outcome) is not RunStarted


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("seed", range(6))
def test_every_cut_of_a_journal_replays(name: str, seed: int) -> None:
    entries = World(app.get(name), by_chance(seed), size=seed % 3, cancels=seed % 2 == 1).run()
    check_laws(name, entries, list(range(1, len(entries) + 1)))


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_interleaving_replays(name: str, data: st.DataObject) -> None:
    def choose(below: int) -> int:
        return data.draw(st.integers(0, below - 1)) if below > 1 else 0

    size = data.draw(st.integers(0, 2))
    entries = World(app.get(name), choose, size, cancels=data.draw(st.booleans())).run(most=40)
    check_laws(name, entries, [data.draw(st.integers(1, len(entries)))])


@pytest.mark.parametrize("name", SHAPES)
def test_two_worlds_that_choose_alike_write_the_same_journal(name: str) -> None:
    one = World(app.get(name), by_chance(7), 1).run()
    other = World(app.get(name), by_chance(7), 1).run()
    assert one == other
