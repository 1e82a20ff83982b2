"""The command as a whole: it starts quickly, and its help says what there is."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from signoff.cli.command import command
from tests.cli.commands import environment, run


def imported_by(code: str) -> set[str]:
    """Return the names of the modules a fresh interpreter has after some code."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(told.stderr.splitlines()[-1].split())


ROOT = Path(__file__).parents[2]

HEAVY = {"starlette", "uvicorn", "httpx", "jwt", "cryptography", "jsonschema_rs", "rich", "typer", "sqlite3", "uvloop"}


@pytest.mark.parametrize(
    ("code", "allowed", "most"),
    [
        ("from signoff import App, Context, step", set(), 520),
        ("from signoff.cli import main; main(['--version'])", set(), 90),
        (
            "from signoff.cli import main; main(['list', '--server', 'http://127.0.0.1:1'])",
            {"httpx", "rich", "typer"},
            950,
        ),
        (
            "from signoff.cli import main; main(['start', 'a', '--server', 'http://127.0.0.1:1'])",
            {"httpx", "rich", "typer"},
            950,
        ),
    ],
)
def test_what_is_asked_often_imports_little(code: str, allowed: set[str], most: int) -> None:
    modules = imported_by(code)
    assert modules & HEAVY <= allowed
    assert not modules & {
        "signoff.server.app",
        "signoff.server.access.identity",
        "signoff.service.engine",
        "signoff.runtime.worker",
    }
    # An HTTP client loads trio where that is installed, as it is for tests.
    assert len({name for name in modules if name.partition(".")[0] not in {"trio", "attr", "outcome", "h2"}}) <= most


def test_public_names_are_there_when_they_are_asked_for() -> None:
    code = "import signoff; print(*[name for name in signoff.__all__ if not hasattr(signoff, name)])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True)
    assert told.stdout == "\n"
    assert not imported_by("import signoff") & {"pydantic", "asyncio"}
    with pytest.raises(ImportError, match="nothing_like_it"):
        importlib.import_module("signoff.nothing_like_it")


def test_a_command_on_a_store_loads_no_cryptography(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'a.db'}"
    loaded = imported_by(f"""
from signoff.cli import main
main(["start", "a", "--store", {store!r}])
main(["list", "--store", {store!r}])
""")
    assert loaded & {"jwt", "cryptography", "jsonschema_rs", "uvicorn", "uvloop"} == set()


def test_what_the_command_needs_comes_with_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {one.replace(">", " ").replace(";", " ").split()[0].lower() for one in project["dependencies"]}
    code = "from signoff.cli.command import command; command()"
    needed = {"typer", "rich", "httpx", "starlette", "uvicorn", "uvloop", "httptools", "jwt", "cryptography"}
    assert needed - {"jwt", "cryptography"} <= imported_by(code)
    assert {"pyjwt" if name == "jwt" else name for name in needed} | {"watchfiles"} <= names


def module_run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("module", ["signoff", "signoff.cli"])
def test_the_command_is_a_module_too(folder: Path, module: str) -> None:
    for option in ("-V", "--version"):
        assert module_run(module, option).stdout.startswith("signoff 0.")
    for arguments in (["-h"], ["--help"], ["list", "-h"]):
        told = module_run(module, *arguments)
        assert told.returncode == 0
        assert "Usage: signoff" in told.stdout


def test_the_help_names_every_command(folder: Path) -> None:
    said = run(folder, "--help").stdout
    names = list(command().commands)
    assert {"dev", "start", "cancel", "rewind", "prune", "stream"} <= set(names)
    for name in names:
        assert f" {name} " in said


def test_no_help_has_what_the_terminal_takes_for_markup() -> None:
    helps = [one.help for sub in command().commands.values() for one in sub.params if getattr(one, "help", None)]
    assert len(helps) > 50
    assert [help_ for help_ in helps if "[" in help_] == []


def test_the_help_of_a_command_says_where_it_looks(folder: Path) -> None:
    said = run(folder, "list", "--help").stdout
    for name in ("SIGNOFF_STORE", "SIGNOFF_SERVER", "http://127.0.0.1:4437", "SIGNOFF_TOKEN"):
        assert name in said
