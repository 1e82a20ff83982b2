"""Run the demo: the product on the embedded store, with requests of all examples waiting in one inbox.

Usage: python examples/demo.py [expense|onboarding|agent …] [--port 4437] [--data .demo]

A few hundred expense claims, somebody new who is taken in page by page, and an agent that wants to remove files; or
those of them that are named. Ctrl-C stops it cleanly; start it again and everything is where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CLAIMS = HERE / "react-approval"

# What waits from the beginning. The ids are the same each time, so that starting again starts nothing anew.
RUNS: dict[str, dict[str, Any]] = {
    "onboarding": {"run_id": "welcome-alice", "input": "user:alice", "tags": ["title:Alice is new"]},
    "agent": {"run_id": "clean-up", "input": "reports and log", "tags": ["title:What can go?"]},
}


def main() -> int:
    """Start the server, start the runs, wait for Ctrl-C."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    examples = ("expense", *RUNS)
    options.add_argument("examples", nargs="*", metavar="EXAMPLE", help=f"{', '.join(examples)}; all unless given")
    options.add_argument("--port", type=int, default=4437)
    options.add_argument("--data", type=Path, default=HERE.parent / ".demo")
    options.add_argument("--claims", default="1000", metavar="N", help="hand in the first N expense claims")
    args = options.parse_args()
    chosen = args.examples or examples
    if unknown := set(chosen) - set(examples):
        options.error(f"There is no example {', '.join(sorted(unknown))}.")
    data: Path = args.data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    server = _start_server(args.port, data, page="expense" in chosen)
    # Ctrl-C reaches the server too (same terminal); it drains and ends, and so do we.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    address = f"http://127.0.0.1:{args.port}"
    try:
        if not _healthy(address, server):
            return server.wait() or 1
        if _seed(address, chosen, args.claims):
            print("\n".join(["", *_told(address, chosen), f"  Data: {data}", "  Stop with Ctrl-C.", ""]), flush=True)
        return server.wait()
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait(timeout=15)


def _start_server(port: int, data: Path, *, page: bool) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "signoff.cli", "dev", "together:app"),
            *("--store", f"sqlite:///{data / 'signoff.db'}"),
            *("--port", str(port), *(("--page", str(CLAIMS / "dist")) if page else ())),
        ],
        cwd=HERE,
        env={**os.environ, "SIGNOFF_EXAMPLE_DATA": str(data)},
    )


def _healthy(address: str, server: subprocess.Popen[bytes]) -> bool:
    for _ in range(300):
        if server.poll() is not None:
            return False
        if _answers(f"{address}/health"):
            return True
        time.sleep(0.1)
    return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _seed(address: str, chosen: tuple[str, ...], claims: str) -> bool:
    """Start what is not there yet; tell whether all of it could be."""
    if "expense" in chosen:
        command = [sys.executable, str(CLAIMS / "start.py"), "--server", address, "--limit", claims]
        if subprocess.run(command, check=False).returncode != 0:
            return False
    for workflow in RUNS.keys() & set(chosen):
        body = json.dumps({"workflow": workflow, **RUNS[workflow]}).encode()
        start = urllib.request.Request(f"{address}/v1/runs", body, {"content-type": "application/json"}, method="POST")
        try:
            with urllib.request.urlopen(start, timeout=30):
                pass
        except urllib.error.HTTPError as error:
            print(f"{workflow}: {error.read().decode()}", file=sys.stderr)
            return False
    return True


def _told(address: str, chosen: tuple[str, ...]) -> list[str]:
    """Say where to look: at the page of the claims, and at the inbox that has all of them."""
    told = [f"  Open {address}/ and decide a claim."] if "expense" in chosen else []
    if _answers(f"{address}/console/"):
        return [*told, f"  Open {address}/console/?as=alice&groups=finance,support and see all that waits for Alice."]
    runs = [RUNS[name]["run_id"] for name in RUNS if name in chosen]
    server = "" if address.endswith(":4437") else f" --server {address}"
    return [*told, *(f"  Answer in another terminal: .venv/bin/signoff answer {run}{server}" for run in runs)]


if __name__ == "__main__":
    sys.exit(main())
