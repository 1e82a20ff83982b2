"""How much one subscription may follow, and say at a time: with limits set low."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from signoff.server.config import ServerConfig
from signoff.streams.subscriptions.limits import SubscriptionLimits
from tests.server.subscriptions.scene import Receiver, Site, receiving, refusal, site, until

LOW = ServerConfig(subscriptions=SubscriptionLimits(followed=3, listed=2, named=2))


def hook(receiver: Receiver, **more: Any) -> dict[str, Any]:
    return {"type": "webhook", "webhook": {"url": receiver.url}, **more}


async def followed(s: Site) -> list[str]:
    """Return all that `jobs` follows, page by page."""
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await s.web.get("__ds/subscriptions/jobs", params={"after": after})).json()
        assert len(page["streams"]) <= 2
        found += [one["path"] for one in page["streams"]]
        after = page["streams_after"]
    assert len(found) == page["streams_count"]
    return found


async def left_out(s: Site) -> bool:
    return bool((await s.get("jobs"))["streams_left_out"])


async def test_what_a_pattern_matches_beyond_the_limit_is_left_out_and_that_is_said(store: str) -> None:
    async with receiving() as receiver, site(store, LOW) as s:
        await s.stream("e/1", 1)
        await s.put("jobs", **hook(receiver, pattern="e/*", streams=["x"]))
        await s.stream("e/2", 1)
        assert (await receiver.got(1)).body["streams"][0]["path"] == "e/2"
        assert not await left_out(s)
        await s.stream("e/3", 1)
        await until(lambda: left_out(s))
        await s.stream("e/4", 1)
        await s.stream("e/2", 2)
        await receiver.got(2)
        assert await followed(s) == ["e/1", "e/2", "x"]
        await s.subscriptions.step()
        assert await followed(s) == ["e/1", "e/2", "x"]
        assert (await s.get("jobs"))["status"] == "active"

        await s.web.delete("e/1")  # room for one more
        await until(lambda: _follows(s, ["e/2", "e/3", "x"]))
        assert await left_out(s)
        await s.web.delete("e/4")
        await until(lambda: _all_in(s))


async def _follows(s: Site, paths: list[str]) -> bool:
    await s.subscriptions.step()
    return await followed(s) == paths


async def _all_in(s: Site) -> bool:
    await s.subscriptions.step()
    return not await left_out(s)


async def test_a_new_subscription_follows_as_many_as_it_may(store: str, caplog: pytest.LogCaptureFixture) -> None:
    async with receiving() as receiver, site(store, LOW) as s:
        for number in range(5):
            await s.stream(f"e/{number}", 1)
        made = await s.put("jobs", **hook(receiver, pattern="e/*", streams=["e/4"]))
        assert (made["streams_count"], made["streams_left_out"], made["streams_after"]) == (3, True, "e/1")
        told = [record.getMessage() for record in caplog.records if "leaves out" in record.getMessage()]
        assert told == ["subscription jobs follows 3 streams, as many as it may; it leaves out others that match e/*"]
        assert await followed(s) == ["e/0", "e/1", "e/4"]
        await s.stream("e/3", 2)
        await s.stream("e/4", 2)
        call = await receiver.got()
        assert [one["path"] for one in call.body["streams"] if one["has_pending"]] == ["e/4"]
        assert len(call.body["streams"]) == 2
        assert len(receiver.calls) == 1


async def test_naming_more_than_the_limit_is_refused_and_changes_nothing(store: str) -> None:
    low = ServerConfig(subscriptions=SubscriptionLimits(followed=2, named=3))
    async with receiving() as receiver, site(store, low) as s:
        three = ["a", "b", "c"]
        reply = await s.web.put("__ds/subscriptions/jobs", json=hook(receiver, streams=three))
        assert "2 are allowed" in refusal(reply, 400, "INVALID_REQUEST")["message"]
        refusal(await s.web.get("__ds/subscriptions/jobs"), 404, "SUBSCRIPTION_NOT_FOUND")
        await s.put("jobs", **hook(receiver, streams=["a", "b"]))
        refusal(await s.post("jobs/streams", streams=["a", "c"]), 400, "INVALID_REQUEST")
        assert await s.cursors("jobs") == {"a": 0, "b": 0}
        assert (await s.post("jobs/streams", streams=["b", "a"])).status_code == 204
        assert (await s.web.delete("__ds/subscriptions/jobs/streams/a")).status_code == 204
        assert (await s.post("jobs/streams", streams=["c"])).status_code == 204
        refusal(await s.post("jobs/streams", streams=[*three, "d"]), 400, "INVALID_REQUEST")
        refusal(await s.web.get("__ds/subscriptions/jobs?before=a"), 400, "INVALID_REQUEST")


async def test_a_wake_tells_of_so_many_and_the_next_one_of_the_rest(store: str) -> None:
    """Of more streams than a wake looks at, too: what it does not look at is looked at when it ends."""

    config = ServerConfig(subscriptions=SubscriptionLimits(listed=2))
    async with receiving(hold=asyncio.Event()) as receiver, site(store, config) as s:
        assert receiver.hold is not None
        names = [f"e/{number}" for number in range(7)]
        await s.put("jobs", **hook(receiver, pattern="e/*", streams=["a", "b", "c"]))
        for name in names:
            await s.stream(name, 1)
        await receiver.got()
        receiver.hold.set()
        await until(lambda: _all_acked(s, 7))
        told = [one["path"] for call in receiver.calls for one in call.body["streams"] if one["has_pending"]]
        assert sorted(told) == names
        assert all(len(call.body["streams"]) <= 2 for call in receiver.calls)


async def _all_acked(s: Site, count: int) -> bool:
    links = s.subscriptions._records.known["jobs"].links
    return sum(link.acked for link in links.values()) == count


async def test_a_big_subscription_is_claimed_acked_and_taken_back(store: str) -> None:
    """With more streams than are looked up for a single append."""

    config = ServerConfig(subscriptions=SubscriptionLimits(listed=1))
    async with site(store, config) as s:
        await s.stream("wake")
        await s.put("jobs", type="pull-wake", streams=["a", "b", "c"], pattern="e/*", wake_stream="wake")
        await s.stream("e/1", 1)
        await s.stream("e/2", 1)
        generations = []
        for _ in range(2):
            claimed = await _claim(s)
            generations.append(claimed["generation"])
            [one] = claimed["streams"]
            said = {"wake_id": claimed["wake_id"], "generation": claimed["generation"]}
            ack = {"stream": one["path"], "offset": one["tail_offset"]}
            reply = await s.post("jobs/ack", claimed["token"], **said, acks=[ack])
            assert reply.json() == {"ok": True, "next_wake": False}
            reply = await s.post("jobs/ack", claimed["token"], **said, done=True)
            assert reply.json()["ok"]
        assert generations == [1, 2]
        refusal(await s.post("jobs/claim", worker="w"), 409, "NO_PENDING_WORK")

        await s.stream("e/2", 2)
        await until(lambda: _waits(s))
        await s.web.delete("e/2")
        await until(lambda: _idle(s))


async def _claim(s: Site) -> dict[str, Any]:
    claimed: dict[str, Any] = (await s.post("jobs/claim", worker="w")).json()
    return claimed


async def _waits(s: Site) -> bool:
    wake = s.subscriptions._records.known["jobs"].wake
    return wake is not None and wake.until is None


async def _idle(s: Site) -> bool:
    return s.subscriptions._records.known["jobs"].wake is None
