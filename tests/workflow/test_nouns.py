from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from signoff.frozen import frozen
from signoff.workflow import nouns
from signoff.workflow.entry import Command, Entry, Notification
from signoff.workflow.patch.entries import PatchMarked
from signoff.workflow.timer.entries import TimerFired, TimerStarted

WORKFLOW = Path(nouns.__file__).parent


def of_module(name: str, *classes: type[Entry]) -> ModuleType:
    module = ModuleType(name)
    for cls in classes:
        cls.__module__ = name
        setattr(module, cls.__name__, cls)
    return module


def entry(name: str, type_: str, base: type[Entry]) -> type[Entry]:
    cls = type(name, (base,), {"__annotations__": {"type": ClassVar[str]}, "type": type_})
    return frozen(cls)


def do(*_: Any) -> None:
    pass


def test_every_folder_with_entries_is_a_noun() -> None:
    with_entries = {found.parent.name for found in WORKFLOW.glob("*/entries.py")}
    assert set(nouns.NOUNS) - with_entries == {"approval"}, "it is made of the entries of `input` alone"
    assert with_entries < set(nouns.NOUNS)


def test_every_entry_has_a_fold_and_every_notification_a_feed() -> None:
    every = set(nouns.entries().values())
    assert nouns.folds().keys() == every
    assert nouns.feeds().keys() == {one for one in every if issubclass(one, Notification)} | {
        nouns.entries()["run.started"]
    }


def test_an_entry_is_of_the_noun_in_whose_folder_it_stands() -> None:
    odd = {
        "run.cancel_requested": "run",
        # What happens to a request is called after it.
        **dict.fromkeys(("input.submitted", "input.refused", "input.returned"), "validation"),
        **dict.fromkeys(("input.claimed", "input.released"), "claim"),
        "input.voted": "vote",
        "input.denied": "denial",
        **dict.fromkeys(("input.delegated", "input.reassigned", "input.amended"), "handover"),
    }
    for type_, cls in nouns.entries().items():
        assert cls.__module__ == f"signoff.workflow.{odd.get(type_, type_.partition('.')[0])}.entries"


def test_two_entries_of_one_type_are_refused() -> None:
    one, other = entry("One", "vote.cast", Command), entry("Other", "vote.cast", Notification)
    with pytest.raises(TypeError, match=r"vote.cast is the type of both One and Other"):
        nouns.collected([of_module("vote", one), of_module("ballot", other)])


@pytest.mark.parametrize("kind", [Command, Notification])
@pytest.mark.parametrize("member", sorted(nouns.TAKEN))
def test_a_member_that_hides_what_an_entry_says_of_itself_is_refused(kind: type[Entry], member: str) -> None:
    cast = entry("Cast", "vote.cast", kind)
    cast.__annotations__ = {member: "str"}
    with pytest.raises(TypeError, match=f"Cast has a member called {member}, which hides an entry's own"):
        nouns.collected([of_module("vote", cast)])


def test_an_entry_that_nobody_wrote_is_refused() -> None:
    with pytest.raises(TypeError, match="Cast is neither a Command nor a Notification"):
        nouns.collected([of_module("vote", entry("Cast", "vote.cast", Entry))])


def test_what_a_module_imports_is_not_its_own() -> None:
    assert nouns.collected([of_module("vote"), sys.modules[__name__]]) == {}


def test_an_entry_without_a_fold_is_refused() -> None:
    with pytest.raises(TypeError, match="TimerFired has no fold"):
        nouns.joined("fold", [{TimerStarted: do}], [TimerStarted, TimerFired])


def test_an_entry_with_two_feeds_is_refused() -> None:
    with pytest.raises(TypeError, match="TimerFired has a feed twice"):
        nouns.joined("feed", [{TimerFired: do}, {TimerFired: do}], [TimerFired])


def test_a_feed_of_a_command_is_refused() -> None:
    with pytest.raises(TypeError, match="PatchMarked has needlessly a feed"):
        nouns.joined("feed", [{TimerFired: do, PatchMarked: do}], [TimerFired])


@pytest.mark.parametrize(
    ("part", "table", "module", "error"),
    [
        ("fold", "FOLDS", "projection", "TimerFired has no fold"),
        ("ask", "FEEDS", "machine", "TimerFired has no feed"),
    ],
)
def test_a_hole_in_a_table_fails_the_import(part: str, table: str, module: str, error: str) -> None:
    code = (
        f"from signoff.workflow.timer import entries, {part}\n"
        f"del {part}.{table}[entries.TimerFired]\n"
        f"import signoff.workflow.{module}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"TypeError: {error}." in done.stderr


@pytest.mark.parametrize("module", ["journal", "projection", "run.decide", "input.decide", "event.decide"])
def test_the_pure_parts_never_load_the_loop(module: str) -> None:
    """The tables are found by name, which no import contract sees."""
    code = f"import sys, signoff.workflow.{module}; print('signoff.workflow.loop' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
