"""Hand in the claims of claims.jsonl; those that are there already stay as they are.

Usage: python examples/react-approval/start.py [--server http://127.0.0.1:4437] [--limit N]

Only HTTP and the standard library: any language could start a run this way. A claim's id is its run's id, so starting
it again gives the run that exists.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CLAIMS = Path(__file__).resolve().parent / "claims.jsonl"


def main() -> int:
    """Start a run for each claim; exit with 1 if the server refused one."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--server", default="http://127.0.0.1:4437", metavar="URL")
    options.add_argument("--limit", type=int, default=None, metavar="N", help="start only the first N claims")
    options.add_argument("--wait", type=float, default=10.0, metavar="SECONDS", help="how long to wait for the server")
    args = options.parse_args()
    claims = [json.loads(line) for line in CLAIMS.read_text(encoding="utf-8").splitlines()][: args.limit]
    connection = connect(args.server, args.wait)
    if connection is None:
        print(f"No server answers at {args.server}; start one with: make demo", file=sys.stderr)
        return 1
    outcomes = Counter(start(connection, claim) for claim in claims)
    print(f"{len(claims)} claims: {outcomes['started']} started, {outcomes['known']} known before.")
    return 1 if outcomes["refused"] else 0


def connect(server: str, wait: float) -> http.client.HTTPConnection | None:
    """Return one connection for all requests, or None if nobody answers within `wait` seconds."""
    address = urlsplit(server)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    give_up = time.monotonic() + wait
    while True:
        connection = kind(address.netloc, timeout=30)
        try:
            connection.request("GET", "/health")
            connection.getresponse().read()
        except OSError:
            if time.monotonic() >= give_up:
                return None
            time.sleep(0.2)
        else:
            return connection


def start(connection: http.client.HTTPConnection, claim: dict[str, Any]) -> str:
    """Start the run of one claim and return what became of it: `started`, `known` or `refused`."""
    body = {
        "workflow": "expense",
        "run_id": claim["id"],
        "input": claim,
        "tags": tags(claim),
    }
    connection.request("POST", "/v1/runs", json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    answer = json.loads(reply.read())
    match reply.status:
        case 201:
            return "started"
        case 200:
            return "known"
        case _:
            print(f"{claim['id']}: {answer.get('detail', reply.reason)}", file=sys.stderr)
            return "refused"


def tags(claim: dict[str, Any]) -> list[str]:
    """Return what lists of runs show and search: a list carries neither inputs nor outputs."""
    return [
        f"title:{claim['title']}",
        f"from:{claim['claimant']['name']}",
        f"department:{claim['claimant']['department']}",
        f"total:{claim['total']} {claim['currency']}",
    ]


if __name__ == "__main__":
    sys.exit(main())
