from __future__ import annotations

import pytest

from signoff.workflow.event.matching import takes


@pytest.mark.parametrize(
    ("wait", "event", "taken"),
    [
        (("paid", None), ("paid", None), True),
        (("paid", None), ("paid", "a"), True),
        (("paid", "a"), ("paid", "a"), True),
        (("paid", "a"), ("paid", "b"), False),
        (("paid", "a"), ("paid", None), False),
        (("paid", None), ("sent", None), False),
    ],
)
def test_a_wait_takes_events_of_its_topic_and_key(
    wait: tuple[str, str | None], event: tuple[str, str | None], taken: bool
) -> None:
    assert takes(*wait, *event) is taken
