"""Calls that nobody can stop hold up their own name alone, and what one did after all is not done again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from signoff.service.notify import threads as module
from signoff.service.notify.threads import CallThreads
from tests.service.notify.test_notifier import until


async def left(threads: CallThreads, name: str, go: threading.Event, why: str | None = None) -> None:
    """Call what waits for `go`, and wait for it no longer."""
    begun = threading.Event()

    def call() -> str | None:
        begun.set()
        go.wait(30)
        return why

    task = asyncio.ensure_future(threads.call(name, "evt_1", call))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_succeeds_late_is_not_done_again_and_what_fails_late_is() -> None:
    threads, go, done = CallThreads("test"), threading.Event(), []

    def call() -> None:
        done.append(1)

    await left(threads, "a", go)
    await left(threads, "b", go, "no")
    assert await threads.call("a", "evt_1", call) == "an earlier call for this request has not returned yet"
    assert await threads.call("c", "evt_1", call) is None
    go.set()
    await until(lambda: free(threads, "a", call))
    await until(lambda: free(threads, "b", call))
    assert len(done) == 2
    assert await threads.call("a", "evt_2", call) is None
    assert len(done) == 3


async def free(threads: CallThreads, name: str, call: Callable[[], None]) -> bool:
    return await threads.call(name, "evt_1", call) is None


async def test_what_is_raised_is_raised_and_so_many_hang_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_HANGING", 1)
    threads, go = CallThreads("test"), threading.Event()

    def fail() -> None:
        raise ValueError("away")

    with pytest.raises(ValueError, match="away"):
        await threads.call("a", "evt_1", fail)
    await left(threads, "a", go)
    assert await threads.call("b", "evt_1", fail) == "1 calls have not returned yet"
    go.set()
