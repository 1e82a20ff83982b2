"""The clients of a store, and what is found in their histories: each fault, and nothing where there is none."""

from __future__ import annotations

from collections import Counter

import pytest

from signoff.testing.histories.workload import StoreHistory, play
from tests.testing.histories.faulty import FAULTS, CutOff, FaultyStore

SEEDS = 8


async def histories(kind: type[FaultyStore]) -> list[StoreHistory]:
    """Play with a fresh store of this kind for each seed."""
    played = []
    for seed in range(SEEDS):
        store = kind(seed)
        await store.open()
        played.append(await play([store], seed))
        await store.close()
    return played


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
async def test_each_fault_is_found_within_a_few_hundred_operations(kind: type[FaultyStore]) -> None:
    played = await histories(kind)
    found = [history.seed for history in played if history.faults()]
    assert len(found) >= SEEDS / 2, f"{kind.__doc__} Found with the seeds {found} alone"
    assert max(len(history.operations) for history in played) < 400


@pytest.mark.parametrize("kind", [FaultyStore, CutOff], ids=lambda kind: kind.__name__)
async def test_nothing_is_found_where_nothing_is_wrong(kind: type[FaultyStore]) -> None:
    for history in await histories(kind):
        assert history.faults() == []


async def test_what_clients_do_comes_about_in_every_way() -> None:
    """A search that finds nothing has looked at something: every operation, with every result it can have."""
    seen: Counter[tuple[str, object]] = Counter()
    for history in await histories(CutOff):
        for one in history.operations:
            seen[one.name, one.result if isinstance(one.result, bool | str) else type(one.result).__name__] += 1
            seen[one.name, "unknown"] += one.unknown
    wanted = {
        *(("write", result) for result in ("committed", "version", "epoch", "unknown")),
        *(("delete", result) for result in ("committed", "version")),
        *(("load", result) for result in ("Look", "NoneType")),
        *(("read", result) for result in ("tuple", "NoneType")),
        *(("claim", result) for result in ("HeldLease", "unknown")),
        ("renew", True),
        ("renew", False),
        ("release", "NoneType"),
    }
    assert {one for one in wanted if not seen[one]} == set()
