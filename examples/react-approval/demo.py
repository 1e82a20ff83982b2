"""Run the demo: the product on the embedded store, with a few hundred expense claims waiting.

Usage: python examples/react-approval/demo.py [--port 4437] [--data .demo]

Ctrl-C stops it cleanly; start it again and everything is where it was.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def main() -> int:
    """Start the server, start the claims, wait for Ctrl-C."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=4437)
    options.add_argument("--data", type=Path, default=ROOT / ".demo")
    args = options.parse_args()
    data: Path = args.data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    server = _start_server(args.port, data)
    # Ctrl-C reaches the server too (same terminal); it drains and ends, and so do we.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    address = f"http://127.0.0.1:{args.port}"
    try:
        if not _healthy(address, server):
            return server.wait() or 1
        started = subprocess.run([sys.executable, str(HERE / "start.py"), "--server", address], check=False)
        if started.returncode == 0:
            print(f"\n  Open {address}/ and decide a claim.\n  Data: {data}\n  Stop with Ctrl-C.\n", flush=True)
        return server.wait()
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait(timeout=15)


def _start_server(port: int, data: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "signoff.cli", "dev", "workflow:app"),
            *("--store", f"sqlite:///{data / 'signoff.db'}"),
            *("--port", str(port), "--page", str(HERE / "dist")),
        ],
        cwd=HERE,
        env={**os.environ, "SIGNOFF_EXAMPLE_DATA": str(data)},
    )


def _healthy(address: str, server: subprocess.Popen[bytes]) -> bool:
    for _ in range(300):
        if server.poll() is not None:
            return False
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


if __name__ == "__main__":
    sys.exit(main())
