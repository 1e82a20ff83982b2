"""The wheel, as somebody has it who installs it: in a fresh environment, with the packages it names and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[2]


def built(folder: Path, *what: str, source: Path = ROOT) -> list[Path]:
    """Build `-t wheel`, `-t sdist` or both into a folder, with the build backend that the project names."""
    command = [sys.executable, "-m", "hatchling", "build", *what, "-d", str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(folder.iterdir())


def _named(about: Distribution, extra: str = "") -> list[Requirement]:
    requirements = [Requirement(line) for line in about.requires or ()]
    return [one for one in requirements if one.marker is None or one.marker.evaluate({"extra": extra})]


def _closure(about: Distribution) -> dict[str, Distribution]:
    """Return the distributions that one needs, by name, itself not among them."""
    found: dict[str, Distribution] = {}
    waiting = _named(about)
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        known = found.setdefault(name, distribution(name))
        if known.version not in wanted.specifier:
            raise AssertionError(f"{wanted} is asked for, and {known.version} is installed")
        # An extra adds to what the package needs without it; what is found twice is looked at once.
        fresh = [one for extra in ("", *wanted.extras) for one in _named(known, extra)]
        waiting += [one for one in fresh if canonicalize_name(one.name) not in found]
    return found


class Installed:
    """A fresh virtual environment with a wheel of ours, outside the repository.

    What the wheel asks for is linked from the environment of the tests, so that nothing is fetched; what it does not
    ask for is not there.

    Args:
        folder: an empty one.
        wheel: the file.
    """

    def __init__(self, folder: Path, wheel: Path) -> None:
        self._env = folder / "venv"
        venv.create(self._env, with_pip=False, symlinks=True)
        self.python = self._env / "bin" / "python"
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(self.python),
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
        ]
        done = subprocess.run([*pip, str(wheel)], capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.packages = self._env / "lib" / version / "site-packages"
        self.about = Distribution.at(next(self.packages.glob("signoff-*.dist-info")))
        for needed in _closure(self.about).values():
            self._link(needed)

    def _link(self, needed: Distribution) -> None:
        ours = Path(sysconfig.get_path("purelib"))
        for top in {file.parts[0] for file in needed.files or () if file.parts[0] not in {"..", "__pycache__"}}:
            link = self.packages / top
            if not link.exists():
                link.symlink_to(ours / top)

    def environment(self) -> dict[str, str]:
        """Return an environment with this one's programs first, and without settings of ours."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SIGNOFF_", "PYTHON"))}
        return {**inherited, "PATH": f"{self._env / 'bin'}:{os.environ['PATH']}", "PYTHONIOENCODING": "utf-8"}

    def run(self, folder: Path, *command: str) -> str:
        """Run a command to its end and return what it prints; it must succeed."""
        done = subprocess.run(
            command, cwd=folder, env=self.environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout
