"""What operators do with the schema of a store's data: see what it is, check it, bring it up to date.

A store migrates its data itself when it is opened. This is for those who want to do it at a time of their own, with a
role of their own, or to know beforehand what it would be. `open.open_migrating` makes one for a URL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """Which schema a store's data has.

    Attributes:
        backend: e.g. `sqlite`.
        schema: its version; 0: it has none yet.
        newest: the version this release brings it to.
        pending: the names of the migrations that are still to be applied, in their order.
        breaking: a newer release has changed it so that this one cannot use it any more.
    """

    backend: str
    schema: int
    newest: int
    pending: tuple[str, ...] = ()
    breaking: bool = False


class Migrating(Protocol):
    """The schema of one store's data.

    Raises (every method but `sql`):
        StoreUnavailable: the store cannot be reached.
        StoreError: what is there is not a store of ours.
    """

    async def status(self) -> SchemaStatus:
        """Return which schema the data has; write nothing, and do not need that the store was ever opened."""
        ...

    async def check(self) -> list[str]:
        """Return what is wrong with schema and server, a plain sentence each; empty: nothing is."""
        ...

    async def upgrade(self) -> list[str]:
        """Apply what is pending, whoever else does so at the same time; return the names of what was applied here.

        Raises:
            SchemaTooNew: a newer release has changed the schema so that this one cannot use it.
        """
        ...

    def sql(self) -> str:
        """Return the statements an administrator runs where Signoff itself may not create anything.

        Of a database with administrators they may be run again, and then change nothing.
        """
        ...
