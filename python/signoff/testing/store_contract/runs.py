"""Laws of runs: what is kept of them, in which order, and who waits for what."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from signoff.stores.base import Change, InputRecord, LedgerEntry, LedgerKey, RunState, WaitWrite, WorkflowStore
from signoff.testing.store_contract.laws import Laws, advance, blind, commit, done, record, start, text

AWKWARD: tuple[Any, ...] = (
    [],
    {},
    None,
    "",
    0,
    2**53 + 1,
    -(2**63),
    10**40,
    0.1,
    "\U0001f642 é שלום",
    "\x00",
    [[], {}],
    {"": [None]},
)
"""Values that lose something in careless hands."""


def asked(key: str, run_id: str = "r1", status: str = "pending") -> InputRecord:
    """Make the index entry of a request."""
    return InputRecord(run_id, key, status, ("group:finance",), 7, None, b'{"key":"%s"}' % key.encode())


class RunLaws(Laws):
    """Hold what is true of every run's index."""

    def test_one_look_brings_what_was_asked_for(self, tmp_path: Path) -> None:
        """Inputs by key, the pending ones or all; a ledger entry or none."""
        inputs = (asked("z:0"), asked("a:0", status="answered"), asked("m:0", status="validating"))
        entry = LedgerEntry("r1", "answer", "s1", "d1", b'{"n":1}')

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1")._replace(inputs=inputs, ledger=(entry,)), start("r2"))
            run = record("r1")
            assert await store.load_run("r1") == RunState(run)
            assert await store.load_run("r1", inputs="all") == RunState(run, inputs)
            assert await store.load_run("r1", inputs="pending") == RunState(run, (inputs[0], inputs[2]))
            assert await store.load_run("r1", inputs="a:0") == RunState(run, (inputs[1],))
            assert await store.load_run("r1", inputs="b:0") == RunState(run)
            key = LedgerKey("answer", "s1")
            assert await store.load_run("r1", inputs="z:0", ledger=key) == RunState(run, (inputs[0],), entry)
            assert await store.load_run("r1", ledger=LedgerKey("answer", "s2")) == RunState(run)
            assert await store.load_run("r2", inputs="all", ledger=key) == RunState(record("r2"))
            assert await store.load_run("absent", inputs="all", ledger=key) is None

        self.hold(tmp_path, scenario)

    def test_order_is_of_events_never_of_names(self, tmp_path: Path) -> None:
        """Entry #2 stays before #10, z before a: in journals and among a run's requests."""
        keys = ["z:0", "a:0", *(f"loop:{n}" for n in range(12)), "Z:0"]

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"))
            for key in keys:
                await done(store, Change(inputs=(asked(key),)), blind("runs/r1/journal", json.dumps(key).encode()))
            await done(store, Change(inputs=(asked("a:0"),)))  # a later write does not move it
            state = await store.load_run("r1", inputs="all")
            assert state is not None
            assert [one.key for one in state.inputs] == keys
            assert json.loads(b"[%s]" % await text(store, "runs/r1/journal", 0))[1:] == keys

        self.hold(tmp_path, scenario)

    def test_awkward_values_survive(self, tmp_path: Path) -> None:
        """What went in as JSON comes out byte by byte: `[]` is not `{}`, and 2^53+1 is not 2^53."""

        async def scenario(store: WorkflowStore) -> None:
            for number, value in enumerate(AWKWARD):
                data = json.dumps(value, ensure_ascii=bool(number % 2)).encode()
                run_id = f"r{number}"
                change = start(run_id, state=data)._replace(
                    inputs=(replace(asked("a:0", run_id), state=data),),
                    ledger=(LedgerEntry(run_id, "answer", "", "", data),),
                )
                await done(store, change, blind(f"s{number}", data))
                state = await store.load_run(run_id, inputs="a:0", ledger=LedgerKey("answer", ""))
                assert state is not None
                assert state.ledger is not None
                assert state.record.state == state.inputs[0].state == state.ledger.outcome == data
                assert await text(store, f"s{number}") == data

        self.hold(tmp_path, scenario)

    def test_empty_and_unicode_names_survive(self, tmp_path: Path) -> None:
        """Text is text: empty, right-to-left, astral, or looking like something else."""
        names = ["", " ", "NULL", "0", "1e3", "א", "é", "e\u0301", "🙂", "a'b\"c;--", "%_*"]

        async def scenario(store: WorkflowStore) -> None:
            for name in names:
                run = start(name, workflow=name, tags=(name,), state=b"")
                await done(store, run._replace(inputs=(replace(asked(name, name), audience=(name,)),)))
            for name in names:
                state = await store.load_run(name, inputs="all")
                assert state is not None
                assert state.record == record(name, workflow=name, tags=(name,), state=b"")
                assert [(one.key, one.audience) for one in state.inputs] == [(name, (name,))]

        self.hold(tmp_path, scenario)

    def test_a_record_is_replaced_but_for_its_lease(self, tmp_path: Path) -> None:
        """Leases change by claim, renew and release alone, whatever a written record says of them."""

        async def scenario(store: WorkflowStore) -> None:
            change = start("r1", ready=True, epoch=5, lease_owner="me", lease_until=99)
            await done(store, change)
            loaded = await store.load_run("r1")
            assert loaded == RunState(record("r1", ready=True))
            [claimed] = await store.claim("w1", now=0, lease_ms=10, limit=1)
            await done(store, advance("r1", 1, status="waiting", wake_at=50, tags=("t",), state=b"[1]"))
            loaded = await store.load_run("r1")
            assert loaded is not None
            written = record("r1", journal_tail=2, public_tail=2, updated_at=1_001, status="waiting", wake_at=50)
            assert loaded.record == replace(
                written, tags=("t",), state=b"[1]", epoch=claimed.epoch, lease_owner="w1", lease_until=10
            )

        self.hold(tmp_path, scenario)

    def test_a_request_is_replaced_by_key(self, tmp_path: Path) -> None:
        """Its status, audience, deadline and state change; when it was asked does not."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1")._replace(inputs=(asked("a:0"),)))
            new = replace(
                asked("a:0", status="answered"), audience=("user:bo",), deadline=99, state=b"{}", created_at=8
            )
            await done(store, Change(inputs=(new,)))
            state = await store.load_run("r1", inputs="all")
            assert state is not None
            assert state.inputs == (replace(new, created_at=7),)

        self.hold(tmp_path, scenario)

    def test_waits_are_found_by_topic_and_key(self, tmp_path: Path) -> None:
        """Those with this key or with none, in the order they began to wait, each run once."""

        async def scenario(store: WorkflowStore) -> None:
            for wait in (
                WaitWrite("z", "w:0", "paid", "k1"),
                WaitWrite("a", "w:0", "paid", None),
                WaitWrite("m", "w:0", "paid", "k2"),
                WaitWrite("z", "w:1", "paid", None),
                WaitWrite("e", "w:0", "paid", ""),
                WaitWrite("o", "w:0", "other", "k1"),
            ):
                await done(store, Change(waits=(wait,)))
            assert await store.waiting_on("paid", "k1") == ["z", "a"]
            assert await store.waiting_on("paid", "k2") == ["a", "m", "z"]
            assert await store.waiting_on("paid", "") == ["a", "z", "e"]
            assert await store.waiting_on("paid", None) == ["a", "z"]
            assert await store.waiting_on("absent", None) == []
            gone = Change(
                waits=(WaitWrite("a", "w:0", "paid", None, remove=True), WaitWrite("x", "w:9", "p", remove=True))
            )
            assert await commit(store, gone)
            assert await store.waiting_on("paid", "k1") == ["z"]

        self.hold(tmp_path, scenario)
