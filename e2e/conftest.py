"""The real server process, the built page, and Chromium."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "react-approval"

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


class Product:
    """`signoff dev` with the example's page: can be killed and started again on the same data."""

    def __init__(
        self, data: Path, app: str = "workflow:app", folder: Path = EXAMPLE, options: tuple[str, ...] = ()
    ) -> None:
        self.data = data
        self.app, self.folder, self.options = app, folder, options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it is healthy."""
        with (self.data / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "signoff.cli", "dev", self.app),
                    *("--store", f"sqlite:///{self.data / 'signoff.db'}"),
                    *("--port", str(self.port), "--page", str(EXAMPLE / "dist"), *self.options),
                ],
                cwd=self.folder,
                env={**os.environ, "SIGNOFF_EXAMPLE_DATA": str(self.data)},
                stdout=log,
                stderr=log,
            )
        until(self._healthy, "the server answers /health")

    def _healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.data / "server.log").read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """Kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Stop as Ctrl-C does and return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)

    def call(self, method: str, path: str, body: Any = None, who: str | None = None) -> Any:
        """Call the API as the local operator, or as somebody of finance."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", **({} if who is None else {"authorization": unsecured(who)})}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.loads(reply.read())

    def claim(self) -> str:
        """Start a run for a claim that needs a person; return its id."""
        return self.hand_in(large_claim())

    def hand_in(self, claim: dict[str, Any]) -> str:
        """Start a run for a claim that needs a person; return its id."""
        self.call("POST", "/v1/runs", {"workflow": "expense", "input": claim, "run_id": claim["id"]})
        until(lambda: self.call("GET", f"/v1/runs/{claim['id']}")["inputs"], "the run asks for approval")
        return str(claim["id"])

    def ask(self, run_id: str, /, workflow: str = "ask", **question: Any) -> str:
        """Start a run that asks; return the page's address of its request."""
        self.call("POST", "/v1/runs", {"workflow": workflow, "run_id": run_id, "input": question or None})
        until(lambda: self.call("GET", f"/v1/runs/{run_id}")["inputs"], "the run asks")
        return f"#/request/{run_id}/ask%3A0"

    def answered(self, run_id: str) -> dict[str, Any]:
        """Wait for the answer and return its journal entry."""
        until(lambda: self.entries(run_id, "input.answered"), f"{run_id} is answered")
        (entry,) = self.entries(run_id, "input.answered")
        return entry

    def row(self, run_id: str) -> dict[str, Any]:
        """Return the run row."""
        return dict(self.call("GET", f"/v1/runs/{run_id}")["run"])

    def reaches(self, run_id: str, status: str) -> dict[str, Any]:
        """Wait until the run has this status."""
        until(lambda: self.row(run_id)["status"] == status, f"{run_id} is {status}")
        return self.row(run_id)

    def entries(self, run_id: str, kind: str) -> list[dict[str, Any]]:
        """Return the journal's entries of one type."""
        history = self.call("GET", f"/v1/runs/{run_id}/history")["entries"]
        return [entry for entry in history if entry["type"] == kind]

    def paid(self, run_id: str) -> int:
        """Return how many reimbursements the accounting file has for a claim."""
        file = self.data / "accounting.sqlite"
        if not file.exists():
            return 0
        database = sqlite3.connect(file)
        try:
            return int(database.execute("SELECT count(*) FROM reimbursements WHERE claim = ?", (run_id,)).fetchone()[0])
        finally:
            database.close()


def unsecured(who: str) -> str:
    """Return the header of a token that nobody has signed, which a server without a key takes from this machine."""
    parts = ({"alg": "none"}, {"sub": who, "groups": ["finance"]})
    head, claims = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"Bearer {head}.{claims}."


def large_claim() -> dict[str, Any]:
    """Return a claim that somebody has to approve."""
    claims = [json.loads(line) for line in (EXAMPLE / "claims.jsonl").read_text().splitlines()]
    return dict(next(claim for claim in claims if claim["currency"] == "EUR" and claim["total"] > 100))


def some_claims(*currencies: str) -> list[dict[str, Any]]:
    """Return a claim that somebody has to approve, in each of the currencies."""
    claims = [json.loads(line) for line in (EXAMPLE / "claims.jsonl").read_text().splitlines()]
    most = {one["currency"]: one for one in sorted(claims, key=lambda claim: float(claim["total"]))}
    return [dict(most[currency]) for currency in currencies]


def until(condition: Callable[[], object], what: str, timeout_s: float = 20) -> None:
    """Wait for a condition, or fail saying which."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """A running product with empty data."""
    product = Product(tmp_path)
    product.start()
    yield product
    if product.process is not None and product.process.poll() is None:
        product.kill()


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A running product whose workflow asks whatever a test wants; shared, so every test has runs of its own."""
    product = Product(tmp_path_factory.mktemp("asking"), "asking:app", HERE)
    product.start()
    yield product
    product.kill()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or Playwright's own where there is none."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, product: Product) -> Iterator[Visit]:
    """Open the example's page as somebody, each in a browser profile of their own unless a context is given."""
    yield from visits(chromium, product)


@pytest.fixture
def call_on(chromium: Browser, asking: Product) -> Iterator[Visit]:
    """Open the page of `asking` as somebody."""
    yield from visits(chromium, asking)


def visits(chromium: Browser, product: Product) -> Iterator[Visit]:
    """Open pages, and fail if one of them raised an error that nobody caught."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_page(
        who: str = "alice", at: str = "", *, context: BrowserContext | None = None, script: str = "", **options: Any
    ) -> Page:
        if context is None:
            context = chromium.new_context(**options)
            context.set_default_timeout(15_000)
            contexts.append(context)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{product.url}/?as={who}{at}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


Console = Callable[..., Page]


@pytest.fixture(scope="module")
def consoled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A running product; shared, so every test has runs of its own."""
    product = Product(tmp_path_factory.mktemp("consoled"), "consoled:app", HERE)
    product.start()
    yield product
    product.kill()


@pytest.fixture
def console(chromium: Browser, consoled: Product) -> Iterator[Console]:
    """Open the console as somebody, each in a profile of their own; what nobody caught fails the test, as does a breach
    of the policy of its content."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_console(at: str = "", who: str = "", groups: str = "finance", **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console", lambda message: problems.append(message.text) if "Content Security" in message.text else None
        )
        page.goto(f"{consoled.url}/console/?as={who}&groups={groups if who else ''}{at}")
        return page

    yield open_console
    for context in contexts:
        context.close()
    assert problems == []


def asked(product: Product, run_id: str, workflow: str = "approve", **question: Any) -> str:
    """Start a run that asks; return the console's address of its request."""
    product.call(
        "POST", "/v1/runs", {"workflow": workflow, "run_id": run_id, "input": {"title": f"Pay {run_id}?", **question}}
    )
    until(lambda: product.call("GET", f"/v1/runs/{run_id}")["inputs"], "the run asks")
    return f"#/inbox/{run_id}/approve%3A0"


def settled(page: Page) -> None:
    """Wait until the page has laid out what was just changed, and knows whether its buttons have moved."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))")
