from __future__ import annotations

import asyncio
import inspect
from decimal import Decimal
from typing import Any

import pytest

from signoff import Context, NotAllowedInWorkflow, step
from signoff.workflow import codec
from signoff.workflow.step.types import return_type
from tests.workflow.drive import Drive, asked


@step(timeout="10s")
def charge(amount: int, *, currency: str = "EUR") -> Decimal:
    """Take money."""
    return Decimal(amount)


@step
async def fetch(currency: str) -> Decimal:
    return Decimal(1) + charge(1)


class Service:
    @step
    async def call(self, number: int) -> int:
        return number


@pytest.mark.parametrize(
    ("call", "name"),
    [(lambda: charge(5), "charge"), (lambda: fetch("USD"), "fetch"), (lambda: Service().call(1), "call")],
)
def test_a_step_that_workflow_code_calls_itself_is_refused(call: Any, name: str) -> None:
    async def flow(ctx: Context) -> None:
        call()

    drive = Drive(flow)
    assert drive.error.code == NotAllowedInWorkflow.code
    assert f'await ctx.step("{name}", {name}, ...)' in drive.error.message
    assert asked(drive.journal) == ["run.started", "run.failed"]


async def test_elsewhere_it_is_an_ordinary_function() -> None:
    assert [charge(2, currency="USD"), await fetch("USD"), await Service().call(3)] == [Decimal(2), Decimal(2), 3]


def test_it_keeps_what_it_is() -> None:
    assert inspect.iscoroutinefunction(fetch)
    assert asyncio.iscoroutinefunction(fetch)
    assert inspect.iscoroutinefunction(Service().call)
    assert not inspect.iscoroutinefunction(charge)
    assert str(inspect.signature(charge)) == "(amount: 'int', *, currency: 'str' = 'EUR') -> 'Decimal'"
    assert (charge.__name__, charge.__doc__, charge.__module__) == ("charge", "Take money.", __name__)
    assert return_type(charge) is Decimal
    assert return_type(fetch) is Decimal
    assert return_type(Service().call) is int


def test_a_step_is_asked_for_as_before() -> None:
    async def flow(ctx: Context) -> Decimal:
        rate = await ctx.step("rate", fetch, "USD")
        return rate + await ctx.step("charge", charge, 3)

    drive = Drive(flow)
    assert drive.machine.open_steps["rate:0"].fn is fetch
    drive.done("rate:0", "1.5")
    assert drive.machine.open_steps["charge:0"].timeout_ms == 10_000
    drive.done("charge:0", "3")
    assert codec.decode(drive.output, Decimal) == Decimal("4.5")
