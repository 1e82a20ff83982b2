"""The `signoff` command, and the one place where server and runtime meet. One sub-command per file."""

import sys

try:
    from signoff.cli.main import main
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] == "signoff":
        raise
    sys.exit(f"signoff: The command needs {error.name}. Install it with: pip install 'signoff[cli]'")

__all__ = ["main"]
