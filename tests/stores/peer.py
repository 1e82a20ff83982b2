"""Another process on the same file: `python -m tests.stores.peer ROLE URL …`; what it did goes to its output."""

from __future__ import annotations

import asyncio
import sys
import time

from signoff.service.commit import GroupCommitter
from signoff.stores.base import PartsWanted, WorkflowStore
from signoff.stores.change import Change, Committed, Name, Part, Post, StreamDelete
from signoff.stores.open import open_store
from signoff.testing.store_contract.laws import (
    advance,
    change,
    done,
    family,
    own,
    record,
    run,
    start,
    tails,
    text,
)
from signoff.testing.store_contract.laws import load as load_run
from tests.stores.blind import blind


def say(*words: object) -> None:
    print(*words, flush=True)


async def claim(store: WorkflowStore, owner: str) -> None:
    """Claim run after run until there is none; tell which."""
    while taken := await store.claim(owner, ["expense"], now=0, lease_ms=1000, limit=3):
        say(*(one.name.id for one in taken))


async def race(store: WorkflowStore, rounds: int) -> None:
    """Try to be the one who advances the run from each tail, and append blindly besides; tell how often we were."""
    won = 0
    for _ in range(rounds):
        [outcome] = await store.commit([advance("r1", (await record(store)).version)])
        won += isinstance(outcome, Committed)
        await done(store, blind("inbox/user:a", b"1"))
    say(won)


async def emit(store: WorkflowStore) -> None:
    """Commit what each line asks for, and tell when it was durable."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        match line.split():
            case ["append", path]:
                await done(store, blind(path, b"1"))
            case ["start", run_id]:
                await done(store, start(run_id, ready=True))
        say(time.monotonic())


async def load(store: WorkflowStore, writers: int) -> None:
    """Write as fast as possible, acknowledging every Change: run, number."""
    committer = GroupCommitter(store)

    async def write(run_id: str) -> None:
        for number in range(1_000_000):
            assert isinstance(await committer.commit(marked(run_id, number)), Committed)
            say(run_id, number)

    await asyncio.gather(*(write(f"r{n}") for n in range(writers)))


async def purge(store: WorkflowStore, version: int) -> None:
    """Delete the stream `s` and drop piece after piece of it; tell of each."""
    await done(store, family(StreamDelete("s", version)))
    while await store.purge():
        say("piece")
        await asyncio.sleep(0.05)


def marked(run_id: str, number: int) -> Change:
    """Make the `number`-th Change of a run, with its number in every part of it."""
    mark = b'{"n":%d}' % number
    return change(
        run(run_id, version=number + 1, state=mark),
        number,
        Post("workflows/expense", mark, 1),
        appends=(own(f"runs/{run_id}/journal", mark), own(f"runs/{run_id}", mark)),
        parts=(Part("answer", str(number), mark),),
    )


async def whole(store: WorkflowStore, run_id: str) -> int:
    """Check that all parts of a run tell of the same last Change; return how many Changes it has."""
    loaded = await load_run(store, run_id)
    if loaded is None:
        assert await tails(store, f"runs/{run_id}", f"runs/{run_id}/journal") == {}
        return 0
    tail = loaded.subject.version
    marks = b",".join(b'{"n":%d}' % number for number in range(tail))
    assert await text(store, f"runs/{run_id}/journal") == await text(store, f"runs/{run_id}") == marks
    assert loaded.subject.tail(f"runs/{run_id}") == loaded.subject.tail(f"runs/{run_id}/journal") == tail
    assert loaded.subject.state == b'{"n":%d}' % (tail - 1)
    for number, there in ((tail - 1, True), (tail, False)):
        found = await store.load(Name("run", run_id), PartsWanted("answer", str(number)))
        assert found is not None
        assert bool(found.parts) == there
    return tail


async def main(role: str, url: str, *args: str) -> None:
    store = open_store(url)
    await store.open()
    say("open")
    match role, args:
        case "claim", [owner]:
            await claim(store, owner)
        case "race", [rounds]:
            await race(store, int(rounds))
        case "emit", []:
            await emit(store)
        case "load", [writers]:
            await load(store, int(writers))
        case "purge", [version]:
            await purge(store, int(version))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
