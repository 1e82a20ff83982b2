"""The `signoff` command: one sub-command a file, put together by `command.py`.

Here, as in `embed`, server and runtime meet. Never here: what a server or a client of Python may want to do, too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from signoff import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Args:
        arguments: without the program's name; those of the process if None.
    """
    given = [*(sys.argv[1:] if arguments is None else arguments)]  # `list` is a sub-command in this package
    if given in (["--version"], ["-V"]):  # before anything else is imported: scripts ask often
        print(f"signoff {__version__}")
        return 0
    from signoff.cli.command import run  # noqa: PLC0415

    return run(given)


__all__ = ["main"]
