"""Questions to whoever sits at the terminal: one line each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from getpass import getpass

import typer

from signoff.cli import output

NONE = "-"
"""What stands for nothing where a blank line takes what is proposed."""


def attended() -> bool:
    """Tell whether somebody can be asked: input and output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def say(text: str = "") -> None:
    """Print a line."""
    print(output.plain(text))


def read(question: str, *, hidden: bool = False) -> str:
    """Return the line that answers a question, without blanks at its ends.

    Args:
        question: as it stands before the answer.
        hidden: the answer is not shown as it is typed.

    Raises:
        Abort: there will be no answer, the input has ended.
    """
    try:
        prompt = output.plain(question)
        return (getpass if hidden else input)(prompt if prompt.endswith(" ") else f"{prompt}: ").strip()
    except EOFError:
        print()
        raise typer.Abort from None


def read_lines(question: str) -> str:
    """Return a text of several lines, up to an empty one."""
    say(f"{question} (an empty line ends it):")
    lines = []
    while line := read("> "):
        lines.append(line)
    return "\n".join(lines)


def agreed(question: str, proposed: bool | None = None) -> bool:
    """Ask for yes or no.

    Args:
        question: what to agree to.
        proposed: what a blank line says; None: it says nothing, and the question is asked again.
    """
    marks = {None: "y/n", True: "Y/n", False: "y/N"}[proposed]
    while True:
        answer = read(f"{question} [{marks}]").lower()
        if answer in {"y", "yes", "n", "no"}:
            return answer.startswith("y")
        if not answer and proposed is not None:
            return proposed
        say("  Say y or n.")


def chosen(question: str, labels: Sequence[str], proposed: int | None = None, *, optional: bool = False) -> int | None:
    """Ask for one of several, by its number or its label; return its index, None for none of them.

    Args:
        question: what the choice is about.
        labels: of what there is to choose.
        proposed: the index that a blank line takes.
        optional: none may be chosen: with a blank line, or `-` where something is proposed.
    """
    # Labels that are numbers are not numbered: nobody would know which of the two a number means.
    bare = any(label.isdigit() for label in labels)
    keys = list(labels) if bare else [str(number) for number in range(1, len(labels) + 1)]
    say(question if question.endswith("?") else f"{question}:")
    for key, label in zip(keys, labels, strict=True):
        say(f"  {label}" if bare else f"  {key}. {label}")
    mark = f" [{keys[proposed]}]" if proposed is not None else ""
    hint = _none(optional, proposed is not None)
    which = "which" if bare else f"1 to {len(labels)}"
    while True:
        answer = read(f"{which}{mark}{hint}")
        if not answer and proposed is not None:
            return proposed
        if optional and answer in {"", NONE}:
            return None
        if answer in keys:
            return keys.index(answer)
        named = [index for index, label in enumerate(labels) if label.casefold() == answer.casefold()]
        if len(named) == 1:
            return named[0]
        say("  Choose one of these." if bare else f"  Choose a number from 1 to {len(labels)}.")


def _none(optional: bool, proposed: bool) -> str:
    return f" ({NONE} for none)" if optional and proposed else " (may be left blank)" if optional else ""
