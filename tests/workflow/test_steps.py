from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import pytest

from signoff import StepInfo, current_step
from signoff.workflow.steps import entering_step, return_type

if TYPE_CHECKING:
    from fractions import Fraction


def test_a_step_knows_itself() -> None:
    info = StepInfo("r1", "pay", 2, 1)
    with entering_step(info):
        assert current_step() is info
        assert current_step().key == "r1/pay:2"
    with pytest.raises(RuntimeError, match="inside a function that runs as a step"):
        current_step()


def test_a_step_knows_itself_in_async_code_only() -> None:
    async def attempt(number: int) -> str:
        with entering_step(StepInfo("r1", "pay", number, 1)):
            await asyncio.sleep(0)
            return current_step().key

    async def both() -> list[str]:
        return list(await asyncio.gather(attempt(0), attempt(1)))

    assert asyncio.run(both()) == ["r1/pay:0", "r1/pay:1"]


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
