"""What the documentation shows runs as it stands there."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import jwt
import pytest

from signoff import Refused, Submission
from signoff.client import SignoffClient
from signoff.errors import InvalidAnswer
from signoff.server.app import create_app
from signoff.server.config import ServerConfig
from signoff.service.engine import Engine
from signoff.stores.open import open_store
from signoff.testing import TestEngine
from signoff.workflow.entry import DecidedBy, Error
from signoff.workflow.run.entries import RunFailed
from signoff.workflow.step.entries import StepFailed, StepScheduled
from tests.runtime.scene import stage
from tests.server.hosting import hosting

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SECRET = "s" * 48


def blocks(page: str, language: str = "python") -> list[str]:
    """Return the code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def expense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The workflow of the front page, as the module `expense`."""
    source = blocks("README.md")[0].replace('ctx.sleep("2s")', 'ctx.sleep("20ms")')
    (tmp_path / "expense.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield importlib.import_module("expense")
    del sys.modules["expense"]


def _namespace(source: str) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "snippet"}
    exec(compile(source, "<documentation>", "exec"), space)
    return space


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_is_python(page: Path) -> None:
    for source in blocks(str(page.relative_to(ROOT))):
        compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def _played(folder: Path) -> subprocess.CompletedProcess[str]:
    """Have pytest, as users have it, play the tests of a folder."""
    pytest_of_its_own = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
    return subprocess.run(
        [*pytest_of_its_own, "-p", "signoff.testing.pytest_plugin", "-W", "error", "--rootdir", "."],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": f"{folder}:{ROOT / 'python'}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_testing_guide_tests_the_front_page(expense: ModuleType, tmp_path: Path) -> None:
    for number, source in enumerate(blocks("docs/guide/testing.md")):
        name = "conftest.py" if "def signoff_app" in source else f"test_{number}.py"
        (tmp_path / name).write_text(source)

    async def record(engine: TestEngine) -> None:
        run = await engine.start("expense", 7)
        await run.asks("approve")
        await run.save(tmp_path / "tests" / "histories" / "claim-1.json")

    TestEngine(expense.app).play(record)
    played = _played(tmp_path)
    tests = sum(source.count("def test_") for source in blocks("docs/guide/testing.md"))
    assert f"{tests} passed" in played.stdout, played.stdout

    kept = tmp_path / "tests" / "histories" / "claim-1.json"
    kept.write_text(kept.read_text().replace("approve:0", "other:0"))
    assert re.search(r"  - input\.requested other:0\nE +\+ input\.requested approve:0\n", _played(tmp_path).stdout)


async def test_the_page_on_observing_counts_attempts() -> None:
    space = _namespace("\n".join(blocks("docs/operations/observing.md")))
    counter = await space["observed"]()
    assert counter.ended == {("pay", "failed"): 3, ("reserve", "completed"): 1}
    assert set(counter.seconds) == {"pay", "reserve"}


@asynccontextmanager
async def hosted(space: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """Run the application of a snippet, which it calls `host`; give a client."""
    host = space["host"]
    transport = httpx.ASGITransport(host)
    async with (
        host.router.lifespan_context(host),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
    ):
        yield http


async def test_who_has_a_token_is_known_where_it_is_embedded(
    expense: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNOFF_SECRET", SECRET)
    space = _namespace(blocks("docs/guide/embedding.md")[0])
    token = _namespace(blocks("docs/operations/security.md")[0])["token_for"]("alice", ["finance"])
    assert jwt.decode(token, SECRET, algorithms=["HS256"])["sub"] == "alice"

    async with hosted(space) as http:
        nobody = await http.get("/signoff/v1/runs?workflow=expense")
        alice = await http.get("/signoff/v1/runs?workflow=expense", headers={"authorization": f"Bearer {token}"})
        health = await http.get("/signoff/health")
    told = (health.status_code, nobody.status_code, alice.json())
    assert told == (200, 401, {"runs": [], "cursor": None})


async def test_the_guide_embeds(expense: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNOFF_SECRET", SECRET)
    fastapi, plain, own, sessions, streams, uvicorn = map(_namespace, blocks("docs/guide/embedding.md"))

    async with hosted(fastapi) as http:
        run_id = (await http.post("/claims?amount=7")).json()["run_id"]
        assert (await fastapi["signoff"].engine.runs.get(run_id))["id"] == run_id
    async with hosted(plain) as http:
        assert (await http.put("/signoff/v1/stream/a")).status_code == 201
    async with hosted(own) as http:
        assert own["ready"] == [own["host"]]
        assert (await http.get("/signoff/v1/runs/the-first")).status_code == 200
    async with hosted(sessions) as http:
        path = "/signoff/v1/runs?workflow=expense"
        assert (await http.get(path)).status_code == 401
        assert (await http.get(path, headers={"cookie": "session=a1"})).status_code == 200
    async with hosted(streams) as http:
        assert (await http.put("/news/v1/stream/a")).status_code == 403
        assert (await http.put("/news/v1/stream/a", headers={"x-editor": "yes"})).status_code == 201
        assert (await http.get("/news/v1/stream/a")).headers["cache-control"].startswith("public")
    assert uvicorn["settings"].timeout_graceful_shutdown == 5


def test_the_front_page_is_short() -> None:
    [workflow] = blocks("README.md")
    [page] = blocks("README.md", "tsx")
    whole = blocks("docs/guide/react.md", "tsx")[1]
    for block, most in ((workflow, 22), (page, 8), (whole, 25)):
        assert len([line for line in block.splitlines() if line.strip()]) <= most
    assert len((ROOT / "README.md").read_text().splitlines()) <= 90


async def test_a_development_token_is_believed_on_this_machine_only() -> None:
    pages = [source for source in blocks("docs/getting-started.md") if "development_token" in source]
    token = _namespace(pages[0])["development_token"]("dora", ["finance"])
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == "dora"

    async def listed(config: ServerConfig) -> int:
        engine = await Engine.open(open_store("memory:"))
        app: Any = create_app(engine, config=config)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
            reply = await http.get("/v1/runs?workflow=expense", headers={"authorization": f"Bearer {token}"})
        await engine.close()
        return reply.status_code

    assert await listed(ServerConfig()) == 200
    assert await listed(ServerConfig(secret=SECRET.encode())) == 401


async def test_operators_programs_try_again_and_rewind() -> None:
    page = _namespace(blocks("docs/operations/operating-runs.md")[0])
    failed = Error("step_failed", "The bank was down.")
    async with hosting() as host, SignoffClient(host.url) as client:
        for run_id, error in (("r1", failed), ("r2", Error("key_error", "no")), ("r3", failed)):
            await host.engine.runs.start("expense", {"amount": 7}, run_id=run_id)
            await host.record(run_id, StepScheduled(1, "pay:0"), StepFailed(1, "pay:0", 1, failed), RunFailed(1, error))
        assert sorted(await page["try_failed_again"](client, "expense", "step_failed")) == ["r1", "r3"]
        assert (await host.engine.runs.get("r2"))["status"] == "failed"
        assert (await page["pay_again"](client, "r1"))["status"] == "running"
        assert (await host.engine.runs.history("r1"))[-1]["reason"] == "the wrong account"


async def test_the_guide_on_validating_refuses_and_decides() -> None:
    page = _namespace("\n".join(blocks("docs/guide/validating.md")))
    async with stage(page["app"], "memory:") as on:
        run = await on.start("sign_up")
        row = await on.asks(run, "page:0")
        with pytest.raises(InvalidAnswer) as refused:
            await on.answer(row, {"email": "bora@example.com"})
        assert refused.value.extra["errors"] == [{"pointer": "/email", "message": "already taken"}]
        assert (await on.engine.inputs.get(run, "page:0"))["errors"] == refused.value.extra["errors"]
        assert (await on.answer(row, {"email": "Alice@Example.com"})).row["status"] == "answered"
        assert (await on.reaches(run, "completed"))["output"] == "alice@example.com"
        run = await on.start("approval")
        assert (await on.reaches(run, "completed"))["output"] == ["approve", "policy", "by_rule"]
    sent = Submission("submit", DecidedBy("person", "user:bora"), "r", "page:0", "s1")
    for _ in range(2):  # a worker was killed in between
        page["reserve"](page["SignUp"](email="a"), sent)
    with pytest.raises(Refused, match="somebody else"):
        page["reserve"](page["SignUp"](email="a"), replace(sent, submission_id="s2"))


def test_the_reference_proves_a_store_of_ones_own(tmp_path: Path) -> None:
    [source] = blocks("docs/reference/stores.md")
    (tmp_path / "conftest.py").write_text("")
    (tmp_path / "test_counting_store.py").write_text(source)
    pytest_of_its_own = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
    proved = subprocess.run(
        [*pytest_of_its_own, "--rootdir", ".", "test_counting_store.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert proved.returncode == 0, proved.stdout
    assert re.search(r"^\d{3} passed", proved.stdout, flags=re.MULTILINE)


async def test_the_page_on_wizards_goes_back() -> None:
    space = _namespace(blocks("docs/guide/wizards.md")[0])
    async with stage(space["app"], "memory:") as on:
        run = await on.start("onboarding", "user:alice")
        said = [
            ("contact:0", {"email": "a@example.org"}, "submit"),
            ("address:0", {"city": "Ly"}, "back"),
            ("contact:0", {"email": "b@example.org"}, "submit"),
            ("address:0", {"street": "1 Rue", "city": "Lyon"}, "submit"),
            ("consent:0", True, "submit"),
        ]
        for key, value, action in said:
            row = await on.asks(run, key)
            await on.answer(row, value, action=action)
        assert (await on.reaches(run, "completed"))["output"] == "b@example.org in Lyon"


@pytest.mark.parametrize(
    ("action", "value", "output"),
    [
        ("approve", None, "runs /tmp/a"),
        ("edit", {"path": "/tmp/b"}, "runs /tmp/b"),
        ("reject", {"reason": "too dear"}, "turned down: too dear"),
        ("respond", "later", "told: later"),
    ],
)
async def test_the_page_on_asking_tells_actions_apart(action: str, value: Any, output: str) -> None:
    [source] = [block for block in blocks("docs/guide/asking-people.md") if "async def tool(" in block]
    async with stage(_namespace(source)["app"], "memory:") as on:
        run = await on.start("tool", "/tmp/a")
        row = await on.asks(run, "tool:0")
        assert [row["choices"][each]["label"] for each in row["actions"]] == [
            "Approve",
            "Change and run",
            "Reject",
            "Respond",
        ]
        await on.answer(row, value, action=action)
        await on.reaches(run, "completed")
        assert (await on.engine.runs.history(run))[-1]["output"] == output
