"""The plugin: an engine for each test that asks for one, whatever runs such tests, and nothing for all others."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CONFTEST = """
import pytest
from signoff import App, Context

app = App()

@app.workflow
async def expense(ctx: Context, amount: int) -> str:
    answer = await ctx.await_input("approve", bool, title="OK?", to=["group:finance"])
    await ctx.sleep("30d")
    return "paid" if answer.value else "refused"

@pytest.fixture
def signoff_app():
    return app
"""

TESTS = """
import pytest

@pytest.fixture
def amount():
    return 120

{mark}
@pytest.mark.parametrize("approved", [True, False])
async def test_async(signoff_engine, amount, approved):
    alice = signoff_engine.person("alice", groups=["finance"])
    run = await signoff_engine.start("expense", amount)
    await alice.answers("approve", approved)
    assert await run.result() == ("paid" if approved else "refused")

{mark}
async def test_async_fails(signoff_engine):
    assert (await signoff_engine.start("expense", 1)).id == "another"

def test_sync(signoff_engine, amount):
    async def paid(engine):
        run = await engine.start("expense", amount)
        await engine.person("alice", groups=["finance"]).answers("approve", True)
        return await run.result()
    assert signoff_engine.play(paid) == "paid"

class TestInAClass:
    {mark}
    async def test_method(self, signoff_engine):
        assert (await signoff_engine.start("expense", 1)).id == "run-1"
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, with no plugin but those that are named."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "."]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize(
    ("mark", "arguments"),
    [
        ("", ()),
        ("@pytest.mark.anyio", ("-p", "anyio.pytest_plugin", "-k", "not trio")),
    ],
    ids=["by itself", "anyio"],
)
def test_tests_get_an_engine(tmp_path: Path, mark: str, arguments: tuple[str, ...]) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_expense.py").write_text(TESTS.format(mark=mark))
    played = run_pytest(tmp_path, "-p", "signoff.testing.pytest_plugin", "-W", "error", *arguments)
    assert "4 passed" in played.stdout, played.stdout + played.stderr
    assert "1 failed" in played.stdout
    assert "AssertionError: assert 'run-1' == 'another'" in played.stdout


def test_a_test_without_an_application_is_told_how_to_name_it(tmp_path: Path) -> None:
    (tmp_path / "test_expense.py").write_text("def test_one(signoff_engine): pass\n")
    played = run_pytest(tmp_path, "-p", "signoff.testing.pytest_plugin")
    assert "def signoff_app():" in played.stdout
    assert played.returncode == 1


def test_whoever_does_not_use_it_pays_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_nothing_is_loaded():\n"
        "    ours = {name for name in sys.modules if name.split('.')[0] == 'signoff'}\n"
        "    assert ours == {'signoff', 'signoff.testing', 'signoff.testing.pytest_plugin'}\n"
        "    assert not {'asyncio', 'pydantic', 'orjson', 'starlette'} & sys.modules.keys()\n"
    )
    played = run_pytest(tmp_path, "-p", "signoff.testing.pytest_plugin")
    assert "1 passed" in played.stdout, played.stdout


def test_pytest_finds_it() -> None:
    entry_points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert set(entry_points["pytest11"]) == {"signoff"}
    plugin = import_module(entry_points["pytest11"]["signoff"])
    assert {"signoff_app", "signoff_engine", "pytest_pyfunc_call"} <= vars(plugin).keys()
