"""Who holds a claim, and what ends it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from signoff import Context
from signoff.errors import BadRequest
from signoff.workflow.claim import lease
from signoff.workflow.claim.entries import InputClaimed, InputReleased
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.audience import asked_of
from signoff.workflow.input.entries import InputExpired
from tests.workflow.drive import Drive
from tests.workflow.input.requests import ALICE, pending

BY = ALICE.by


def test_a_claim_has_a_holder_until_its_time_is_over() -> None:
    claimed = lease.claim(pending(), BY, 5_000)
    assert claimed.row["claim"] == {"by": {"kind": "person", "id": "user:alice"}, "until": "1970-01-01T00:00:05.000Z"}
    assert (lease.holder(claimed, 4_999), lease.holder(claimed, 5_000)) == (BY, None)
    assert (lease.lapsed(claimed, 4_999), lease.lapsed(claimed, 5_000)) == (False, True)
    released = lease.release(claimed)
    assert (released.row["claim"], released.policy) == (None, {})


def test_a_claim_is_kept_as_long_as_the_claimer_is_asked() -> None:
    claimed = lease.claim(pending(), BY, 5_000)
    assert lease.kept(claimed, asked_of(claimed, [*claimed.to, "user:bora"])).row["claim"] is not None
    assert lease.kept(claimed, asked_of(claimed, ["user:bora"])).row["claim"] is None
    assert lease.kept(claimed, asked_of(claimed, claimed.to, ["user:alice"])).row["claim"] is None


@pytest.mark.parametrize("lasts", ["999ms", "25h", timedelta(days=2), 0])
def test_a_claim_of_another_length_is_refused(lasts: Any) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.await_input("pay", bool, title="Pay?", to=["user:alice"], claim=lasts)

    assert "A claim lasts from 1 s to 24 h" in Drive(flow).error.message


def test_what_is_no_duration_is_refused() -> None:
    with pytest.raises(BadRequest):
        lease.claim_ms("soon")


def test_the_code_is_not_told_and_the_worker_says_when_it_is_over() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.await_input("pay", bool, title="Pay?", to=["user:alice"], deadline="10s")

    drive = Drive(flow)
    assert drive.machine.wake_at() == 11_000
    assert drive.tell(InputClaimed(2_000, "pay:0", BY, 5_000)) == []
    assert drive.machine.wake_at() == 5_000
    over = next(drive.machine.due(5_500))
    assert over == InputReleased(5_500, "pay:0", DecidedBy("timeout"), "expired")
    assert drive.tell(over) == []
    assert drive.machine.wake_at() == 11_000
    drive.tell(InputClaimed(6_000, "pay:0", BY, 11_000))
    assert isinstance(next(drive.machine.due(11_000)), InputExpired)
