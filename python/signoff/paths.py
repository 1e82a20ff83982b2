"""Where the engine's own streams are: the one table of their paths (protocol, section 4).

runs/{run_id}          a run's public rows
runs/{run_id}/journal  its journal, which browsers cannot read
inbox/{principal}      the requests for input that a person or a group may answer
workflows/{workflow}   the runs of a workflow, each as its row without input and output
drafts/{principal}     what a person has filled in of requests that are pending, for nobody else
"""

from __future__ import annotations

from typing import Final

ENGINE_ROOTS: Final = frozenset({"runs", "inbox", "workflows", "drafts"})
"""Below these nobody but the engine writes."""

_RUNS: Final = "runs/"


def run_path(run_id: str) -> str:
    """Return the path of a run's public stream."""
    return f"{_RUNS}{run_id}"


def journal_path(run_id: str) -> str:
    """Return the path of a run's journal."""
    return f"{_RUNS}{run_id}/journal"


def inbox_path(principal: str) -> str:
    """Return the path of the inbox of a person or a group."""
    return f"inbox/{principal}"


def listing_path(workflow: str) -> str:
    """Return the path of the listing of a workflow's runs."""
    return f"workflows/{workflow}"


def drafts_path(principal: str) -> str:
    """Return the path of a person's drafts."""
    return f"drafts/{principal}"


def is_of_a_run(path: str) -> bool:
    """Tell whether a path is that of a run's own stream: its rows, or its journal."""
    return path.startswith(_RUNS)
