from __future__ import annotations

import functools
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pytest
from pydantic import validate_call

from signoff import step
from signoff.workflow.step.types import return_type
from tests.workflow.decorators import Retrying, as_text, awaited, logged

if TYPE_CHECKING:
    from fractions import Fraction


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
