"""The first minutes with the command: it starts quickly, takes what people write, and says what to do."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from signoff.cli.command import command
from tests.cli.commands import FLOW, environment, run, running

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an application."""
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


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
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
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
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("module", ["signoff", "signoff.cli"])
def test_the_command_is_a_module_too(place: Path, module: str) -> None:
    for option in ("-V", "--version"):
        assert module_run(module, option).stdout.startswith("signoff 0.")
    for arguments in (["-h"], ["--help"], ["list", "-h"]):
        told = module_run(module, *arguments)
        assert told.returncode == 0
        assert "Usage: signoff" in told.stdout


def test_the_help_names_every_command(place: Path) -> None:
    said = run(place, "--help").stdout
    names = list(command().commands)
    assert {"dev", "start", "cancel", "rewind", "prune", "stream"} <= set(names)
    for name in names:
        assert f" {name} " in said


def test_no_help_has_what_the_terminal_takes_for_markup() -> None:
    helps = [one.help for sub in command().commands.values() for one in sub.params if getattr(one, "help", None)]
    assert len(helps) > 50
    assert [help_ for help_ in helps if "[" in help_] == []


def test_the_help_of_a_command_says_where_it_looks(place: Path) -> None:
    said = run(place, "list", "--help").stdout
    for name in ("SIGNOFF_STORE", "SIGNOFF_SERVER", "http://127.0.0.1:4437", "SIGNOFF_TOKEN"):
        assert name in said


@pytest.mark.parametrize("where", ["./flow.py:app", "flow.py:app", "sub/pack/flow.py:app", "{here}/flow.py:app"])
def test_an_application_is_found_by_its_file(place: Path, where: str) -> None:
    (place / "sub" / "pack").mkdir(parents=True)
    (place / "sub" / "pack" / "__init__.py").touch()
    (place / "sub" / "pack" / "other.py").write_text("ready = True")
    (place / "sub" / "pack" / "flow.py").write_text(f"from pack.other import ready\n{FLOW}")
    with running(place, "dev", where.format(here=place), "--port", "0") as server:
        assert run(place, "start", "waits", "--server", server.url).returncode == 0


def test_a_file_that_is_not_there_is_told(place: Path) -> None:
    told = run(place, "dev", "./flou.py:app")
    assert told.returncode == 2
    assert "There is no file flou.py" in told.stderr


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["show", "r1"], ["tail", "r1"], ["cancel", "r1"], ["stream", "read", "a"]],
    ids=lambda arguments: arguments[0],
)
def test_a_store_that_is_not_there_is_not_created(place: Path, arguments: list[str]) -> None:
    before = sorted(place.iterdir())
    told = run(place, *arguments, "--store", "sqlite:///deep/typo.db")
    assert told.returncode == 1
    assert "There is no store at" in told.stderr
    assert sorted(place.iterdir()) == before


def test_a_worker_on_a_store_of_its_own_warns(place: Path) -> None:
    with running(place, "worker", "flow:app", "--store", "memory:") as worker:
        _, errors = worker.stop()
    assert "nobody can start a run in it" in errors


def test_a_missing_token_is_told_with_its_option(place: Path) -> None:
    with running(place, "dev", "flow:app", "--port", "0", SIGNOFF_SECRET="s" * 40) as server:
        told = run(place, "list", "--server", server.url)
    assert told.returncode == 1
    assert "--token" in told.stderr


def test_listings_take_several_statuses_and_tags(place: Path) -> None:
    with running(place, "dev", "flow:app", "--port", "0") as server:

        def command(*arguments: str) -> Any:
            told = run(place, *arguments, "--json", "--server", server.url)
            assert told.returncode == 0, told.stderr
            return json.loads(told.stdout)

        for name, tags in (("r1", ["a"]), ("r2", ["a", "b"]), ("r3", ["b"])):
            options = [option for tag in tags for option in ("--tag", tag)]
            command("start", "waits", "--input", "null", "--run-id", name, *options)
        command("cancel", "r3")

        def listed(*options: str) -> set[str]:
            return {row["id"] for row in command("list", *options)["runs"]}

        deadline = time.monotonic() + 30
        while listed("--status", "cancelled") != {"r3"} or listed("--status", "waiting") != {"r1", "r2"}:
            assert time.monotonic() < deadline
        assert listed("--status", "cancelled", "--status", "waiting") == {"r1", "r2", "r3"}
        assert listed("--tag", "a", "--tag", "b") == {"r2"}
        assert listed("--tag", "b", "--status", "cancelled", "--status", "failed") == {"r3"}


def test_changed_code_starts_the_application_again_and_no_run_is_lost(place: Path) -> None:
    with running(place, "dev", "flow:app", "--port", "0", "--data", ".data") as first:
        assert first.stop()[0] == 0
    port = first.url.rsplit(":", 1)[1]
    server = f"http://127.0.0.1:{port}"
    with running(place, "dev", "flow:app", "--reload", "--port", port, "--data", ".data") as watching:

        def until(*arguments: str, word: str) -> None:
            deadline = time.monotonic() + 60
            while word not in (told := run(place, *arguments, "--server", server)).stdout:
                assert time.monotonic() < deadline, told

        assert run(place, "start", "expense", "--input", "7", "--run-id", "r1", "--server", server).returncode == 0
        until("inputs", word="approve:0")
        (place / "flow.py").write_text(FLOW.replace('"paid"', '"paid by new code"'))
        until("start", "waits", "--run-id", "r2", word="r2")
        (place / "flow.py").write_text("def")  # code that cannot be imported waits for the next change
        (place / "flow.py").write_text(
            FLOW.replace('"paid"', '"paid by new code"').replace("app.workflow", "app.workflow(expose=('output',))")
        )
        until("show", "r1", word="waiting")
        until("answer", "r1", "approve:0", "--value", '{"approved": true}', word="Accepted")
        until("show", "r1", word="completed")
        code, told = watching.stop(signal.SIGINT)
        assert code in {0, 130}
        assert "process already dead" not in told


def test_tests_that_are_started_in_the_background_can_interrupt_what_they_start() -> None:
    chosen = ["tests/cli/test_commands.py", "-k", "stopped or interrupted or signal or worked_on"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    told = subprocess.run(
        ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stdout
    assert " passed" in told.stdout
