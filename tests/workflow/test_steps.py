from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Coroutine
from contextvars import Context as Variables
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pytest
from pydantic import validate_call

from signoff import Context, NotAllowedInWorkflow, StepInfo, current_step, step
from signoff.workflow import codec
from signoff.workflow.step.current import entering_step
from signoff.workflow.step.types import return_type
from tests.workflow.decorators import Retrying, as_text, awaited, logged
from tests.workflow.drive import Drive, asked

if TYPE_CHECKING:
    from fractions import Fraction


def test_a_step_knows_itself() -> None:
    info = StepInfo("r1", "pay", 2, 1)
    with entering_step(info):
        assert current_step() is info
        assert current_step().key == "r1/pay:2"
    with pytest.raises(RuntimeError, match="inside a function that runs as a step"):
        current_step()


async def test_a_step_knows_itself_in_async_code_only() -> None:
    async def attempt(number: int) -> str:
        with entering_step(StepInfo("r1", "pay", number, 1)):
            await asyncio.sleep(0)
            return current_step().key

    assert list(await asyncio.gather(attempt(0), attempt(1))) == ["r1/pay:0", "r1/pay:1"]


def returns_awaitable() -> Awaitable[int]: ...  # type: ignore[empty-body]


def returns_anything() -> Any: ...


def returns_nothing() -> None: ...


def only_for_checkers() -> Fraction: ...  # type: ignore[empty-body]


def test_return_types() -> None:
    assert return_type(returns_awaitable) is int
    assert return_type(returns_anything) is None
    assert return_type(returns_nothing) is type(None)
    with pytest.raises(TypeError, match="cannot be resolved"):
        return_type(only_for_checkers)


T = TypeVar("T")


@dataclass
class Receipt:
    no: int

    def copy(self) -> Self:
        return self

    def again(self) -> Receipt:
        return self

    @classmethod
    def new(cls) -> Self:
        return cls(1)

    @staticmethod
    def plain() -> Receipt:
        return Receipt(1)


class Issue:
    def __call__(self) -> Receipt:
        return Receipt(1)


def pay() -> Receipt:
    return Receipt(1)


async def apay() -> Receipt:
    return Receipt(1)


def coroutine() -> Coroutine[Any, Any, Receipt]:
    return apay()


def same(value: T) -> T:
    return value


def silent():  # type: ignore[no-untyped-def]
    return Receipt(1)


@pytest.mark.parametrize(
    "fn",
    [
        pay,
        apay,
        coroutine,
        logged(pay),
        logged(logged(apay)),
        awaited(pay),
        validate_call(pay),
        functools.lru_cache(pay),
        functools.cache(logged(pay)),
        functools.partial(logged(pay)),
        logged(functools.partial(pay)),
        functools.partial(functools.partial(pay)),
        Retrying(pay),
        logged(Retrying(pay)),
        step(logged(pay)),
        logged(step(pay)),
        Issue(),
        logged(Issue()),
        Receipt(1).again,
        Receipt(1).copy,
        Receipt.new,
        Receipt.plain,
        logged(Receipt(1).copy),
        Receipt,
    ],
)
def test_the_return_type_is_found_behind_decorators(fn: Any) -> None:
    assert return_type(fn) is Receipt
    assert return_type(fn) is Receipt


def test_a_wrapper_that_says_itself_what_it_returns_counts() -> None:
    assert return_type(as_text(pay)) is str
    assert return_type(logged(as_text(pay))) is str


@pytest.mark.parametrize("fn", [silent, logged(silent), len, same, functools.partial(same, 1), lambda: 1, print])
def test_what_says_nothing_has_no_type(fn: Any) -> None:
    assert return_type(fn) is None


def test_decorators_that_wrap_each_other_in_a_circle_end() -> None:
    def one() -> int:
        return 1

    one.__wrapped__ = one  # type: ignore[attr-defined]
    assert return_type(one) is int


# -- a function marked as a step ---------------------------------------------------------------------------------------


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


# -- context variables -------------------------------------------------------------------------------------------------

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


def test_a_step_has_the_context_variables_the_code_had_when_it_asked() -> None:
    async def flow(ctx: Context) -> None:
        tenant.set("alice")
        first = ctx.step("a", charge, 1)
        tenant.set("bob")
        await asyncio.gather(first, ctx.step("b", charge, 1))

    drive = Drive(flow)
    calls = drive.machine.open_steps
    assert [calls[id_].context[tenant] for id_ in ("a:0", "b:0")] == ["alice", "bob"]


def test_what_a_step_sets_stays_there() -> None:
    variables = Variables()
    variables.run(tenant.set, "alice")
    before = copy_context()
    with entering_step(StepInfo("r1", "pay", 0, 1), variables):
        assert tenant.get() == "alice"
        tenant.set("carol")
    assert tenant.get() == before.get(tenant, "nobody")
    assert variables[tenant] == "alice"
