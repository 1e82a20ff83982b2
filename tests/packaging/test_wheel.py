"""The wheel holds what the package needs, says what it is, and works where nothing else of ours is."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

from tests.packaging.installed import ROOT, Installed, built
from tests.packaging.served import dev

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
APP = """
from pydantic import BaseModel
from signoff import App, Context

app = App()

class Decision(BaseModel):
    approved: bool

@app.workflow
async def expense(ctx: Context, amount: int) -> str:
    decision = await ctx.await_input("approve", Decision, title=f"Pay {amount} EUR?", to=["group:finance"])
    return "paid" if decision.value.approved else "declined"
"""


def _files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        return message_from_string(archive.read(name).decode())


def _artifacts() -> set[str]:
    """Return the files of the package that are built, and in no repository: the console, say."""
    patterns = PROJECT["tool"]["hatch"]["build"].get("artifacts", [])
    built_files = (
        path for pattern in patterns for path in ROOT.glob(f"{pattern}/*" if pattern.endswith("**") else pattern)
    )
    return {path.relative_to(ROOT / "python").as_posix() for path in built_files if path.is_file()}


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "python/signoff"], cwd=ROOT, capture_output=True, text=True, check=True)
    committed = {name.removeprefix("python/") for name in listed.stdout.split() if (ROOT / name).exists()}
    assert {"signoff/py.typed", "signoff/server/api/openapi.json", "signoff/stores/sqlite/schema.sql"} < committed
    assert _files(wheel) == committed | _artifacts()


def test_every_page_it_is_to_hold_was_built(wheel: Path) -> None:
    pages = {
        pattern.removeprefix("python/").removesuffix("**")
        for pattern in PROJECT["tool"]["hatch"]["build"].get("artifacts", [])
    }
    assert {page for page in pages if f"{page}index.html" not in _files(wheel)} == set(), "run `make setup`"


def test_a_source_distribution_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    [sdist] = built(tmp_path / "sdist", "-t", "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    [again] = built(tmp_path / "again", "-t", "wheel", source=tmp_path / sdist.name.removesuffix(".tar.gz"))
    assert _files(again) == _files(wheel)


def test_an_index_takes_it_and_renders_its_page(wheel: Path) -> None:
    check = [sys.executable, "-m", "twine", "check", "--strict", str(wheel)]
    done = subprocess.run(check, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_says_what_it_is(metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    classifiers = set(metadata.get_all("Classifier") or ())
    assert {
        "Typing :: Typed",
        "Framework :: Pydantic :: 2",
        "Programming Language :: Python :: 3 :: Only",
    } <= classifiers
    assert metadata.get_payload() == (ROOT / "README.md").read_text()


def test_the_command_is_there(installed: Installed, tmp_path: Path) -> None:
    assert installed.run(tmp_path, "signoff", "--version").strip() == f"signoff {PROJECT['project']['version']}"


def test_every_module_is_imported_with_what_the_wheel_asks_for(installed: Installed, tmp_path: Path) -> None:
    program = """
import importlib, pkgutil, signoff
for module in pkgutil.walk_packages(signoff.__path__, "signoff."):
    try:
        module.name.endswith("__main__") or importlib.import_module(module.name)
    except ImportError as missing:
        print(module.name, missing)
"""
    missing = [line.split(" ", 1) for line in installed.run(tmp_path, "python", "-c", program).splitlines()]
    extras = {"adapters", "mcp", "testing", "client.ag_ui"}
    assert {name for name, _ in missing if not name.removeprefix("signoff.").startswith(tuple(extras))} == set(), (
        missing
    )
    assert installed.run(tmp_path, "python", "-c", "import signoff; print(signoff.__file__)").startswith(
        str(installed.packages)
    )


def test_an_application_is_served_and_answered(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "expense.py").write_text(APP)
    with dev(installed, tmp_path, "expense:app") as url:
        at = ("--server", url)
        installed.run(tmp_path, "signoff", "start", "expense", "--input", "7", "--run-id", "claim-1", *at)
        installed.run(tmp_path, "signoff", "answer", "claim-1", "approve:0", "--value", '{"approved": true}', *at)
        again = ("signoff", "start", "expense", "--input", "7", "--run-id", "claim-1", "--wait", *at)
        assert json.loads(installed.run(tmp_path, *again)) == "paid"
