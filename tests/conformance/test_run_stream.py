"""A run is a stream like any other: StreamDB, the npm client and the PyPI client read it as they are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
from durable_streams import stream

from signoff.streams import state
from tests.cli.commands import FLOW, running
from tests.conformance.running import HERE

SUBMISSION = "s-1"


def _asked(url: str) -> dict[str, Any]:
    """Start a run and return the request it makes."""
    body = {"workflow": "expense", "input": 120, "run_id": "r1"}
    httpx.post(f"{url}/v1/runs", json=body).raise_for_status()
    with stream(f"{url}/v1/stream/runs/r1", offset="-1", live="sse") as response:
        for message in response.iter_json():
            if message["type"] == "input":
                return dict(message["value"])
    raise AssertionError("the run asks nothing")


def test_stream_db_and_both_clients_read_a_run(tmp_path: Path, packages: Path) -> None:
    assert packages.exists()
    (tmp_path / "flow.py").write_text(FLOW)
    with running(tmp_path, "dev", "flow:app", "--port", "0", "--data", "data") as product:
        asked = _asked(product.url)
        url = f"{product.url}/v1/stream/runs/r1"
        reader = subprocess.Popen(
            ["node", "run_reader.js", url, SUBMISSION], cwd=HERE, stdout=subprocess.PIPE, text=True
        )
        assert reader.stdout is not None
        assert json.loads(reader.stdout.readline()) == {"waiting": ["pending"]}
        answer = {"submission_id": SUBMISSION, "action": "submit", "value": {"approved": True}}
        answered = httpx.post(
            f"{product.url}/v1/runs/r1/inputs/approve:0/answer", json={**answer, "seen_offset": asked["revised"]}
        )
        assert answered.status_code == 200, answered.text
        told = json.loads(reader.communicate(timeout=60)[0])
        assert reader.returncode == 0
        with stream(url, offset="-1", live=False) as response:
            messages = response.read_json()
    assert told["plain"] == messages
    folded = state.fold(messages)
    for collection, row_type in (("runs", "run"), ("steps", "step"), ("inputs", "input")):
        for row in told[collection]:
            assert row == folded.pop((row_type, row["id"]))
    assert folded == {}
    assert told["runs"][0]["status"] == "completed"
    assert told["inputs"][0]["decided_by"] == {"kind": "operator", "id": "local"}
