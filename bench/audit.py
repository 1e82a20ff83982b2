"""Time how long an evidence bundle takes to be written and verified: `python bench/audit.py [DECISIONS]`.

One run with 10,000 decisions unless said otherwise; beside it the hashing of the same bytes alone, which is the limit.
"""

from __future__ import annotations

import sys
import time
from hashlib import sha256

import orjson

from signoff.service import ed25519
from signoff.workflow import bundle, chain, journal
from signoff.workflow.entry import DecidedBy, Entry
from signoff.workflow.input.entries import InputAnswered, InputRequested
from signoff.workflow.run.entries import RunStarted

SEED = b"a key for the benchmark, no more"


def entries(decisions: int) -> list[Entry]:
    """Return a journal with so many requests, each answered."""
    made: list[Entry] = [RunStarted(1, "r", "expense", "1", None, "seed", "digest")]
    spec = {"title": "Approve?", "schema": {"type": "boolean"}, "actions": ["submit"], "show": {"amount": "12.00"}}
    for n in range(decisions):
        by = DecidedBy("person", "user:alice")
        made.append(InputRequested(2, f"approve:{n}", spec, ("user:alice",)))
        made.append(InputAnswered(3, f"approve:{n}", f"s{n}", "digest", "submit", value=True, by=by))
    return made


def main(decisions: int) -> None:
    """Write a bundle, verify it, and print the times."""
    written = [orjson.dumps(journal.to_json(entry)) for entry in entries(decisions)]
    data, head = chain.chained(written, chain.start("r", 0))
    stored = [orjson.dumps(message) for message in orjson.loads(b"[" + data + b"]")]
    began = time.perf_counter()
    lines = bundle.lines_to_sign(
        "r", bundle.read(stored), head=head, key=ed25519.public_key(SEED), version="bench", at=1
    )
    whole = bundle.signed(lines, ed25519.sign(SEED, bundle.to_sign(lines)))
    made = time.perf_counter()
    proven = bundle.verify(whole, ed25519.is_good)
    checked = time.perf_counter()
    sha256(whole).hexdigest()
    hashed = time.perf_counter()
    print(f"{proven.decisions:,} decisions, {len(whole) >> 20} MiB: written in {made - began:.2f} s, ", end="")
    print(f"verified in {checked - made:.2f} s; hashing the bytes alone takes {hashed - checked:.3f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
