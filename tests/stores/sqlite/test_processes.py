"""Several processes share one file: they race, claim, wake each other, and die."""

from __future__ import annotations

import asyncio
import signal
import statistics
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from signoff.stores.open import open_store
from signoff.testing.store_contract.laws import advance, done, start, tails, text
from tests.service.streams.scene import opened
from tests.stores.blind import blind
from tests.stores.peer import whole
from tests.stores.processes import lines, peer


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/signoff.db"


async def test_claimers_in_several_processes_get_disjoint_runs(url: str) -> None:
    store = open_store(url)
    await store.open()
    await store.commit([start(f"r{n}", ready=True) for n in range(300)])
    await store.close()
    with peer("claim", url, "a") as one, peer("claim", url, "b") as two, peer("claim", url, "c") as three:
        taken = [" ".join(lines(process)).split() for process in (one, two, three)]
    assert sorted(run_id for ids in taken for run_id in ids) == sorted(f"r{n}" for n in range(300))


async def test_processes_that_race_for_a_tail_have_one_winner(url: str) -> None:
    async with opened(url) as store:
        await done(store, start("r1"))
    with peer("race", url, "200") as one, peer("race", url, "200") as two:
        won = sum(int(lines(process)[-1]) for process in (one, two))
    async with opened(url) as store:
        found = await tails(store, "runs/r1/journal", "inbox/user:a")
        journal = await text(store, "runs/r1/journal")
    assert 200 <= won <= 400
    assert found == {"runs/r1/journal": (won + 1, False), "inbox/user:a": (400, False)}
    assert journal.split(b",")[1:] == [b'{"n":%d}' % n for n in range(1, won + 1)]


async def test_a_commit_elsewhere_wakes_the_topics_concerned_within_100_ms(url: str) -> None:
    store = open_store(url)
    await store.open()
    await done(store, blind("a", b"1"), blind("b", b"1"))
    woken: list[str] = []
    heard = asyncio.Event()

    def hear(topic: str) -> None:
        woken.append(topic)
        heard.set()

    for watched in ("stream:a", "stream:b", "stream:new", "ready"):
        store.bus().subscribe(watched, partial(hear, watched))
    with peer("emit", url) as process:
        delays = []
        news: list[tuple[str, str | None]] = [
            ("append a", "stream:a"),
            ("append new", "stream:new"),
            ("start r1", "ready"),
            ("append elsewhere", None),
            *[("append b", "stream:b"), ("append a", "stream:a")] * 10,
        ]
        for command, topic in news:
            if topic == "ready":
                assert await store.next_due(["expense"]) is None
            woken.clear()
            heard.clear()
            delay = await _tell(process, command, heard if topic else None)
            if topic:
                delays.append(delay)
            if topic == "ready":
                await done(store, advance("r1", 1, queue=None))
            assert set(woken) <= {topic}, (command, woken)
    assert statistics.median(delays) < 0.1
    await store.close()


async def _tell(process: subprocess.Popen[str], command: str, heard: asyncio.Event | None) -> float:
    """Have the peer commit something; return the seconds from its commit to our wake-up."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(command + "\n")
    process.stdin.flush()
    durable = float(await asyncio.to_thread(process.stdout.readline))
    if heard is None:
        return 0.0
    async with asyncio.timeout(5):
        await heard.wait()
    return time.monotonic() - durable


@pytest.mark.parametrize("acknowledgements", [1, 40, 700, 1500])
async def test_kill_9_loses_nothing_acknowledged_and_leaves_nothing_half(url: str, acknowledgements: int) -> None:
    """Eight runs are written at once; the writer dies in the middle; the file opens and every run is whole."""
    with peer("load", url, "8") as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().split() for _ in range(acknowledgements)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [words for line in process.stdout if len(words := line.split()) == 2]
        assert process.wait(30) == -signal.SIGKILL

    store = open_store(url)
    await store.open()
    there = {run_id: await whole(store, run_id) for run_id in (f"r{n}" for n in range(8))}
    for run_id, number in acknowledged:
        assert int(number) < there[run_id]
    assert await tails(store, "workflows/expense") == {"workflows/expense": (sum(there.values()), False)}
    await done(store, blind("after", b"1"))
    await store.close()
