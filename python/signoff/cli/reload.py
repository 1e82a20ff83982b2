"""`signoff dev --reload`: the same command in a process of its own, started again when code changes.

The old process ends cleanly first: it gives its leases up, so the new one goes on with every run at once.
"""

from __future__ import annotations

import logging
import shlex
import signal
import sys
from pathlib import Path

from signoff.cli import output

_CLEAN_S = 15
"""Seconds in which the old process ends by itself; longer than a worker drains."""


def start_again_on_changes() -> None:
    """Run this command without `--reload` until Ctrl-C, again after each change of a Python file below here."""
    from watchfiles import PythonFilter, run_process  # noqa: PLC0415 - only who reloads needs it

    command = [sys.executable, "-m", "signoff", *(one for one in sys.argv[1:] if one != "--reload")]
    output.note(f"Watching {Path.cwd()}: a changed Python file starts the application again.")
    logging.getLogger("watchfiles").setLevel(logging.CRITICAL)  # what it says of signals and exit codes helps nobody
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job is started ignoring it
    run_process(
        Path.cwd(),
        target=shlex.join(command),
        target_type="command",
        watch_filter=PythonFilter(),
        sigint_timeout=_CLEAN_S,
        callback=lambda changes: output.note(f"{Path(next(iter(changes))[1]).name} has changed; starting again."),
    )
