"""Rates: who calls too often waits, and nobody else does."""

from __future__ import annotations

import pytest

from signoff import links
from signoff.clock import ManualClock
from signoff.errors import TooManyRequests
from signoff.server.access.rates import MOST, RateLimit
from signoff.server.app import FAILURES, FAILURES_AT_ONCE
from signoff.server.config import ServerConfig
from signoff.signing import Keyring
from tests.server.hosting import KEYED, SECRET, bearer, hosting, problem

TIGHT = ServerConfig(secret=SECRET, rate=0.001, burst=2)


def test_a_bucket_fills_again() -> None:
    clock = ManualClock(10**12)
    limit = RateLimit(2, 3, clock)
    for _ in range(3):
        limit.take("alice")
    with pytest.raises(TooManyRequests) as refused:
        limit.take("alice")
    assert refused.value.extra["retry_after"] == 1
    limit.take("bob")
    clock.advance(500)
    limit.take("alice")
    with pytest.raises(TooManyRequests):
        limit.take("alice")


def test_callers_are_not_remembered_for_ever() -> None:
    limit = RateLimit(1, 1, ManualClock(10**12))
    for number in range(3 * MOST):
        limit.take(str(number))
    assert len(limit._full_at) <= MOST


async def test_who_calls_too_often_is_told_when_to_call_again() -> None:
    async with hosting(config=TIGHT) as host:
        for _ in range(2):
            assert (await host.http.get("/v1/inputs", headers=bearer("alice"))).status_code == 200
        refused = await host.http.get("/v1/inputs", headers=bearer("alice", "run:read:mine"))
        problem(refused, 429, "too_many_requests")
        assert int(refused.headers["retry-after"]) > 1
        assert (await host.http.get("/v1/inputs", headers=bearer("bob"))).status_code == 200
        for _ in range(4):
            assert (await host.http.get("/v1/runs", headers=bearer("boss", "operator"))).status_code == 200
        assert [(await host.http.get("/v1/runs")).status_code for _ in range(3)] == [401, 401, 429]


async def test_tokens_that_are_not_valid_are_counted_by_address_and_shut_nobody_out() -> None:
    async with hosting(config=KEYED) as host:
        bad = {"authorization": "Bearer no"}
        statuses = [(await host.http.get("/v1/runs", headers=bad)).status_code for _ in range(3 * FAILURES_AT_ONCE)]
        assert set(statuses) == {401, 429}
        assert (await host.http.get("/v1/inputs", headers=bearer("alice"))).status_code == 200


def test_a_person_may_call_as_often_as_is_documented() -> None:
    clock, told = ManualClock(10**12), ServerConfig()
    limit, failures = RateLimit(told.rate, told.burst, clock), RateLimit(FAILURES, FAILURES_AT_ONCE, clock)
    for one, at_once, a_second in ((limit, 1_000, 100), (failures, 100, 10)):
        for times, seconds in ((at_once, 0), (a_second, 1), (5 * a_second, 5), (at_once, 60)):
            clock.advance(seconds * 1000)
            for _ in range(times):
                one.take("alice")
            with pytest.raises(TooManyRequests) as refused:
                one.take("alice")
            assert refused.value.extra["retry_after"] == 1


async def test_who_opens_a_link_too_often_is_told_when_to_open_it_again() -> None:
    async with hosting(config=TIGHT) as host:
        await host.ask("r1", to=("user:alice",))
        keys = Keyring((SECRET,))
        one, other = (links.PATH + links.make(keys, "r1", "approve:0", "user:alice").token for _ in range(2))
        for _ in range(2):
            assert (await host.http.get(one)).status_code == 200
        before = await host.everything()
        refused = await host.http.get(one)
        assert (refused.status_code, refused.headers["content-type"]) == (429, "text/html; charset=utf-8")
        assert int(refused.headers["retry-after"]) > 1
        assert "more often" in refused.text
        problem(await host.http.post(one, json={}), 429, "too_many_requests")
        assert await host.everything() == before
        assert (await host.http.get(other)).status_code == 200
        assert (await host.http.get("/v1/inputs", headers=bearer("alice"))).status_code == 200


async def test_links_that_are_none_are_counted_by_address_and_shut_nobody_out() -> None:
    async with hosting(config=KEYED) as host:
        await host.ask("r1", to=("user:alice",))
        good = links.PATH + links.make(Keyring((SECRET,)), "r1", "approve:0", "user:alice").token
        statuses = [(await host.http.get(f"{good}x")).status_code for _ in range(2 * FAILURES_AT_ONCE)]
        assert set(statuses) == {404, 429}
        assert (await host.http.get(good)).status_code == 200
