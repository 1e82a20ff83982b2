"""One of several processes that use a store at once: `python -m tests.histories.peer URL SEED NAME OPERATIONS`.

What its clients see goes to its output as it happens, a line each time: the number of a call, and the call.
"""

from __future__ import annotations

import asyncio
import base64
import pickle
import sys
from collections.abc import Iterable

from signoff.errors import OutcomeUnknown
from signoff.stores.open import open_store
from signoff.testing.histories import RecordedCall, Recorder
from signoff.testing.histories.workload import act

CLIENTS = 3


def tell(number: int, call: RecordedCall | None) -> None:
    """Write a line."""
    print(base64.b64encode(pickle.dumps((number, call))).decode(), flush=True)


def calls_of(lines: Iterable[str]) -> list[RecordedCall]:
    """Read what a process has told; a call whose reply it did not live to tell is an unknown one."""
    found: dict[int, RecordedCall | None] = {}
    for line in lines:
        if line.endswith("\n"):  # it may have been killed within one
            number, call = pickle.loads(base64.b64decode(line))
            found[number] = call
    return [call for call in found.values() if call is not None]


async def main(url: str, seed: int, name: str, operations: int) -> None:
    """Use the store; the last line comes before it is closed."""
    store = open_store(url)
    await store.open()
    recorder = Recorder(unknown=(OutcomeUnknown,), sink=tell)
    await act([store], recorder, seed, name=name, clients=CLIENTS, operations=operations)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
