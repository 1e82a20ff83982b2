"""The replay of a recorded run by today's code."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from signoff.errors import WorkflowError
from signoff.workflow import journal
from signoff.workflow.definition import App, WorkflowDefinition
from signoff.workflow.entry import Command, Entry
from signoff.workflow.machine import Machine
from signoff.workflow.run.entries import RunStarted


def replay(workflow: App | WorkflowDefinition, history: Mapping[str, Any]) -> list[Command]:
    """Replay a run's history by the code as it is now: no step is run, nothing is asked of anybody or written.

    May be called from anywhere, a test that is a coroutine included: the code then runs in a thread of its own, and
    the test's event loop waits for it.

    Args:
        workflow: the application that has the run's workflow, or a workflow as `App.get` returns it, whatever its name.
        history: what `signoff show RUN --history --json` prints: its `entries` are the run's journal.

    Returns:
        What the code asks for beyond what is recorded; empty if it asked for exactly that.

    Raises:
        UnknownWorkflow: the application has no workflow of this name.
        WorkflowError: this is no history, or one that this version cannot read.
        TypeError: `workflow` is neither.
        NonDeterminism: the code asks for something else; says what was expected, what was found and where.

    Example:
        >>> replay(app, json.loads(Path("tests/claim-1.json").read_text()))
        []
    """
    _check(workflow)
    entries = [journal.from_json(entry) for entry in history["entries"]]
    if isinstance(workflow, App):
        workflow = workflow.get(_name(entries))
    if not _in_a_task():
        return _replay(workflow, entries)
    with ThreadPoolExecutor(1, "signoff-replay") as thread:
        return thread.submit(copy_context().run, _replay, workflow, entries).result()


def _check(workflow: object) -> None:
    if not isinstance(workflow, App | WorkflowDefinition):
        what = f"replay takes the App, or what App.get returns, and the history; not {type(workflow).__name__}."
        raise TypeError(what)


def _name(entries: list[Entry]) -> str:
    """Return the name of the workflow whose run this is."""
    first = entries[0] if entries else None
    if not isinstance(first, RunStarted):
        found = "is empty" if first is None else f"begins with {first.type}"
        raise WorkflowError(f"A history begins with run.started, and this one {found}: give it whole.")
    return first.workflow


def _replay(workflow: WorkflowDefinition, entries: list[Entry]) -> list[Command]:
    machine = Machine(workflow)
    try:
        return machine.advance(entries)
    finally:
        machine.close()


def _in_a_task() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False
