"""Steps as workflow code asks for them: the options, the type of the result, what is none."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel

from signoff import Context, Retry, step
from signoff.workflow.step.entries import StepScheduled
from tests.workflow.drive import Drive, asked, work


class Receipt(BaseModel):
    paid: bool


@step(retry=Retry(attempts=5), timeout="10s", expose=True, label="Rate")
async def fetch(currency: str) -> Decimal:
    return Decimal(1)


def test_a_step_takes_the_options_of_its_function_and_of_the_call() -> None:
    async def flow(ctx: Context) -> None:
        ctx.step("plain", work)
        ctx.step("marked", fetch, "EUR")
        ctx.options(timeout="1s", label="Other").options(expose=False).step("chosen", fetch, currency="EUR")
        await ctx.step("last", work)

    drive = Drive(flow)
    calls = drive.machine.open_steps
    assert (calls["plain:0"].retry, calls["plain:0"].timeout_ms) == (Retry(), None)
    assert (calls["marked:0"].retry.attempts, calls["marked:0"].timeout_ms) == (5, 10_000)
    assert (calls["chosen:0"].retry.attempts, calls["chosen:0"].timeout_ms) == (5, 1_000)
    assert calls["chosen:0"].kwargs == {"currency": "EUR"}
    scheduled = {entry.id: entry for entry in drive.journal if isinstance(entry, StepScheduled)}
    labels = {id_: (entry.label, entry.expose) for id_, entry in scheduled.items()}
    assert labels == {
        "plain:0": (None, False),
        "marked:0": ("Rate", True),
        "chosen:0": ("Other", False),
        "last:0": (None, False),
    }


class Service:
    def charge(self, amount: int) -> Decimal:
        return Decimal(amount)

    def __call__(self) -> Receipt:
        return Receipt(paid=True)


@pytest.mark.parametrize(
    ("fn", "type_"),
    [
        (fetch, Decimal),
        (Service().charge, Decimal),
        (Service(), Receipt),
        (partial(fetch, "EUR"), Decimal),
        (Receipt, Receipt),
        (lambda: 1, None),
        (print, None),
    ],
)
def test_results_are_read_as_what_the_function_returns(fn: Any, type_: Any) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step("a", fn)

    assert Drive(flow).machine.open_steps["a:0"].return_type is type_


def test_what_is_no_function_is_no_step() -> None:
    async def flow(ctx: Context) -> None:
        made = work(1)
        await ctx.step("a", made)

    error = Drive(flow).error
    assert error.code == "type_error"
    assert "ctx.step('a', …) takes a function" in error.message


def test_the_context_is_of_no_use_inside_a_step() -> None:
    kept: list[Context] = []

    async def flow(ctx: Context) -> None:
        kept.append(ctx)
        await ctx.step("a", work)

    drive = Drive(flow)
    with pytest.raises(Exception, match="not inside a step"):
        kept[0].step("b", work)
    drive.done("a:0")
    assert asked(drive.journal)[-1] == "run.completed"
