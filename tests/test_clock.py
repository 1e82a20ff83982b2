"""Clocks: what waits for one is called when it comes there, and a clock that jumps knows when it may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from signoff.clock import JumpingClock, ManualClock, SystemClock, sleep


def noting(told: list[str], clock: ManualClock, name: str) -> Callable[[], None]:
    return lambda: told.append(f"{name}@{clock.now_ms()}")


async def turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_waits_is_called_in_order_and_what_is_cancelled_is_not() -> None:
    clock, told = ManualClock(1_000), list[str]()
    for name, delay in (("c", 3.0), ("a", 1.0), ("b", 1.0), ("late", 9.0)):
        clock.call_later(delay, noting(told, clock, name))
    clock.call_later(2.0, noting(told, clock, "never")).cancel()
    clock.call_later(0.0, noting(told, clock, "now"))
    assert clock.waiting == 4
    await turns()
    assert told == ["now@1000"]
    clock.advance(999)
    await turns()
    assert told == ["now@1000"]
    clock.advance(2_001)
    await turns()
    assert told == ["now@1000", "a@4000", "b@4000", "c@4000"]
    assert clock.waiting == 1


async def test_who_sleeps_wakes_when_the_clock_is_there_and_leaves_nothing_behind() -> None:
    clock = ManualClock()
    asleep = asyncio.create_task(sleep(clock, 60))
    given_up = asyncio.create_task(sleep(clock, 60))
    await turns()
    given_up.cancel()
    await turns()
    assert (clock.waiting, asleep.done()) == (1, False)
    clock.advance(60_000)
    await asleep
    assert clock.waiting == 0


async def test_the_system_s_clock_waits_for_real() -> None:
    clock = SystemClock()
    before = clock.now_ms()
    await sleep(clock, 0.02)
    assert clock.now_ms() - before >= 19
    clock.hold()()


def test_a_clock_survives_the_loop_that_waited_for_it() -> None:
    clock = JumpingClock(0, quiet_s=0.001)

    async def leaves() -> None:
        clock.call_later(5, lambda: None)

    async def waits() -> int:
        await sleep(clock, 10)
        return clock.now_ms()

    asyncio.run(leaves())
    assert asyncio.run(waits()) == 10_000


async def test_it_jumps_from_one_to_the_next() -> None:
    clock, told = JumpingClock(0, quiet_s=0.001), list[int]()

    async def naps(count: int, seconds: float) -> None:
        for _ in range(count):
            await sleep(clock, seconds)
            told.append(clock.now_ms())

    async with asyncio.timeout(10):
        await asyncio.gather(naps(3, 86_400), naps(2, 100_000.0005))
    assert told == [86_400_000, 100_000_001, 172_800_000, 200_000_002, 259_200_000]


async def test_it_does_not_stop_at_polls_and_calls_each_once_on_its_way() -> None:
    clock, polls = JumpingClock(0, quiet_s=0.001), list[int]()

    async def polling() -> None:
        while True:
            await sleep(clock, 1, idle=True)
            polls.append(clock.now_ms())

    poller = asyncio.create_task(polling())
    async with asyncio.timeout(10):
        await sleep(clock, 30 * 86_400)
        await turns()
    poller.cancel()
    assert polls == [30 * 86_400_000]


async def test_it_stands_still_while_anybody_holds_it_and_without_anything_to_jump_to() -> None:
    clock = JumpingClock(0, quiet_s=0.001)
    asleep = asyncio.create_task(sleep(clock, 60))
    first, second = clock.hold(), clock.hold()
    with clock.stopped():
        await asyncio.sleep(0.02)
    first()
    first()  # letting go twice is letting go once
    await asyncio.sleep(0.02)
    assert clock.now_ms() == 0
    second()
    async with asyncio.timeout(10):
        await asleep
    assert clock.now_ms() == 60_000
    clock.call_later(1, lambda: None, idle=True)
    await asyncio.sleep(0.02)
    assert clock.now_ms() == 60_000
