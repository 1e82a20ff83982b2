"""What the journal says of rows that the application publishes."""

from __future__ import annotations

from typing import Any, ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import Command


@frozen
class RowPublished(Command):
    """One row of the application's own (`ctx.publish`, `ctx.progress`). `value` None: it is deleted.

    `update`: the run has published this row before and not deleted it since.
    """

    type: ClassVar[str] = "row.published"
    row_type: str
    key: str
    value: dict[str, Any] | None
    update: bool = False

    @property
    def name(self) -> str:
        """Return which row it is."""
        return f"{self.row_type}/{self.key}"
