"""Whether the schema that we have opened is still there, or another in its place.

A schema that somebody has dropped and another process has made anew is empty, and has nothing of what a process
remembers. When its first migration was applied tells one from another, also after a backup was put in place.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from signoff.errors import StoreUnavailable
from signoff.stores.postgres.address import PostgresAddress
from signoff.stores.postgres.connections import AskServer

_EVERY_S: Final = 1.0
"""Seconds after which `glance` looks again."""


class SchemaPresence:
    """The schema as it was when the store was opened.

    Args:
        address: where it is.
        ask: asks the server a statement.
        sql: the statement that returns when the schema was made.
        returned: called when a schema that was gone is back.
    """

    def __init__(self, address: PostgresAddress, ask: AskServer, sql: str, returned: Callable[[], None]) -> None:
        self._address = address
        self._ask = ask
        self._sql = sql
        self._returned = returned
        self._made: list[Any] = []
        self._gone = False
        self._looked_at = 0.0

    async def begin(self) -> None:
        """Note what there is."""
        self._made = await self._look()
        self._gone = False

    async def confirm(self) -> None:
        """See that it is still there, for whoever has found nothing in it.

        Raises:
            StoreUnavailable: it is gone.
        """
        gone = await self._look() != self._made
        if self._gone and not gone:
            self._returned()
        self._gone = gone
        if gone:
            raise self.error()

    async def glance(self) -> None:
        """Do the same, once a second at most."""
        if time.monotonic() - self._looked_at > _EVERY_S:
            await self.confirm()

    def error(self) -> StoreUnavailable:
        """Make the error for data that is gone."""
        return StoreUnavailable(
            f"The store's data is gone from {self._address.shown}: somebody has dropped schema "
            f"{self._address.schema}, and it was made anew. Stop all servers and workers, and put a backup in place; "
            "without one, start them again, and begin anew. Nothing was written.",
            public_detail="The server's store cannot be used right now. Nothing was written. Try again in a while, "
            "with the same ids.",
        )

    @property
    def gone(self) -> bool:
        """Tell whether the last look has found another schema; then nothing is written."""
        return self._gone

    async def _look(self) -> list[Any]:
        self._looked_at = time.monotonic()
        return [tuple(row) for row in await self._ask(self._sql)]
