"""The `signoff` command, and the one place where server and runtime meet. One sub-command per file."""

from signoff.cli.main import main

__all__ = ["main"]
