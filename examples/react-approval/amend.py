"""Amend a claim while somebody may be reading it: the missing receipts have turned up.

Usage: python examples/react-approval/amend.py CLAIM_ID [--server http://127.0.0.1:4437]

Sends the event `claim.amended` to the claim's run. Who has its request open sees that it changed, and has to look
again before deciding.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from start import CLAIMS, connect


def main() -> int:
    """Send the amended claim; exit with 1 if the server refused it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("claim", metavar="CLAIM_ID", help="for example exp-2026-1264")
    options.add_argument("--server", default="http://127.0.0.1:4437", metavar="URL")
    args = options.parse_args()
    claims = {claim["id"]: claim for claim in map(json.loads, CLAIMS.read_text(encoding="utf-8").splitlines())}
    if args.claim not in claims:
        print(f"There is no claim {args.claim} in {CLAIMS.name}.", file=sys.stderr)
        return 1
    connection = connect(args.server, wait=1)
    if connection is None:
        print(f"No server answers at {args.server}.", file=sys.stderr)
        return 1
    body = {"id": f"receipts-{args.claim}", "payload": amended(claims[args.claim])}
    path = f"/v1/runs/{args.claim}/events/claim.amended"
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    answer = json.loads(reply.read())
    print("Amended." if reply.status == 202 else answer.get("detail", reply.reason))
    return 0 if reply.status == 202 else 1


def amended(claim: dict[str, Any]) -> dict[str, Any]:
    """Return the claim with all receipts, a total that is the sum of its items, and a word about it."""
    purpose = f"{claim['purpose']} (Amended: all receipts are attached now.)".strip()
    items = [{**item, "receipt": item["receipt"] or f"late-{n + 1}.pdf"} for n, item in enumerate(claim["items"])]
    return {**claim, "purpose": purpose, "items": items, "total": round(sum(item["amount"] for item in items), 2)}


if __name__ == "__main__":
    sys.exit(main())
