"""Laws of what clients see who use a store at once: it could have been one after the other."""

from __future__ import annotations

from pathlib import Path

from signoff.stores.base import WorkflowStore
from signoff.testing.histories.recording import write
from signoff.testing.histories.workload import StoreHistory, play
from signoff.testing.store_contract.laws import Laws

SEEDS = range(6)


class HistoryLaws(Laws):
    """What is true of every history."""

    def test_what_clients_see_could_have_been_one_after_the_other(self, tmp_path: Path) -> None:
        """Writes, deletions, claims, renewals and looks of six clients at a few subjects: all at once, each at once."""

        async def scenario(store: WorkflowStore) -> None:
            judge(await play([store], seed), tmp_path)

        for seed in SEEDS:
            self.hold(folder(tmp_path, seed), scenario)

    def test_so_could_what_clients_of_two_stores_see(self, tmp_path: Path) -> None:
        """On the same data: a look by way of one follows a write by way of the other."""

        async def scenario(one: WorkflowStore, other: WorkflowStore) -> None:
            judge(await play([one, other], seed), tmp_path)

        for seed in SEEDS:
            self.hold_two(folder(tmp_path, seed), scenario)


def folder(parent: Path, seed: int) -> Path:
    """Make the folder of one history's data."""
    made = parent / str(seed)
    made.mkdir()
    return made


def judge(history: StoreHistory, folder: Path) -> None:
    """Fail if a history could not have been, and leave it in a file for whoever looks why."""
    if found := history.faults():
        why = "\n".join(found)
        file = write(folder / f"history-{history.seed}.txt", history.operations, seed=history.seed, why=why)
        raise AssertionError(f"seed {history.seed}, history in {file}:\n{why}")
