"""Nobody is told to decide what an event was not about."""

from __future__ import annotations

import pytest

from signoff.server.notify.message import concerns
from signoff.workflow.notice import RequestEvent
from tests.workflow.input.requests import pending


@pytest.mark.parametrize(("at", "told"), [(999, False), (1_000, True), (1_001, True)])
def test_an_event_of_a_deleted_run_invites_nobody_to_what_the_run_asks_that_has_its_id(at: int, told: bool) -> None:
    to = ("user:alice", "group:finance")
    event = RequestEvent("evt_1", "asked", "r1", "expense", "approve:0", to, "Approve?", None, None, None, at)
    assert concerns(pending().row, event) is told
