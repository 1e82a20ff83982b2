"""Laws of the bus: it wakes the subscribers of a topic and no others, on their own loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from signoff.stores.base import WorkflowStore
from signoff.testing.store_contract.laws import Laws


class WakeLaws(Laws):
    """What is true of wake-ups."""

    def test_emit_wakes_the_topic_and_no_other(self, tmp_path: Path) -> None:
        """Every subscriber of it, until closed."""

        async def scenario(store: WorkflowStore) -> None:
            woken: list[str] = []
            bus = store.bus()
            both = [bus.subscribe("stream:a", partial(woken.append, f"a{n}")) for n in range(2)]
            other = bus.subscribe("stream:b", lambda: woken.append("b"))
            bus.emit(["stream:a", "stream:nobody"])
            await _until(lambda: len(woken) >= 2)
            assert sorted(woken) == ["a0", "a1"]
            both[0].close()
            both[0].close()
            bus.emit(["stream:a", "stream:b"])
            await _until(lambda: len(woken) >= 4)
            assert sorted(woken[2:]) == ["a1", "b"]
            both[1].close()
            other.close()
            last = bus.subscribe("ready", lambda: woken.append("ready"))
            bus.emit(["stream:a", "stream:b", "ready"])
            await _until(lambda: len(woken) >= 5)
            assert woken[4:] == ["ready"]
            last.close()

        self.hold(tmp_path, scenario)

    def test_a_closed_interest_is_not_woken_any_more(self, tmp_path: Path) -> None:
        """Not even by what was emitted just before."""

        async def scenario(store: WorkflowStore) -> None:
            woken: list[str] = []
            bus = store.bus()
            gone = bus.subscribe("ready", lambda: woken.append("gone"))
            stays = bus.subscribe("ready", lambda: woken.append("stays"))
            bus.emit(["ready"])
            gone.close()
            await _until(lambda: bool(woken))
            assert woken == ["stays"]
            stays.close()

        self.hold(tmp_path, scenario)

    def test_subscribers_are_woken_on_their_own_loop(self, tmp_path: Path) -> None:
        """A bus is one for the whole process; a loop that has ended harms nobody."""

        async def scenario(store: WorkflowStore) -> None:
            bus = store.bus()
            listening, heard = threading.Event(), []

            async def listen() -> None:
                arrived = asyncio.Event()

                def wake() -> None:
                    heard.append(threading.current_thread().name)
                    arrived.set()

                bus.subscribe("ready", wake)  # left open, as by a task that died
                listening.set()
                await arrived.wait()

            thread = threading.Thread(target=asyncio.run, args=(listen(),), name="elsewhere")
            thread.start()
            await asyncio.to_thread(listening.wait)
            bus.emit(["ready"])
            await asyncio.to_thread(thread.join)
            assert heard == ["elsewhere"]
            bus.emit(["ready"])
            assert heard == ["elsewhere"]

        self.hold(tmp_path, scenario)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110  the condition is on what plain callbacks leave behind
            await asyncio.sleep(0)
