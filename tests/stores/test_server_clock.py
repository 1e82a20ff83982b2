"""Times given by one clock are shifted to the server's where the two differ by more than is noise."""

from __future__ import annotations

import pytest

from signoff.stores.server_clock import ServerClock


@pytest.mark.parametrize(
    ("before", "server", "after", "shift"),
    [
        (1_000, 1_010, 1_020, 0),
        (1_000, 2_010, 1_020, 0),
        (1_000, 2_021, 1_020, 1_011),
        (100_000, 40_000, 100_000, -60_000),
        (0, 60_000, 100, 59_950),
        (0, 60_000, 120_000, 0),
    ],
)
def test_a_clock_that_is_far_off_shifts(before: int, server: int, after: int, shift: int) -> None:
    clock = ServerClock()
    clock.note(before, server, after)
    assert clock.shift == shift
    assert clock.at_server(5) == 5 + shift
    assert clock.at_home(clock.at_server(77)) == 77


def test_the_last_look_counts() -> None:
    clock = ServerClock()
    assert clock.shift == 0
    clock.note(0, 90_000, 0)
    assert clock.shift == 90_000
    clock.note(10, 10, 10)
    assert clock.shift == 0
