"""The error of a command line that cannot be meant."""

from __future__ import annotations

import typer


class Misuse(typer.TyperException):
    """Arguments or an environment that make no sense; exit code 2."""

    exit_code = 2
