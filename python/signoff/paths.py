"""Where the engine's own streams are: the one table of their paths (protocol, section 4).

runs/{run_id}          a run's public rows
runs/{run_id}/journal  its journal, which browsers cannot read
runs/{run_id}/out/{n}  what its steps write while they run: tokens, log lines
runs/{run_id}/files/{f} a file that somebody has attached to an answer, or is about to
inbox/{principal}      the requests for input that a person or a group may answer
workflows/{workflow}   the runs of a workflow, each as its row without input and output
drafts/{principal}     what a person has filled in of requests that are pending, for nobody else
notifications/{shard}  what is to be told of requests for input, until it has been told; for operators alone
"""

from __future__ import annotations

import zlib
from typing import Final

ENGINE_ROOTS: Final = frozenset({"runs", "inbox", "workflows", "drafts", "notifications"})
"""Below these nobody but the engine writes."""

NOTIFICATIONS: Final = tuple(f"notifications/{shard}" for shard in range(8))
"""What is told of one run is in one of these, so it stays in order; that there are several keeps writers apart."""

_RUNS: Final = "runs/"


def run_path(run_id: str) -> str:
    """Return the path of a run's public stream."""
    return f"{_RUNS}{run_id}"


def journal_path(run_id: str) -> str:
    """Return the path of a run's journal."""
    return f"{_RUNS}{run_id}/journal"


def output_path(run_id: str, name: str = "") -> str:
    """Return the path of an output of a run; without a name what the paths of all of them begin with."""
    return f"{_RUNS}{run_id}/out/{name}"


def file_path(run_id: str, file: str = "") -> str:
    """Return the path of a file of a run; without an id what the paths of all of them begin with."""
    return f"{_RUNS}{run_id}/files/{file}"


def is_file(path: str) -> bool:
    """Return True if a path is of a file that was attached in a run."""
    root, _, rest = path.partition("/")
    return root == "runs" and rest.partition("/")[2].startswith("files/")


def inbox_path(principal: str) -> str:
    """Return the path of the inbox of a person or a group."""
    return f"inbox/{principal}"


def listing_path(workflow: str) -> str:
    """Return the path of the listing of a workflow's runs."""
    return f"workflows/{workflow}"


def drafts_path(principal: str) -> str:
    """Return the path of a person's drafts."""
    return f"drafts/{principal}"


def notifications_path(run_id: str) -> str:
    """Return the path of the stream that has what is to be told of a run's requests."""
    return NOTIFICATIONS[zlib.crc32(run_id.encode()) % len(NOTIFICATIONS)]


def is_of_a_run(path: str) -> bool:
    """Tell whether a path is that of a run's own stream: its rows, or its journal."""
    return path.startswith(_RUNS)
