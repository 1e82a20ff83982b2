"""Revocations: what holds, where it is known, and when it goes."""

from __future__ import annotations

import asyncio

from signoff.clock import ManualClock
from signoff.service.kinds import Kind
from signoff.service.revocations import EVERY_S
from signoff.stores.base import Listing
from tests.service.test_workers import engine_at

NOW_MS = 1_000_000_000


async def test_what_is_revoked_is_known_at_once_and_to_other_processes_after_a_look(shared_url: str) -> None:
    clock = ManualClock(NOW_MS)
    async with engine_at(shared_url, clock) as one, engine_at(shared_url, clock) as two:
        told: list[str] = []
        two.revocations.on_revoked(lambda: told.append("two"))
        await one.revocations.revoke("link:l1", None)
        assert one.revocations.revoked("link:l1", None)
        assert not one.revocations.revoked("link:l2", None)
        async with asyncio.timeout(10):
            while not two.revocations.revoked("link:l1", 5.0):
                clock.advance(int(EVERY_S * 1000))
                await asyncio.sleep(0.01)
        assert told == ["two"]
    async with engine_at(shared_url, clock) as three:
        assert three.revocations.revoked("link:l1", None)


async def test_what_was_issued_after_a_revocation_is_good(shared_url: str) -> None:
    async with engine_at(shared_url, ManualClock(NOW_MS)) as engine:
        await engine.revocations.revoke("sub:alice", None, before=500)
        held = engine.revocations
        assert [held.revoked("sub:alice", at) for at in (499.0, 500.0, 500.1, None)] == [True, True, False, True]


async def test_of_two_revocations_the_one_that_takes_more_holds(shared_url: str) -> None:
    async with engine_at(shared_url, ManualClock(NOW_MS)) as engine:
        await engine.revocations.revoke("sub:alice", 2_000_000, before=700)
        await engine.revocations.revoke("sub:alice", None, before=500)
        assert engine.revocations.revoked("sub:alice", 700)
        await engine.revocations.revoke("sub:alice", 1, before=None)
        assert engine.revocations.revoked("sub:alice", 9_999_999)
        (record,) = (await engine.store.list_subjects(Listing(Kind.REVOCATION), limit=9)).items
        assert record.wake_at is None


async def test_what_has_ended_by_itself_is_forgotten(shared_url: str) -> None:
    clock = ManualClock(NOW_MS)
    async with engine_at(shared_url, clock) as engine:
        await engine.revocations.revoke("jti:short", NOW_MS / 1000 + 60)
        await engine.revocations.revoke("jti:long", None)
        clock.advance(61_000)
        assert await engine.revocations.forget() == 1
        kept = (await engine.store.list_subjects(Listing(Kind.REVOCATION), limit=9)).items
        assert [record.name.id for record in kept] == ["jti:long"]
        assert engine.revocations.revoked("jti:long", None)
        assert not engine.revocations.revoked("jti:short", None)
