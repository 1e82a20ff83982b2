"""The npm package, as somebody has it who installs it: the files that are packed, and what they ask for."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Final

from tests.packaging.installed import ROOT

CLIENT: Final = ROOT / "js-client"
EXAMPLE: Final = ROOT / "examples" / "react-approval"


def node(folder: Path, *command: str) -> str:
    """Run a command of Node.js to its end and return what it prints; it must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Packed:
    """What `npm pack` makes of the client, unpacked into projects.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        pack = ("npm", "pack", "--json", "--ignore-scripts", "--pack-destination", str(folder))
        told: Any = json.loads(node(CLIENT, *pack))
        [about] = told if isinstance(told, list) else told.values()
        self.archive = folder / about["filename"]
        self.files = {file["path"] for file in about["files"]}

    def into(self, project: Path, *beside: Path) -> Path:
        """Install it into a project, with what it asks for linked beside it; return the folder of packages.

        Args:
            project: a folder.
            beside: what else the project has, as folders of `node_modules`.
        """
        packages = project / "node_modules"
        home = packages / "@signoff" / "client"
        home.parent.mkdir(parents=True)
        with tarfile.open(self.archive) as archive:
            archive.extractall(home.parent, filter="data")
        (home.parent / "package").rename(home)
        asked = json.loads((home / "package.json").read_text())["dependencies"]
        for package in [*(CLIENT / "node_modules" / name for name in asked), *beside]:
            link = packages / package.relative_to(next(at for at in package.parents if at.name == "node_modules"))
            link.parent.mkdir(exist_ok=True)
            if not link.exists():
                link.symlink_to(package)
        return packages
