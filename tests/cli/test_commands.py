"""The commands one after another, as somebody uses them against one server or one store."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from tests.cli.commands import FLOW, Running, environment, run, running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an application."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "flow.py").write_text(FLOW)
    return folder


@pytest.fixture(scope="module")
def dev(folder: Path) -> Iterator[Running]:
    """`signoff dev` on a free port."""
    with running(folder, "dev", "flow:app", "--port", "0", "--data", "data") as process:
        yield process


def _started(dev: Running, run_id: str) -> None:
    """Wait until there is such a run."""
    deadline = time.monotonic() + 30
    while httpx.get(f"{dev.url}/v1/runs/{run_id}", trust_env=False).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def following(folder: Path, dev: Running, run_id: str) -> Iterator[Iterator[dict[str, Any]]]:
    """Follow a run with `signoff tail`; it ends when the run does."""
    command = [sys.executable, "-m", "signoff.cli", "tail", run_id, "--json", "--server", dev.url]
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        yield (json.loads(line) for line in tail.stdout)
        assert tail.wait(timeout=20) == 0


def test_from_start_to_end(folder: Path, dev: Running) -> None:
    def on(*arguments: str, stdin: bytes = b"") -> str:
        done = run(folder, *arguments, stdin=stdin, SIGNOFF_SERVER=dev.url)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert dev.line.startswith("Signoff is listening on http://127.0.0.1:")
    started = json.loads(on("start", "expense", "--input", "-", "--run-id", "r1", "--tag", "eu", "--json", stdin=b"7"))
    assert started["run"]["tags"] == ["eu"]
    assert json.loads(on("start", "expense", "--input", "7", "--run-id", "r1", "--json"))["run"]["id"] == "r1"

    messages = []
    with following(folder, dev, "r1") as tail:
        for message in tail:
            messages.append(message)
            if message["type"] == "run" and message["value"]["status"] == "waiting":
                break
        assert json.loads(on("inputs", "--audience", "group:finance", "--json"))["inputs"][0]["run_id"] == "r1"
        assert "Approve 7?" in on("inputs")
        answer = ("answer", "r1", "approve:0", "--value", '{"approved": true}', "--submission-id", "s1", "--json")
        accepted = json.loads(on(*answer))
        assert accepted["row"]["decided_by"] == {"kind": "operator", "id": "local"}
        assert json.loads(on(*answer)) == accepted
        messages += tail
    assert messages[-1]["value"]["status"] == "completed"
    assert [m["headers"].get("txid") for m in messages if m["type"] == "input"] == [None, "s1"]

    shown = json.loads(on("show", "r1", "--json"))
    assert shown["run"]["status"] == "completed"
    assert [(step["id"], step["status"]) for step in shown["steps"]] == [("check:0", "completed")]
    people = on("show", "r1")
    assert "completed" in people
    assert "\x1b" not in people
    history = json.loads(on("show", "r1", "--history", "--json"))
    assert history["entries"][-1]["type"] == "run.completed"
    assert "run.completed" in on("show", "r1", "--history")
    assert "r1" in on("list", "--status", "completed")
    assert "input.answered" not in on("tail", "r1", "--no-follow")


def test_events_and_cancelling(folder: Path, dev: Running) -> None:
    def on(*arguments: str) -> str:
        done = run(folder, *arguments, "--server", dev.url)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    on("start", "waits", "--run-id", "w1")
    event = ("send", "w1", "other", "--id", "e1", "--payload", '{"a": 1}')
    assert "has the event e1" in on(*event)
    assert "already" in on(*event)
    assert json.loads(on("emit", "nobody", "--json")) == {"delivered": 0}
    assert "asked to stop" in on("cancel", "w1", "--reason", "enough")
    assert json.loads(on("tail", "w1", "--json").splitlines()[-1])["value"]["status"] == "cancelled"


def test_a_run_is_rewound_and_forked(folder: Path, dev: Running) -> None:
    def on(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(folder, *arguments, "--server", dev.url)

    on("start", "double", "--input", "4", "--run-id", "d1", "--wait")
    over = on("rewind", "d1", "nothing:0")
    assert (over.returncode, "Fork it" in over.stderr) == (1, True)
    forked = on("fork", "d1", "--run-id", "d2")
    assert forked.stdout.startswith("Run d2 is forked from d1; it is ")
    with following(folder, dev, "d2") as lines:
        assert list(lines)[-1]["value"]["status"] == "completed"

    on("start", "waits", "--run-id", "w5")
    unknown = on("rewind", "w5", "pay:7")
    assert (unknown.returncode, "has not asked for 'pay:7'" in unknown.stderr) == (1, True)
    _asks(dev, "w5", "event.awaited")
    assert on("rewind", "w5", "go:0", "--after", "--reason", "again").stdout.startswith("Run w5 is rewound; it is ")
    assert on("cancel", "w5").returncode == 0


def _asks(dev: Running, run_id: str, kind: str) -> None:
    """Wait until the run has asked for something of this kind."""
    deadline = time.monotonic() + 30
    while kind not in httpx.get(f"{dev.url}/v1/runs/{run_id}/history", trust_env=False).text:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_is_terminated(folder: Path, dev: Running) -> None:
    def on(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(folder, *arguments, "--server", dev.url)

    on("start", "waits", "--run-id", "t1")
    assert on("terminate", "t1", "--reason", "stuck").stdout == "Run t1 is terminated.\n"
    shown = json.loads(on("show", "t1", "--json").stdout)
    assert shown["run"]["error"] == {"code": "terminated", "message": None}
    again = on("terminate", "t1", "--json")
    assert (again.returncode, "already cancelled" in again.stderr) == (1, True)
    on("start", "waits", "--run-id", "t2")
    assert json.loads(on("terminate", "t2", "--json").stdout)["run"]["status"] == "cancelled"


def test_a_run_is_started_and_waited_for(folder: Path, dev: Running) -> None:
    def on(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(folder, *arguments, "--server", dev.url)

    done = on("start", "double", "--wait", "--input", "4")
    assert (done.returncode, done.stdout, done.stderr) == (0, "8\n", "")
    whole = json.loads(on("start", "double", "--wait", "--json").stdout)
    assert (whole["run"]["status"], whole["output"]) == ("completed", 42)
    failed = on("start", "fails", "--wait")
    assert (failed.returncode, failed.stdout) == (3, "")
    assert "has failed (value_error: no such account)" in failed.stderr
    told = on("start", "fails", "--wait", "--json")
    assert (told.returncode, json.loads(told.stdout)["error"]["code"]) == (3, "value_error")
    refused = on("start", "double", "--wait", "--input", '"many"')
    assert refused.returncode == 1
    assert "does not fit the workflow 'double'" in refused.stderr


def test_waiting_for_a_run_that_is_ended_tells_so(folder: Path, dev: Running) -> None:
    command = [sys.executable, "-m", "signoff.cli", "start", "waits", "--run-id", "w9", "--wait", "--server", dev.url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=pipe, stderr=pipe, text=True) as waiting:
        _started(dev, "w9")
        with following(folder, dev, "w9") as tail:
            assert next(tail)["key"] == "w9"
            run(folder, "terminate", "w9", "--server", dev.url)
            assert list(tail)[-1]["value"]["status"] == "cancelled"
        _, said = waiting.communicate(timeout=30)
        assert waiting.returncode == 4
        assert "was terminated" in said


def test_a_failure_is_shown_with_its_place(folder: Path, dev: Running) -> None:
    def on(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(folder, *arguments, "--server", dev.url)

    assert on("start", "fails", "--run-id", "f1", "--wait").returncode == 3
    shown = on("show", "f1").stdout
    assert 'flow.py", line' in shown
    assert '    raise ValueError("no such account")' in shown
    assert "  builtins.ValueError: no such account" in shown
    [failure] = json.loads(on("show", "f1", "--json").stdout)["failures"]
    assert (failure["of"], failure["error"]["frames"][-1]["function"]) == ("run", "fails")
    tail = on("tail", "f1")
    assert (tail.returncode, "failed" in tail.stdout) == (0, True)
    assert tail.stderr == "Run f1 has failed (value_error). Its stream stays open: it can be taken up again.\n"


def test_a_store_is_worked_on_without_a_server(folder: Path, shared_url: str) -> None:
    started = run(folder, "start", "expense", "--input", "7", "--run-id", "r1", "--store", shared_url)
    assert (started.returncode, started.stderr) == (0, "")
    assert "Run r1 of expense is running" in started.stdout
    with running(folder, "worker", "flow:app", SIGNOFF_STORE=shared_url) as worker:
        assert worker.line == f"Signoff works on double, expense, fails, waits from {shared_url}"
        tail = run(folder, "tail", "r1", "--offset", "now", "--no-follow", "--store", shared_url)
        assert tail.returncode == 0
        seen = _until_waiting(folder, shared_url)
        assert seen["value"]["status"] == "waiting"
        answered = run(folder, "answer", "r1", "approve:0", "--value", '{"approved": false}', "--store", shared_url)
        assert (answered.returncode, answered.stderr) == (0, "")
        last = run(folder, "tail", "r1", "--json", "--store", shared_url).stdout.splitlines()[-1]
        assert json.loads(last)["value"]["status"] == "completed"
        assert worker.stop(signal.SIGINT) == (0, "")


def _until_waiting(folder: Path, store: str) -> dict[str, dict[str, str]]:
    command = [sys.executable, "-m", "signoff.cli", "tail", "r1", "--json", "--store", store]
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        for line in tail.stdout:
            message: dict[str, dict[str, str]] = json.loads(line)
            if message["value"].get("status") == "waiting":
                tail.kill()
                return message
    raise AssertionError("the run did not wait")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_cleanly(folder: Path, tmp_path: Path, number: int) -> None:
    with running(folder, "dev", "flow:app", "--port", "0", "--data", str(tmp_path)) as dev:
        started = run(folder, "start", "expense", "--input", "7", "--run-id", "r1", "--server", dev.url)
        assert started.returncode == 0
        command = [sys.executable, "-m", "signoff.cli", "tail", "r1", "--json", "--server", dev.url]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as tail:
            assert tail.stdout is not None
            assert json.loads(tail.stdout.readline())["type"] == "run"
            assert dev.stop(number) == (0, "")
            tail.send_signal(signal.SIGINT)
            assert tail.wait(timeout=20) == 130


def test_a_server_alone_keeps_what_it_is_told(folder: Path, shared_url: str) -> None:
    for expected in (201, 200):
        with running(folder, "server", "--port", "0", "--store", shared_url) as server:
            started = run(folder, "start", "expense", "--run-id", "r1", "--server", server.url, "--json")
            assert json.loads(started.stdout)["run"]["id"] == "r1", expected
            assert server.stop() == (0, "")


def test_a_server_alone_says_that_nobody_knows_a_workflow(folder: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'own.db'}"
    with running(folder, "server", "--port", "0", "--store", store) as server:

        def becomes(run_id: str, status: str) -> dict[str, Any]:
            deadline = time.monotonic() + 40
            while True:
                row: dict[str, Any] = httpx.get(f"{server.url}/v1/runs/{run_id}", trust_env=False).json()["run"]
                if row["status"] == status:
                    return row
                assert time.monotonic() < deadline, row
                time.sleep(0.05)

        for run_id in ("k1", "k2", "k3"):
            run(folder, "start", "double", "--run-id", run_id, "--server", server.url)
        assert run(folder, "cancel", "k3", "--server", server.url).returncode == 0
        assert becomes("k1", "blocked")["error"] == {"code": "unknown_workflow", "message": None}
        assert becomes("k3", "cancelled")["error"]["code"] == "terminated"
        becomes("k2", "blocked")
        ended = run(folder, "cancel", "k2", "--server", server.url)
        assert ended.stdout == "Run k2 was asked to stop; it is cancelled.\n"
        with running(folder, "worker", "flow:app", "--store", store) as worker:
            becomes("k1", "completed")
            assert worker.stop() == (0, "")
        code, said = server.stop()
        assert code == 0
        assert "workflows that no running worker knows" in said


def test_a_key_opens_a_server_to_those_who_hold_tokens(folder: Path) -> None:
    key = "a key for tests, long enough for HS256"
    token = jwt.encode({"sub": "boss", "grants": ["operator"]}, key, "HS256")
    command = ("server", "--port", "0", "--host", "127.0.0.1", "--store", "memory:")
    with running(folder, *command, SIGNOFF_SECRET=key) as server:
        nobody = run(folder, "list", "--server", server.url)
        assert nobody.returncode == 1
        assert nobody.stderr.startswith("signoff: Send a token")
        assert run(folder, "list", "--server", server.url, SIGNOFF_TOKEN=token).returncode == 0
        assert run(folder, "list", "--server", server.url, "--token", "nonsense").returncode == 1


def test_a_taken_port_is_told(folder: Path, dev: Running) -> None:
    port = dev.url.rsplit(":", 1)[-1]
    done = run(folder, "server", "--store", "memory:", "--port", port)
    assert done.returncode == 2
    assert f"port {port}: Address already in use" in done.stderr


def test_the_page_is_served(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>hello")
    command = ("dev", "flow:app", "--port", "0", "--store", "memory:", "--page", str(tmp_path))
    with running(folder, *command) as dev:
        assert httpx.get(dev.url, trust_env=False).text == "<p>hello"
        assert httpx.get(f"{dev.url}/health", trust_env=False).json()["status"] == "ok"


def test_debugging_shows_where(folder: Path) -> None:
    done = run(folder, "list", "--server", "http://127.0.0.1:1", SIGNOFF_DEBUG="1")
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("signoff: No Signoff server answers")


def test_output_that_nobody_reads_is_no_error(folder: Path, dev: Running) -> None:
    run(folder, "start", "waits", "--run-id", "w2", "--server", dev.url)
    for command in ("list --json", "list", "tail w2 --no-follow"):
        line = f"{sys.executable} -m signoff.cli {command} --server {dev.url} | true"
        done = subprocess.run(["bash", "-c", line], env=environment(), capture_output=True, timeout=240, check=False)
        assert done.stderr == b""
