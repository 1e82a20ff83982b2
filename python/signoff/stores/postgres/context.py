"""What all have in common that write to one store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from signoff.stores.postgres.address import PostgresAddress
from signoff.stores.postgres.connections import PLANS
from signoff.stores.postgres.known import Known
from signoff.stores.postgres.statements import Statements, for_schema

_ARGUMENTS: Final = 56
_COMMIT: Final = "SELECT stale, ids FROM {}signoff.commit_v1({})"
_STEP: Final = "SELECT step FROM {}signoff.step_v1({}) AS step"
_PLANS: Final = "(SELECT {}) AS plans, LATERAL "
_STEP_ARGUMENTS: Final = 21
_STEPS: Final = "SELECT stale FROM {}signoff.steps_v1({}) AS stale"
_STEPS_ARGUMENTS: Final = 19


@dataclass(slots=True)
class WriteContext:
    """The statements for one schema, and what is remembered of it.

    Attributes:
        known: rows that were seen or written.
        sql: the statements of `write.sql`.
        call: the statement that calls `commit_v1`.
        step: the statement that calls `step_v1`.
        steps: the statement that calls `steps_v1`.
        lost: sessions that have lost their connection in the middle of a commit, and are not given up yet.
    """

    address: PostgresAddress
    known: Known = field(default_factory=Known)
    sql: Statements = field(init=False)
    call: str = field(init=False)
    step: str = field(init=False)
    steps: str = field(init=False)
    lost: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sql = Statements("write.sql", self.address.schema)
        self.direct()

    def direct(self) -> None:
        """Write on connections of our own, which have their settings."""
        self._write("")

    def pooled(self) -> None:
        """Write behind a pooler, where a setting lasts for a transaction."""
        settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in PLANS.items())
        self._write(_PLANS.format(settings))

    def _write(self, plans: str) -> None:
        schema = self.address.schema
        self.call = for_schema(_COMMIT.format(plans, _places(_ARGUMENTS)), schema)
        self.step = for_schema(_STEP.format(plans, _places(_STEP_ARGUMENTS)), schema)
        self.steps = for_schema(_STEPS.format(plans, _places(_STEPS_ARGUMENTS)), schema)


def _places(count: int) -> str:
    return ", ".join(f"${number}" for number in range(1, count + 1))
