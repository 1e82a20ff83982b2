"""`signoff prune` deletes what ended long ago, and keeps its history where it is told to."""

from __future__ import annotations

import json
import time
from pathlib import Path

from signoff.cli.prune import keep
from signoff.workflow import journal
from tests.cli.commands import FLOW, run, running


def ended(folder: Path, store: str, *run_ids: str) -> None:
    """Start runs and end them."""
    for run_id in run_ids:
        assert run(folder, "start", "waits", "--run-id", run_id, SIGNOFF_STORE=store).returncode == 0
        assert run(folder, "terminate", run_id, SIGNOFF_STORE=store).returncode == 0
    time.sleep(0.01)  # ended before now, by a clock of milliseconds


def test_what_ended_is_deleted_and_its_history_kept(tmp_path: Path, shared_url: str) -> None:
    ended(tmp_path, shared_url, "r1", "r2")
    assert run(tmp_path, "start", "waits", "--run-id", "r3", SIGNOFF_STORE=shared_url).returncode == 0
    history = json.loads(run(tmp_path, "show", "r1", "--history", "--json", SIGNOFF_STORE=shared_url).stdout)
    assert "There is no run to delete." in run(tmp_path, "prune", "--older-than", "1h", SIGNOFF_STORE=shared_url).stdout
    dry = run(tmp_path, "prune", "--older-than", "0s", "--dry-run", SIGNOFF_STORE=shared_url)
    assert (dry.returncode, dry.stdout) == (0, "This would delete 2 runs.\n")
    asked = run(tmp_path, "prune", "--older-than", "0s", SIGNOFF_STORE=shared_url)
    assert asked.returncode == 2
    assert "This will delete 2 runs that ended before" in asked.stderr
    done = run(tmp_path, "prune", "--older-than", "0s", "--archive", "kept", "--yes", SIGNOFF_STORE=shared_url)
    assert (done.returncode, done.stdout) == (0, "2 runs deleted.\n"), done.stderr
    assert sorted(file.name for file in (tmp_path / "kept").iterdir()) == ["r1.json", "r2.json"]
    kept = json.loads((tmp_path / "kept" / "r1.json").read_text())
    assert kept == history
    assert [journal.from_json(entry).type for entry in kept["entries"]] == ["run.started", "run.terminated"]
    left = json.loads(run(tmp_path, "list", "--json", SIGNOFF_STORE=shared_url).stdout)["runs"]
    assert [row["id"] for row in left] == ["r3"]


def test_a_history_that_cannot_be_written_leaves_its_run_alone(tmp_path: Path, shared_url: str) -> None:
    ended(tmp_path, shared_url, "r1")
    (tmp_path / "kept").write_text("a file, not a folder")
    done = run(tmp_path, "prune", "--older-than", "0s", "--archive", "kept", "--yes", SIGNOFF_STORE=shared_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "The history of r1 cannot be written to kept" in done.stderr
    assert run(tmp_path, "show", "r1", SIGNOFF_STORE=shared_url).returncode == 0


def test_an_earlier_history_of_the_same_id_is_left_alone(tmp_path: Path) -> None:
    first, second = [{"run_id": "r1", "entries": [{"at": at}]} for at in (1_000, 2_000)]
    assert keep(tmp_path, first) == keep(tmp_path, first) == tmp_path / "r1.json"
    assert keep(tmp_path, second).name.startswith("r1.1970")
    assert [json.loads(file.read_text())["entries"][0]["at"] for file in sorted(tmp_path.iterdir())] == [2_000, 1_000]


def test_a_server_deletes_what_is_older_than_its_retention(tmp_path: Path, shared_url: str) -> None:
    ended(tmp_path, shared_url, "r1")
    (tmp_path / "flow.py").write_text(FLOW)
    wrong = run(tmp_path, "server", "--retention", "long", SIGNOFF_STORE=shared_url)
    assert wrong.returncode == 2
    assert "no duration" in wrong.stderr
    with running(tmp_path, "server", "--port", "0", "--retention", "0s", SIGNOFF_STORE=shared_url):
        deadline = time.monotonic() + 20
        while run(tmp_path, "show", "r1", SIGNOFF_STORE=shared_url).returncode == 0:
            assert time.monotonic() < deadline
