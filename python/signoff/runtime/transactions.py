"""The transaction that a step is given: the database's own, whose commit also records the step's end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from signoff.sql import Transaction
from signoff.workflow.step.entries import StepCompleted


class LocalStepTransaction:
    """A step's transaction over one of the store's (`StepTransaction` says what each method does).

    Args:
        sql: the store's.
        complete: commits it together with the step's end.
    """

    def __init__(self, sql: Transaction, complete: Callable[[StepCompleted], Awaitable[bool]]) -> None:
        self._sql = sql
        self._complete = complete

    @property
    def native(self) -> Any:
        """Return the driver's own connection, if there is one to give."""
        return self._sql.native

    async def execute(self, statement: str, *values: Any) -> int:
        """Execute a statement; return how many rows it changed."""
        return await self._sql.execute(statement, *values)

    async def fetch(self, statement: str, *values: Any) -> Sequence[Mapping[str, Any]]:
        """Execute a statement; return its rows."""
        return await self._sql.fetch(statement, *values)

    async def complete(self, result: StepCompleted) -> bool:
        """Commit; whoever gives the step up meanwhile waits, as a commit that has begun cannot be taken back."""
        completing = asyncio.ensure_future(self._complete(result))
        try:
            return await asyncio.shield(completing)
        except asyncio.CancelledError:
            await asyncio.wait([completing])
            raise
