"""What all have in common that write to one store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from signoff.stores.postgres.address import Address
from signoff.stores.postgres.known import Known
from signoff.stores.postgres.statements import Statements, for_schema

_ARGUMENTS: Final = 56
_COMMIT: Final = "SELECT stale, ids FROM signoff.commit_v1({})"


@dataclass(slots=True)
class WriteContext:
    """The statements for one schema, and what is remembered of it.

    Attributes:
        known: rows that were seen or written.
        sql: the statements of `write.sql`.
        call: the statement that calls `commit_v1`.
        lost: sessions that have lost their connection in the middle of a commit, and are not given up yet.
    """

    address: Address
    known: Known = field(default_factory=Known)
    sql: Statements = field(init=False)
    call: str = field(init=False)
    lost: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sql = Statements("write.sql", self.address.schema)
        arguments = ", ".join(f"${number}" for number in range(1, _ARGUMENTS + 1))
        self.call = for_schema(_COMMIT.format(arguments), self.address.schema)
