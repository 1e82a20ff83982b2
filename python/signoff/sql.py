"""What a step that is a transaction gets: the user's own statements, in the store's own database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Transaction(Protocol):
    """An open transaction of the store's database, for the statements of one step (`ctx.transaction`).

    What is executed is kept exactly if the step's result is. Beginning, committing and rolling back are not for its
    user; raise an exception to have all of it undone.

    Example:
        >>> async def book(tx: Transaction, account: str, cents: int) -> int:
        ...     await tx.execute("UPDATE accounts SET cents = cents + ? WHERE id = ?", cents, account)
        ...     [row] = await tx.fetch("SELECT cents FROM accounts WHERE id = ?", account)
        ...     return row["cents"]
    """

    @property
    def native(self) -> Any:
        """Return the driver's own connection where there is one to give (`asyncpg.Connection`), otherwise None."""
        ...

    async def execute(self, statement: str, *values: Any) -> int:
        """Execute one statement; return how many rows it changed.

        Args:
            statement: in the words of the database; values stand as `?` in SQLite, as `$1`, `$2` in PostgreSQL.
            values: what stands for them.

        Raises:
            Whatever the driver raises: the step's attempt has then failed, unless the function goes on all the same.
        """
        ...

    async def fetch(self, statement: str, *values: Any) -> Sequence[Mapping[str, Any]]:
        """Execute one statement; return its rows, with their columns by name."""
        ...
