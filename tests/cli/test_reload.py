"""Code that changes while it is served: the process begins anew, and no run is lost."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.cli.commands import FLOW, run, running


def test_changed_code_starts_the_application_again_and_no_run_is_lost(folder: Path) -> None:
    with running(folder, "dev", "flow:app", "--port", "0", "--data", ".data") as first:
        assert first.stop()[0] == 0
    port = first.url.rsplit(":", 1)[1]
    server = f"http://127.0.0.1:{port}"
    with running(folder, "dev", "flow:app", "--reload", "--port", port, "--data", ".data") as watching:

        def until(*arguments: str, word: str) -> None:
            deadline = time.monotonic() + 60
            while word not in (told := run(folder, *arguments, "--server", server)).stdout:
                assert time.monotonic() < deadline, told

        assert run(folder, "start", "expense", "--input", "7", "--run-id", "r1", "--server", server).returncode == 0
        until("inputs", word="approve:0")
        (folder / "flow.py").write_text(FLOW.replace('"paid"', '"paid by new code"'))
        until("start", "waits", "--run-id", "r2", word="r2")
        (folder / "flow.py").write_text("def")  # code that cannot be imported waits for the next change
        (folder / "flow.py").write_text(
            FLOW.replace('"paid"', '"paid by new code"').replace("app.workflow", "app.workflow(expose=('output',))")
        )
        until("show", "r1", word="waiting")
        until("answer", "r1", "approve:0", "--value", '{"approved": true}', word="Accepted")
        until("show", "r1", word="completed")
        code, told = watching.stop(signal.SIGINT)
        assert code in {0, 130}
        assert "process already dead" not in told
