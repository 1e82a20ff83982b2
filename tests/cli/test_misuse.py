"""Whatever stands on the command line, the answer is one line, the exit code tells, and nothing is stored."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from signoff.cli import main
from signoff.service.engine import Engine
from signoff.service.kinds import RunFilter
from signoff.stores.open import open_store
from tests.cli.commands import FLOW

REFUSED, USAGE = 1, 2

PLAIN = """from signoff import App

app = App()

@app.workflow
def buy(ctx): ...
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an application, and no settings."""
    for name in ("STORE", "SERVER", "TOKEN", "SECRET", "AUDIENCE", "DEBUG"):
        monkeypatch.delenv(f"SIGNOFF_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "broken.py").write_text("raise ValueError('no luck')")
    (tmp_path / "needs.py").write_text("import not_installed_anywhere")
    (tmp_path / "syntax.py").write_text("def")
    (tmp_path / "plain.py").write_text(PLAIN)
    (tmp_path / "lacks.py").write_text("import signoff\napp = signoff.Ap()")
    (tmp_path / "bad.json").write_bytes(b"\xff")
    return tmp_path


@pytest.fixture
async def store(place: Path, anyio_backend: str) -> str:
    """A store with one run; it is made on a loop that does not run during the test: commands run their own."""
    url = f"sqlite:///{place / 'test.db'}"
    engine = await Engine.open(open_store(url))
    await engine.runs.start("expense", 7, run_id="r1")
    await engine.close()
    return url


def everything(url: str) -> Any:
    async def look() -> Any:
        engine = await Engine.open(open_store(url))
        runs = (await engine.runs.list(RunFilter(), 500)).items
        journals = [await engine.runs.history(run["id"]) for run in runs]
        inputs = (await engine.inputs.list(audience=None, status=None, limit=500)).items
        await engine.close()
        return runs, journals, inputs

    return asyncio.run(look())


DEEP = "[" * 70 + "]" * 70
ON_STORE: list[tuple[list[str], int, str]] = [
    (["start", "expense", "--input", "{bad"], USAGE, "--input is not JSON: line 1, column 2"),
    (["start", "expense", "--input", ""], USAGE, "--input is empty"),
    (["start", "expense", "--input", DEEP], USAGE, "deeper than 64"),
    (["start", "expense", "--input", "[" * 5000], USAGE, "not JSON"),
    (["start", "expense", "--input", "123456789012345678901"], USAGE, "beyond 64 bits"),
    (["start", "expense", "--input", '{"a":1,"a":2}'], USAGE, "stands twice"),
    (["start", "expense", "--input", "\udcff"], USAGE, "not UTF-8"),
    (["start", "expense", "--input", "@bad.json"], USAGE, "not UTF-8"),
    (["start", "expense", "--input", "@missing.json"], USAGE, "missing.json cannot be read"),
    (["start", "expense", "--input", '"' + "x" * 1_100_000 + '"'], REFUSED, "more than the 1048576 bytes"),
    (["start", "a b"], REFUSED, "/workflow must be 1 to 128"),
    (["start", ""], REFUSED, "/workflow"),
    (["start", "\udcff"], REFUSED, "JSON"),
    (["start", "expense", "--run-id", "../r1"], REFUSED, "/run_id"),
    (["start", "expense", "--run-id", "r1", "--input", "8"], REFUSED, "taken by a run"),
    (["start", "expense", "--tag", "x" * 129], REFUSED, "/tags/0"),
    (["start", "expense", "--tag", "a\tb"], REFUSED, "control characters"),
    (
        ["list", "--status", "lost"],
        USAGE,
        "'lost' is none; it is one of: running, waiting, sleeping, paused",
    ),
    (["list", "--status", "failed", "--status", "Failed"], USAGE, "'Failed' is none"),
    (["list", "--status", ""], USAGE, "it is empty"),
    (["retry", "--all", "--status", "lost"], USAGE, "'lost' is none"),
    (["prune", "--older-than", "1d", "--status", "waiting"], USAGE, "one of: completed, cancelled, failed."),
    (["list", "--limit", "0"], USAGE, "--limit"),
    (["list", "--limit", "many"], USAGE, "--limit"),
    (["list", "--cursor", "nonsense"], REFUSED, "cursor"),
    (["list", "--workflow", "a/b"], REFUSED, "'workflow'"),
    (["show", "r9"], REFUSED, "no run 'r9'"),
    (["show", ""], REFUSED, "cannot be part of an address"),
    (["show", ".."], REFUSED, "cannot be part of an address"),
    (["show", "a b"], REFUSED, "run id 'a b'"),
    (["show", "r1/history"], REFUSED, "encoded slashes"),
    (["show", "\udcff"], REFUSED, "cannot be part of an address"),
    (["show", "r9", "--history"], REFUSED, "no run 'r9'"),
    (["show", "x" * 200], REFUSED, "128"),
    (["cancel", "r9"], REFUSED, "no run 'r9'"),
    (["cancel", "r1", "--reason", "x" * 1001], REFUSED, "/reason"),
    (["send", "r9", "go"], REFUSED, "no run 'r9'"),
    (["send", "r1", "a b"], REFUSED, "topic 'a b'"),
    (["send", "r1", "go", "--id", ""], REFUSED, "/id"),
    (["send", "r1", "go", "--payload", "nope"], USAGE, "--payload is not JSON"),
    (["emit", "a/b"], REFUSED, "encoded slashes"),
    (["emit", "go", "--payload", "@"], USAGE, "cannot be read"),
    (["emit", "go", "--key", "x" * 201], REFUSED, "/key"),
    (["answer", "r1", "approve:0"], REFUSED, "no request 'approve:0'"),
    (["answer", "r1", "approve"], REFUSED, "key 'approve'"),
    (["answer", "r1", "approve:0", "--action", "go", "--seen-offset", "x"], REFUSED, "seen_offset"),
    (["answer", "r9", "approve:0"], REFUSED, "no run 'r9'"),
    (["answer", "r1", "approve:0", "--value", "yes"], USAGE, "--value is not JSON"),
    (
        ["inputs", "--status", "lost"],
        USAGE,
        "it is one of: pending, answered, expired, withdrawn, any.",
    ),
    (["inputs", "--cursor", "nonsense"], REFUSED, "cursor"),
    (["tail", "r9"], REFUSED, "runs/r9"),
    (["tail", "r9", "--no-follow"], REFUSED, "runs/r9"),
    (["tail", "r1", "--offset", "yesterday", "--no-follow"], REFUSED, "offset"),
    (["tail", "runs/../r1"], REFUSED, "cannot be part of an address"),
    (["tail", "runs//r1"], REFUSED, "cannot be part of an address"),
]


@pytest.mark.parametrize(("arguments", "code", "word"), ON_STORE, ids=lambda value: str(value)[:40])
def test_on_a_store(arguments: list[str], code: int, word: str, store: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = everything(store)
    assert main([*arguments, "--store", store]) == code
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("signoff: ")
    assert said.err.count("\n") == 1
    assert word in said.err
    assert "Traceback" not in said.err
    assert everything(store) == before


ANYWHERE: list[tuple[list[str], int, str]] = [
    (["bogus"], USAGE, "No such command 'bogus'"),
    (["--bogus"], USAGE, "--bogus"),
    (["start"], USAGE, "See: signoff start --help"),
    (["list", "--store", "memory:", "--server", "http://x"], USAGE, "exclude each other"),
    (["list", "--store", "nonsense"], REFUSED, "not a store URL"),
    (["list", "--store", "mysql://x"], REFUSED, "No store is known for 'mysql:'"),
    (["list", "--store", "postgresql://127.0.0.1:1/x"], REFUSED, "nothing listens there; start the server"),
    (["list", "--store", "redis://127.0.0.1:1/0"], REFUSED, "nothing listens there; start the server"),
    (["list", "--store", "sqlite:///."], REFUSED, "is a directory"),
    (["list", "--server", "ftp://x"], USAGE, "--server takes an address"),
    (["list", "--server", "localhost"], USAGE, "--server takes an address"),
    (["list", "--server", "http://[x"], USAGE, "--server takes an address"),
    (["list", "--server", "http://127.0.0.1:1"], REFUSED, "No Signoff server answers at http://127.0.0.1:1"),
    (["tail", "r1", "--server", "http://127.0.0.1:1"], REFUSED, "No Signoff server answers"),
    (["list", "--server", "http://127.0.0.1:1", "--token", "a\nb"], REFUSED, "signoff: "),
    (["dev", "flow"], USAGE, "does not read MODULE:APP"),
    (["dev", "missing:app"], USAGE, "There is no module 'missing'"),
    (["dev", "needs:app"], USAGE, "needs 'not_installed_anywhere'"),
    (["dev", "broken:app"], USAGE, "ValueError: no luck"),
    (["dev", "syntax:app"], USAGE, "SyntaxError"),
    (["dev", "flow:missing"], USAGE, "it has flow:app"),
    (["dev", "flow:not_an_app"], USAGE, "is a int, not a signoff.App"),
    (["dev", "flow:app", "--store", "memory:", "--data", "x"], USAGE, "exclude each other"),
    (["dev", "flow:app", "--page", "nowhere"], USAGE, "no index.html"),
    (["dev", "flow:app", "--port", "99999"], USAGE, "--port"),
    (["dev", "flow:app", "--host", "0.0.0.0"], REFUSED, "SIGNOFF_SECRET"),
    (["server"], USAGE, "--store URL"),
    (["server", "--store", "memory:", "--host", "::"], REFUSED, "SIGNOFF_SECRET"),
    (["server", "--store", "memory:", "--allow-origin", "localhost:5173"], USAGE, "it takes an origin, such as"),
    (["server", "--store", "memory:", "--allow-origin", "*"], USAGE, "it takes an origin, such as"),
    (["server", "--store", "memory:", "--allow-header", "a b"], USAGE, "it takes a header's name"),
    (["worker", "flow:app"], USAGE, "--store URL"),
    (["worker", "flow:app", "--store", "memory:", "--concurrency", "0"], USAGE, "--concurrency"),
]


@pytest.mark.parametrize(("arguments", "code", "word"), ANYWHERE, ids=lambda value: str(value)[:40])
def test_without_a_store(
    arguments: list[str], code: int, word: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(place.glob("*.db"))
    assert main(arguments) == code
    said = capfd.readouterr()
    assert said.err.startswith("signoff: ")
    assert said.err.count("\n") == 1
    assert word in said.err
    assert sorted(place.glob("*.db")) == before
    assert not (place / ".signoff").exists()


def test_two_settings_that_exclude_each_other(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGNOFF_STORE", "memory:")
    monkeypatch.setenv("SIGNOFF_SERVER", "http://127.0.0.1:1")
    assert main(["list"]) == USAGE
    assert "both set" in capfd.readouterr().err
    assert main(["list", "--store", "memory:", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"runs": [], "cursor": None}


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("WEBHOOK_TARGETS", "everywhere", "one of public, loopback, private"),
        ("PUBLIC_URL", "signoff.example", "https://"),
    ],
)
def test_a_server_is_told_what_it_does_not_understand(
    name: str, value: str, word: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"SIGNOFF_{name}", value)
    assert main(["server", "--store", "memory:", "--port", "0"]) == USAGE
    assert word in capfd.readouterr().err


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("broken", "ValueError: no luck ({place}/broken.py, line 1)."),
        ("syntax", "SyntaxError: invalid syntax (syntax.py, line 1)."),
        ("plain", "TypeError: The workflow buy must be an `async def` function. ({place}/plain.py, line 5)."),
        ("lacks", "AttributeError: module 'signoff' has no attribute 'Ap' ({place}/lacks.py, line 2)."),
    ],
)
def test_the_place_of_what_cannot_be_imported_is_told_once(
    module: str, told: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["worker", f"{module}:app", "--store", "memory:"]) == USAGE
    expected = f"signoff: The module '{module}' cannot be imported: {told.format(place=place)}"
    assert expected in capfd.readouterr().err.splitlines()


def test_no_arguments_show_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([]) == USAGE
    assert "tail" in capfd.readouterr().out
    assert main(["--version"]) == 0
    assert capfd.readouterr().out.startswith("signoff ")
