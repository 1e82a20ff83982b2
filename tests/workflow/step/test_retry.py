from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff import PublicError, Retry, UnsupportedValue
from signoff.errors import BadRequest


def test_waits_double_up_to_the_ceiling() -> None:
    policy = Retry(attempts=6, first="1s", factor=2, most="5s")
    assert [policy.delay_ms(attempt, OSError()) for attempt in range(1, 7)] == [1_000, 2_000, 4_000, 5_000, 5_000, None]


def test_one_attempt_means_no_retry() -> None:
    assert Retry(attempts=1).delay_ms(1, OSError()) is None


def test_some_errors_are_never_retried() -> None:
    policy = Retry(never=(ValueError, PublicError))
    assert policy.delay_ms(1, ValueError()) is None
    assert policy.delay_ms(1, UnicodeError()) is None
    assert policy.delay_ms(1, PublicError("no")) is None
    assert policy.delay_ms(1, KeyError()) == 1_000
    assert policy.delay_ms(1, UnsupportedValue("a result that cannot be kept stays so")) is None


@given(st.integers(1, 10_000), st.integers(0, 2**32), st.floats(0, 1))
def test_jitter_only_shortens_and_is_repeatable(attempt: int, seed: int, jitter: float) -> None:
    policy = Retry(attempts=100_000, jitter=jitter)
    whole = Retry(attempts=100_000).delay_ms(attempt, OSError())
    found = policy.delay_ms(attempt, OSError(), random.Random(seed))
    assert whole is not None
    assert found is not None
    assert whole * (1 - jitter) - 1 <= found <= whole
    assert found == policy.delay_ms(attempt, OSError(), random.Random(seed))


def test_many_attempts_do_not_overflow() -> None:
    assert Retry(attempts=10**6, factor=1e9, most="1h").delay_ms(10**5, OSError()) == 3_600_000
    assert Retry(attempts=5, first=0).delay_ms(3, OSError()) == 0


@pytest.mark.parametrize(
    "members",
    [
        *({"attempts": attempts} for attempts in (0, 1.5, float("inf"), True, "3")),
        *({"factor": factor} for factor in (0.5, float("nan"), float("inf"), -math.inf, None)),
        *({"jitter": jitter} for jitter in (2, -1, float("nan"), "much")),
    ],
)
def test_policies_that_make_no_sense_are_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="retry policy"):
        Retry(**members)


def test_an_error_is_not_asked_for_its_class() -> None:
    class Disguised(Exception):
        @property  # type: ignore[misc]
        def __class__(self) -> type:
            raise RuntimeError("who asks?")

    assert Retry(never=(ValueError,)).delay_ms(1, Disguised()) == 1_000


def test_a_wait_that_is_no_duration_is_refused_where_it_is_written() -> None:
    with pytest.raises(BadRequest):
        Retry(first="soon")
