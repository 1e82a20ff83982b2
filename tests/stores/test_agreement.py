"""Both backends give the same outcomes and keep the same data, whatever is written in whatever company."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.stores.base import (
    Change,
    Committed,
    EngineAppend,
    InputRecord,
    LedgerEntry,
    Record,
    RecordDelete,
    RecordWrite,
    RunFilter,
    RunWrite,
    StreamDelete,
    WaitWrite,
    WorkflowStore,
)
from signoff.stores.open import open_store
from signoff.streams.stream import Fork, ProducerMark, Write
from signoff.testing.store_contract.laws import head, record

ENGINE = ("a", "b")
OURS = ("c", "d")
PATHS = ENGINE + OURS
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # agreement needs no disk
RUNS = ("r1", "r2")
small = st.integers(0, 3)
maybe = st.none() | small

runs = st.builds(
    lambda values, expect, epoch, release: RunWrite(record(**values), expect, epoch, release),
    st.fixed_dictionaries(
        {
            "run_id": st.sampled_from(RUNS),
            "status": st.sampled_from(["running", "waiting", "completed", "failed"]),
            "journal_tail": small,
            "ready": st.booleans(),
            "wake_at": maybe,
            "tags": st.sampled_from([(), ("x",), ("x", "y")]),
        }
    ),
    maybe,
    st.none() | st.none() | small,
    st.booleans(),
)
appends = st.builds(
    lambda path, count, at, close: EngineAppend(path, b",".join([b"1"] * count), count, at, close),
    st.sampled_from(ENGINE),
    small,
    maybe,
    st.sampled_from([False, False, True]),
)
inputs = st.builds(
    lambda run_id, key, status, audience: InputRecord(run_id, key, status, audience, 1, None, b"{}"),
    st.sampled_from(RUNS),
    st.sampled_from(["z:0", "a:0"]),
    st.sampled_from(["pending", "answered"]),
    st.sampled_from([(), ("p",), ("q", "p"), ("p", "p")]),
)
ledger = st.builds(
    lambda run_id, name: LedgerEntry(run_id, "answer", name, "d", b"{}"), st.sampled_from(RUNS), st.sampled_from("12")
)
waits = st.builds(
    WaitWrite, st.sampled_from(RUNS), st.sampled_from("12"), st.just("t"), st.none() | st.just("k"), st.booleans()
)
streams = st.builds(
    lambda path, expect, producer, fork, deleted: Write(
        head(path, version=expect + 1, tail=expect // 2, fork=fork, refs=expect, deleted=deleted),
        expect,
        0,
        b"1",
        ProducerMark("p", 0, expect) if producer else None,
    ),
    st.sampled_from(OURS),
    small,
    st.booleans(),
    st.sampled_from([None, None, Fork("a", "i", 0), Fork("c", "i", 1, 2)]),
    st.booleans(),
) | st.builds(StreamDelete, st.sampled_from(OURS), small)
records = st.builds(
    lambda name, expect, due, state: RecordWrite(Record("k", name, expect + 1, state, due), expect),
    st.sampled_from("12"),
    small,
    maybe,
    st.binary(max_size=2),
) | st.builds(RecordDelete, st.just("k"), st.sampled_from("12"), small)


def few(elements: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(elements, max_size=most).map(tuple)


changes = st.builds(
    Change,
    run=st.none() | runs,
    appends=few(appends),
    inputs=few(inputs, 1),
    ledger=few(ledger, 1),
    waits=few(waits, 1),
    streams=few(streams, 1),
    rows=st.just(()),
    records=few(records),
)
leases = st.tuples(st.sampled_from(["claim", "renew", "release"]), small)
script = st.lists(st.lists(changes, max_size=6) | leases, max_size=12)


async def play(store: WorkflowStore, script: list[Any]) -> list[Any]:
    """Do what the script says and return everything that can be seen of it."""
    seen: list[Any] = []
    await store.open()
    for step in script:
        match step:
            case ("claim", now):
                seen.append({run.run_id: run for run in await store.claim("w", now=now, lease_ms=2, limit=9)})
            case ("renew", until):
                seen.append(await store.renew("w", dict.fromkeys(RUNS, until), until=until))
            case ("release", epoch):
                await store.release("w", dict.fromkeys(RUNS, epoch))
            case _:
                seen += [one.batches if isinstance(one, Committed) else one for one in await store.commit(step)]
    for run_id in RUNS:
        seen.append(await store.load_run(run_id, inputs="all"))
        seen.append(await store.load_run(run_id, inputs="pending"))
    for path in PATHS:
        state, found = await store.load_stream(path, "p"), await store.read(path, 0, 1 << 20)
        if state is not None and found is not None:
            same = state.head.changed(incarnation="-")  # engine streams get random ones
            seen += [replace(state, head=same), list(found[1]), found[0] == state.head]
    seen += [await store.list_records("k", limit=9), await store.due_records("k", now=2, limit=9)]
    seen += [await store.next_record_due("k"), [one.path for one in await store.list_streams("", limit=9)]]
    seen += [await store.waiting_on("t", "k"), await store.next_due(), await store.tails(PATHS)]
    for statuses in ((), ("running",), ("running", "completed")):
        seen.append((await store.list_runs(RunFilter(statuses=statuses), limit=9)).items)
        seen.append((await store.list_runs(RunFilter(statuses=statuses, tags=("x",)), limit=9)).items)
        seen.append((await store.list_inputs(audience=["p"], status=None, limit=9)).items)
        seen.append((await store.list_inputs(audience=None, status="pending", limit=9)).items)
    await store.close()
    return seen


@settings(max_examples=150, deadline=None)
@given(script)
async def test_memory_and_sqlite_agree(script: list[Any]) -> None:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        durable = await play(open_store(f"sqlite:///{folder}/f.db"), script)
    assert durable == await play(open_store("memory:"), script)
