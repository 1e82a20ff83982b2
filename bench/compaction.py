"""Measure what compaction saves a reader who starts at the beginning, in one run on one server.

Usage: python bench/compaction.py [--quick] [--json]

The same messages, changes of a thousand rows, go into a plain stream and into one that is compacted. Then each is read
from the start to the tail over HTTP, on one connection, bytes counted and not parsed. The server is `signoff server` as
it is shipped, on SQLite.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

KEYS = 1000


@contextmanager
def serving() -> Iterator[int]:
    """Start a server over an empty store; yield its port."""
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as folder:
        store = f"sqlite:///{folder}/bench.db"
        command = [sys.executable, "-m", "signoff.cli", "server", "--store", store, "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                found = re.search(r"http://[\d.]+:(\d+)", process.stdout.readline())
                assert found, "the server did not start"
                yield int(found[1])
            finally:
                process.kill()


def messages(count: int) -> list[str]:
    """Make State Protocol messages of some 170 bytes: each row is inserted once and then updated."""
    chance = random.Random(1)
    made = []
    for n in range(count):
        key = f"sensor-{n if n < KEYS else chance.randrange(KEYS)}"
        value = {"id": key, "n": n, "celsius": round(chance.uniform(-20, 40), 2)}
        headers = {"operation": "insert" if n < KEYS else "update", "timestamp": "2026-01-02T03:04:05.000Z"}
        made.append(json.dumps({"type": "reading", "key": key, "value": value, "headers": headers}))
    return made


@dataclass(frozen=True, slots=True)
class Reading:
    """Hold what reading to the tail took."""

    ms: float
    size: int
    requests: int


class Client:
    """Speak to the server over one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def fill(self, path: str, batches: list[str], **headers: str) -> None:
        """Create a stream and append to it."""
        for method, body in (("PUT", ""), *(("POST", batch) for batch in batches)):
            headers["content-type"] = "application/json"
            self._connection.request(method, f"/v1/stream/{path}", body, headers if method == "PUT" else dict(headers))
            reply = self._connection.getresponse()
            reply.read()
            assert reply.status in {201, 204}, reply.status

    def catch_up(self, path: str) -> Reading:
        """Read from the start to the tail."""
        begin = time.perf_counter()
        offset, size, requests = "-1", 0, 0
        while True:
            self._connection.request("GET", f"/v1/stream/{path}?offset={offset}")
            reply = self._connection.getresponse()
            assert reply.status == 200, reply.status
            size += len(reply.read())
            requests += 1
            offset = reply.headers["stream-next-offset"]
            if "stream-up-to-date" in reply.headers:
                return Reading((time.perf_counter() - begin) * 1000, size, requests)


def measure(count: int, rounds: int) -> dict[str, Reading]:
    """Fill two streams with the same and read both."""
    sent = messages(count)
    batches = [f"[{','.join(sent[start : start + 100])}]" for start in range(0, count, 100)]
    with serving() as port:
        client = Client(port)
        client.fill("plain", batches)
        client.fill("compacted", batches, **{"stream-compaction": "state"})
        most = 3 * KEYS * len(sent[0])
        while client.catch_up("compacted").size > most:  # folding ends shortly after the last append
            time.sleep(0.05)
        found = {}
        for path in ("plain", "compacted"):
            all_of_it = [client.catch_up(path) for _ in range(rounds)]
            found[path] = Reading(
                statistics.median(one.ms for one in all_of_it), all_of_it[-1].size, all_of_it[-1].requests
            )
        return found


def main() -> None:
    """Measure and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a tenth of the messages")
    options.add_argument("--json", action="store_true")
    args = options.parse_args()
    count = 10_000 if args.quick else 100_000
    found = measure(count, 9)
    ratio = found["plain"].ms / found["compacted"].ms
    if args.json:
        figures = {name: {"ms": one.ms, "bytes": one.size, "requests": one.requests} for name, one in found.items()}
        print(json.dumps({**figures, "ratio": ratio}, indent=2))
        return
    print(f"{count:,} messages, {KEYS:,} live rows, read from the start over HTTP (median of 9)")
    for name, one in found.items():
        print(f"{name:12} {one.ms:8.2f} ms {one.size / 1e6:8.2f} MB {one.requests:4} requests")
    print(f"compaction is {ratio:.0f} times as fast")


if __name__ == "__main__":
    main()
