from __future__ import annotations

import pytest

from signoff.workflow.run.status import ENDED, FINAL, HELD, status_of
from signoff.workflow.view import RunFold


def test_what_is_over_has_ended_and_nothing_that_is_held_has() -> None:
    assert {"completed", "cancelled"} == FINAL
    assert FINAL | {"failed"} == ENDED
    assert HELD.isdisjoint(ENDED)


@pytest.mark.parametrize(
    ("run", "status"),
    [
        (RunFold({}), "running"),
        (RunFold({}, steps=1, inputs=["a:0"], timers=["sleep:0"]), "running"),
        (RunFold({}, inputs=["a:0"], timers=["sleep:0"]), "waiting"),
        (RunFold({}, waits=[["a:0", "a", None]]), "waiting"),
        (RunFold({}, timers=["sleep:0"]), "sleeping"),
    ],
)
def test_a_status_follows_from_what_is_open(run: RunFold, status: str) -> None:
    assert status_of(run) == status
