from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.errors import BadRequest
from signoff.workflow.durations import deadline_ms, duration_ms, moment


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("250ms", 250),
        ("2s", 2_000),
        ("5m", 300_000),
        ("3h", 10_800_000),
        ("3d", 259_200_000),
        ("1w", 604_800_000),
        ("1h30m", 5_400_000),
        ("0.2s", 200),
        ("1.5s250ms", 1_750),
        ("0s", 0),
        (2, 2_000),
        (0.25, 250),
        (0.0001, 1),
        (timedelta(minutes=1), 60_000),
        (timedelta(microseconds=1), 1),
    ],
)
def test_durations_in_milliseconds(written: Any, ms: int) -> None:
    assert duration_ms(written) == ms


@pytest.mark.parametrize(
    "written",
    ["", "2", "s", "2 s", "-2s", "1e3s", "2sec", "1h-30m", -1, timedelta(seconds=-1), None, True, float("nan"),
     float("inf"), [], "9999999w", "1" * 500 + "s", "٣s"],
)  # fmt: skip
def test_what_is_no_duration(written: Any) -> None:
    with pytest.raises(BadRequest, match="no duration"):
        duration_ms(written)


def test_deadlines() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=1)))
    assert deadline_ms(noon, 0) == 1_767_265_200_000
    assert deadline_ms("2s", 5_000) == 7_000
    with pytest.raises(BadRequest, match="time zone"):
        deadline_ms(datetime(2026, 1, 1), 0)  # noqa: DTZ001


@given(st.integers(0, 4_000_000_000_000))
def test_moments_and_milliseconds_agree(ms: int) -> None:
    assert deadline_ms(moment(ms), 0) == ms
    assert moment(ms).tzinfo is UTC
