"""Laws of the transactions that a store with SQL lends: what they execute is kept with a Change, or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from signoff.stores.base import WorkflowStore
from signoff.stores.change import Committed, Conflict, Rejected
from signoff.testing.store_contract.laws import Laws, advance, done, record, start

TABLE = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)"
NOTE = "INSERT INTO notes VALUES ({}, 'note')"


async def notes(store: WorkflowStore) -> list[int]:
    """Return the ids of the notes that are committed."""
    async with store.transaction() as tx:
        return [row["id"] for row in await tx.fetch("SELECT id FROM notes ORDER BY id")]


async def with_table(store: WorkflowStore) -> None:
    """Make the table of the notes, along with the run `r1`."""
    async with store.transaction() as tx:
        await tx.execute(TABLE)
        assert isinstance(await tx.commit(start("r1")), Committed)


class TransactionLaws(Laws):
    """What is true of every `transaction` of a store that has SQL; inherit from this too where yours has."""

    def test_statements_are_kept_with_the_change(self, tmp_path: Path) -> None:
        """Both are there afterwards, for everybody; the number of changed rows is told."""

        async def scenario(store: WorkflowStore) -> None:
            await with_table(store)
            async with store.transaction() as tx:
                assert await tx.execute(NOTE.format(1)) == 1
                assert await tx.execute("UPDATE notes SET text = 'x' WHERE id > 1") == 0
                committed = await tx.commit(advance("r1", 1))
            assert isinstance(committed, Committed)
            assert (await record(store)).version == 2
            assert await notes(store) == [1]
            await done(store, advance("r1", 2))

        self.hold(tmp_path, scenario)

    def test_nothing_is_kept_without_a_commit(self, tmp_path: Path) -> None:
        """Neither at the end of the block nor after an exception."""

        async def scenario(store: WorkflowStore) -> None:
            await with_table(store)
            async with store.transaction() as tx:
                await tx.execute(NOTE.format(1))

            async def fails() -> None:
                async with store.transaction() as tx:
                    await tx.execute(NOTE.format(2))
                    raise KeyError

            with pytest.raises(KeyError):
                await fails()
            assert await notes(store) == []

        self.hold(tmp_path, scenario)

    def test_a_conflict_leaves_it_open(self, tmp_path: Path) -> None:
        """It can be decided anew in the same transaction, and is not committed until then."""

        async def scenario(store: WorkflowStore) -> None:
            await with_table(store)
            await done(store, advance("r1", 1))
            async with store.transaction() as tx:
                await tx.execute(NOTE.format(1))
                assert await tx.commit(advance("r1", 1)) == Conflict("version", "r1")
                assert isinstance(await tx.commit(advance("r1", 2)), Committed)
            assert await notes(store) == [1]
            async with store.transaction() as tx:
                await tx.execute(NOTE.format(2))
                assert isinstance(await tx.commit(advance("r1", 2)), Conflict)
            assert await notes(store) == [1]

        self.hold(tmp_path, scenario)

    def test_what_cannot_be_kept_is_rejected(self, tmp_path: Path) -> None:
        """As in any commit; nothing of the transaction stays."""

        async def scenario(store: WorkflowStore) -> None:
            await with_table(store)
            async with store.transaction() as tx:
                await tx.execute(NOTE.format(1))
                broken = advance("r1", 1, sort=2**70)
                assert isinstance(await tx.commit(broken), Rejected)
            assert await notes(store) == []
            assert (await record(store)).version == 1

        self.hold(tmp_path, scenario)

    def test_many_at_once_take_their_turns(self, tmp_path: Path) -> None:
        """Beside plain commits of others, and none of them waits for ever."""

        async def scenario(store: WorkflowStore) -> None:
            await with_table(store)

            async def note(n: int) -> None:
                async with store.transaction() as tx:
                    await tx.execute(NOTE.format(n))
                    assert isinstance(await tx.commit(start(f"t{n}")), Committed)

            async with asyncio.timeout(30):
                await asyncio.gather(*(note(n) for n in range(10)), *(done(store, start(f"p{n}")) for n in range(10)))
            assert await notes(store) == list(range(10))

        self.hold(tmp_path, scenario)
