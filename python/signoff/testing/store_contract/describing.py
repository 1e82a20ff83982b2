"""Laws of what a store says of itself."""

from __future__ import annotations

from pathlib import Path

from signoff.stores.base import WorkflowStore
from signoff.testing.store_contract.laws import Laws, done, load, start


class DescriptionLaws(Laws):
    """What is true of every description."""

    def test_a_store_says_what_it_is_whatever_it_holds(self, tmp_path: Path) -> None:
        """The description is of the store and not of what was written."""

        async def scenario(store: WorkflowStore) -> None:
            before = await store.describe()
            assert before.backend
            assert before.schema >= 0
            assert before.survives in {"power", "process", "nothing"}
            await done(store, start("r1"))
            assert await store.describe() == before

        self.hold(tmp_path, scenario)

    def test_a_store_keeps_what_it_says_it_does(self, tmp_path: Path) -> None:
        """What outlives the process is there for who opens the same data anew."""

        async def scenario(first: WorkflowStore, second: WorkflowStore) -> None:
            assert await first.describe() == await second.describe()
            await done(first, start("r1"))
            kept = await load(second, "r1") is not None
            assert kept == ((await second.describe()).survives != "nothing")

        self.hold_two(tmp_path, scenario)
