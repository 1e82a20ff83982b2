"""Recorded runs, replayed by today's code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

from signoff.errors import NonDeterminism, SignoffError, WorkflowError
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


def save_history(path: str | Path, run_id: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Save a run's history, for `replay` and `replay_folder`: what `signoff show RUN --history --json` prints.

    Args:
        path: of the file; its folder is made.
        run_id: the run.
        entries: its journal, as `Runs.history` and `GET /v1/runs/{run_id}/history` give it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"run_id": run_id, "entries": list(entries)}, indent=2, ensure_ascii=False) + "\n")


def replay_folder(workflow: App | WorkflowDefinition, folder: str | Path) -> int:
    """Replay all histories of a folder, for a test: each `.json` file in it, and in its folders.

    Args:
        workflow: the application, or a workflow as `App.get` returns it.
        folder: where histories were saved.

    Returns:
        how many were replayed.

    Raises:
        AssertionError: the code asks for something else than what some of them have; says in which, for what and
            where. Or there are none.

    Example:
        >>> def test_old_runs_still_replay() -> None:
        ...     replay_folder(app, "tests/histories")
    """
    __tracebackhide__ = True  # pytest then shows the test, and not this
    files = sorted(Path(folder).rglob("*.json"))
    if not files:
        raise AssertionError(f"There are no histories in {folder}: no .json file is there.")
    faults = [f"{file.relative_to(folder)}\n{fault}" for file in files if (fault := _fault(workflow, file))]
    if faults:
        failed = f"{len(faults)} of {len(files)} histories do not replay; - is recorded, + is what the code asks for."
        raise AssertionError("\n\n".join([failed, *faults]))
    return len(files)


def _fault(workflow: App | WorkflowDefinition, file: Path) -> str:
    """Return how a history and the code differ; empty: they do not."""
    try:
        more = replay(workflow, json.loads(file.read_text()))
    except NonDeterminism as error:
        return "\n".join(_difference(error.extra))
    except (SignoffError, ValueError, KeyError, TypeError) as error:
        return f"    {type(error).__name__}: {error}"
    return "\n".join(f"  + {_title(command)}" for command in more)


def _difference(extra: Mapping[str, str]) -> Iterator[str]:
    yield from (f"    {before}" for before in extra["before"].split(", "))
    yield f"  - {extra['expected']}"
    yield f"  + {extra['found']}"
    yield f"    where: {extra['where']}"


def _title(command: Command) -> str:
    return f"{command.type} {getattr(command, 'id', '')}".rstrip()


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
