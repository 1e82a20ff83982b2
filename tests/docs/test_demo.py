"""The demo as `make demo` runs it: requests of all examples wait, can be answered, and are there the next time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.cli.commands import environment

ROOT = Path(__file__).parents[2]
NOBODY = {"email": "taken@example.com", "name": "Alice"}


@contextmanager
def demo(data: Path, *examples: str) -> Iterator[tuple[httpx.Client, list[str]]]:
    """Run it until Ctrl-C; give a client, and what it has printed once all was started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "examples/demo.py", *examples, "--port", str(port), "--data", str(data), "--claims", "2"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        told: list[str] = []
        for line in process.stdout:
            told.append(line.strip())
            if "Ctrl-C" in line and "Stop" in line:
                break
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client, told
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)


def waiting(client: httpx.Client, run_id: str) -> dict[str, Any]:
    """Wait until a run asks, and return the first of its requests."""
    while True:
        pending = [row for row in client.get(f"/v1/runs/{run_id}").json()["inputs"] if row["status"] == "pending"]
        if pending:
            return dict(pending[0])
        time.sleep(0.02)


def answer(client: httpx.Client, row: dict[str, Any], value: Any, action: str = "submit") -> httpx.Response:
    body = {"submission_id": uuid.uuid4().hex, "action": action, "value": value}
    return client.post(
        f"/v1/runs/{row['run_id']}/inputs/{row['id']}/answer",
        json={**body, "seen_offset": row["revised"]},
    )


def test_requests_of_all_examples_wait_and_are_there_again(tmp_path: Path) -> None:
    with demo(tmp_path) as (client, told):
        assert "2 claims: 2 started, 0 known before." in told
        assert any(line.endswith("/ and decide a claim.") for line in told)
        console = client.get("/console/").status_code == 200
        where = "/console/?as=alice&groups=finance,support and see" if console else "signoff answer welcome-alice"
        assert any(where in line for line in told)
        page = waiting(client, "welcome-alice")
        assert (page["audience"], page["wizard"]["step"]) == (["user:alice"], 1)
        assert answer(client, page, NOBODY).status_code == 422
        page = waiting(client, "welcome-alice")
        assert answer(client, page, NOBODY | {"email": "alice@example.com"}).status_code == 200
        call = waiting(client, "clean-up")
        assert (call["title"], call["audience"]) == ("Remove reports?", ["group:support"])
        assert answer(client, call, None, "approve").status_code == 200
    with demo(tmp_path) as (client, told):
        assert "2 claims: 0 started, 2 known before." in told
        assert waiting(client, "welcome-alice")["wizard"]["step"] == 2
        assert waiting(client, "clean-up")["title"] == "Remove log?"


def test_one_example_runs_alone(tmp_path: Path) -> None:
    with demo(tmp_path, "agent") as (client, told):
        assert not any("claim" in line for line in told)
        assert waiting(client, "clean-up")["title"] == "Remove reports?"
        assert client.get("/v1/runs/welcome-alice").status_code == 404
