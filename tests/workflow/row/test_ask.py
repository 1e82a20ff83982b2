"""Rows that workflow code publishes: what is written of them, and what is none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from signoff import Context
from signoff.workflow.row.entries import RowPublished
from tests.workflow.drive import Drive


class Line(BaseModel):
    price: Decimal
    note: str | None = None


def test_rows_tell_whether_they_are_known() -> None:
    async def flow(ctx: Context) -> None:
        ctx.publish("line", "l1", {"price": Decimal("1.10")})
        ctx.publish("line", "l1", Line(price=Decimal("1.20")))
        ctx.publish("line", "l1", None)
        ctx.publish("line", "l1", None)
        ctx.publish("line", "l1", {})
        ctx.progress(0.5, "half")

    rows = [entry for entry in Drive(flow).journal if isinstance(entry, RowPublished)]
    assert [(row.row_type, row.value, row.update) for row in rows] == [
        ("line", {"price": "1.10"}, False),
        ("line", {"price": "1.20", "note": None}, True),
        ("line", None, True),
        ("line", {}, False),
        ("progress", {"id": "main", "fraction": 0.5, "message": "half"}, False),
    ]


@pytest.mark.parametrize(
    "arguments",
    [("run", "k", {}), ("step", "k", {}), ("a b", "k", {}), ("line", "", {}), ("line", "\n", {}), ("line", 3, {}),
     ("line", "k", [1]), ("line", "k", "text"), ("line", "k", {"_seq": 1}), ("line", "k", {"a": "x" * (1 << 20)})],
)  # fmt: skip
def test_rows_that_are_none_are_refused(arguments: tuple[Any, ...]) -> None:
    async def flow(ctx: Context) -> None:
        ctx.publish(*arguments)

    assert Drive(flow).error.code in {"value_error", "type_error", "invalid_name"}


def test_progress_is_a_fraction() -> None:
    async def flow(ctx: Context) -> None:
        ctx.progress(50)

    assert Drive(flow).error.code == "value_error"
