"""Keep the file from everybody but its owner: it holds every journal, and the keys that sign webhooks.

SQLite gives its log and its shared memory the permissions of the file, so the file is what to look after. One that is
there already is its owner's to decide about: it is left as it is, and the log says so.
"""

from __future__ import annotations

import logging
import os
import shlex
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def create(path: Path) -> None:
    """Create an empty file for its owner alone, which SQLite takes for a new database; leave one that is there."""
    with suppress(OSError):  # SQLite will say in its words what is wrong
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def warn(path: Path) -> None:
    """Log, once, which of the file and what lies beside it others than its owner may use."""
    if os.name != "posix":
        return
    wide: dict[Path, int] = {}
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(FileNotFoundError):
            mode = stat.S_IMODE(file.stat().st_mode)
            if mode & OTHERS:
                wide[file] = mode
    if wide:
        log.warning(
            "%s may be used by others than the owner (mode %s). What is there is all data and the keys that sign "
            "webhooks. If nobody else needs it: chmod 600 %s",
            path,
            ", ".join(dict.fromkeys(f"{mode:04o}" for mode in wide.values())),
            " ".join(shlex.quote(str(file)) for file in wide),
        )
