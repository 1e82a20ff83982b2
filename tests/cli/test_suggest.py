"""What is said to whoever calls a command that there is not; what ends or deletes is never named for its likeness."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from signoff.cli import main
from signoff.cli.command import command
from signoff.cli.suggest import ENDS, MEANT
from signoff.service.act import VERBS

USAGE = 2


def groups(at: Any) -> Iterator[Any]:
    """Return a command that has sub-commands, and those below it that have some."""
    if hasattr(at, "commands"):
        yield at
        for below in at.commands.values():
            yield from groups(below)


@pytest.mark.parametrize(
    ("called", "told"),
    [
        ("runs", "Did you mean 'list'? See: signoff --help"),
        ("ls", "Did you mean 'list'?"),
        ("ps", "Did you mean 'list'?"),
        ("run", "Did you mean 'start'?"),
        ("status", "Did you mean 'show'?"),
        ("get", "Did you mean 'show'?"),
        ("describe", "Did you mean 'show'?"),
        ("result", "Did you mean 'show'?"),
        ("output", "Did you mean 'show'?"),
        ("logs", "Did you mean 'show --history', 'tail'?"),
        ("history", "Did you mean 'show --history'?"),
        ("Approve", "Did you mean 'answer'?"),
        ("serve", "Did you mean 'dev', 'server'?"),
        ("kill", "Did you mean 'terminate'?"),
        ("shwo", "Did you mean 'show'?"),
        ("strt", "Did you mean 'start', 'stream'?"),
        ("prun", "No such command 'prun'. See: signoff --help"),
        ("delet", "No such command 'delet'. See: signoff --help"),
        ("cancle", "No such command 'cancle'. See: signoff --help"),
    ],
)
def test_an_unknown_command_leads_to_the_one_that_was_meant(
    called: str, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([called, "r1"]) == USAGE
    said = capfd.readouterr()
    assert said.err.startswith(f"signoff: No such command '{called}'.")
    assert told in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_likeness_leads_to_nothing_that_ends_or_deletes(capfd: pytest.CaptureFixture[str]) -> None:
    tried = 0
    for group in groups(command()):
        for name in group.commands.keys() & ENDS:
            path = [] if group.name is None else [group.name]
            if path in (["link"], ["token"]):
                continue  # what follows is an argument of theirs
            for typo in (name[:-1], f"{name}s", name[1:]):
                assert main([*path, typo]) == USAGE
                suggested = set(re.findall(r"'(\S+?)'", capfd.readouterr().err)) - {typo}
                assert suggested.isdisjoint(ENDS), (path, typo)
                tried += 1
    assert tried >= 30


def test_what_is_suggested_is_there() -> None:
    all_ = command()
    there = all_.commands
    of_all = {option for one in all_.params for option in one.opts} | set(all_.context_settings["help_option_names"])
    for called, meant in MEANT.items():
        assert called not in there
        for words in meant:
            first, *more = words.split()
            if not more and first in of_all:
                continue
            assert first in there, called
            options = {option for one in there[first].params for option in one.opts}
            assert all(word in options or word in there[first].commands for word in more), called
    assert {name for group in groups(command()) for name in group.commands} >= ENDS
    assert {verb.name for verb in VERBS.values() if verb.question} <= ENDS
