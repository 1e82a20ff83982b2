"""`signoff dev` of an installed wheel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.packaging.installed import Installed


@contextmanager
def dev(installed: Installed, folder: Path, *arguments: str) -> Iterator[str]:
    """Run it on a free port until the end of the block; give the address it says it listens on."""
    process = subprocess.Popen(
        [str(installed.python.with_name("signoff")), "dev", *arguments, "--port", "0"],
        cwd=folder,
        env=installed.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline().strip()
        assert line.startswith("Signoff is listening on "), line + process.stderr.read()
        yield line.rsplit(" ", 1)[-1]
    finally:
        process.terminate()
        process.communicate(timeout=30)
