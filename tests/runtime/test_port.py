"""The laws of the port between a worker and the engine, on every store; whoever offers the port keeps them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from signoff.clock import ManualClock
from signoff.errors import ProducerFenced, StoreUnavailable, StreamConflict
from signoff.runtime.local import LocalRunPort
from signoff.runtime.port import (
    Appended,
    AppendOutcome,
    BlockReason,
    ClaimedRun,
    JournalAppend,
    LostLease,
    LostRace,
    NotTaken,
    OutputAppend,
    Parking,
    RunLease,
    RunPort,
)
from signoff.service.engine import Engine
from signoff.service.kinds import forget_record
from signoff.stores.open import open_store
from signoff.workflow import codec
from signoff.workflow.entry import DecidedBy, Entry, Error
from signoff.workflow.event.entries import EventReceived
from signoff.workflow.run.cut import effective, holds_cut
from signoff.workflow.run.entries import RunBlocked, RunCompleted, RunStarted
from signoff.workflow.step.entries import StepCompleted, StepScheduled
from signoff.workflow.step.output import OutputSession

NOON = 1_800_000_000_000
LEASE_MS = 10_000
BROKEN = Error("non_determinism", "the code asks for something else")


def scheduled(n: int) -> StepScheduled:
    return StepScheduled(NOON, f"work:{n}", None, expose=False)


def completed(n: int) -> StepCompleted:
    return StepCompleted(NOON, f"work:{n}", 1, codec.encode(n))


def appended(port: RunPort, request: JournalAppend) -> asyncio.Future[AppendOutcome]:
    """Append; the future ends as the reply says."""
    future: asyncio.Future[AppendOutcome] = asyncio.get_running_loop().create_future()

    def reply(outcome: AppendOutcome | Exception) -> None:
        assert not future.done(), "there is one reply"
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    port.append(request, reply)
    assert not future.done(), "no reply comes before the call returns"
    return future


def finished() -> RunCompleted:
    return RunCompleted(NOON, codec.encode("done"), expose=True)


@dataclass
class Bench:
    """A port, and the engine behind it for what outsiders do."""

    port: RunPort
    engine: Engine
    clock: ManualClock

    async def start(self, run_id: str = "r1", **options: Any) -> str:
        return str((await self.engine.runs.start("flow", None, run_id=run_id, **options)).run["id"])

    async def claim(self, owner: str = "w1", *, limit: int = 9, port: RunPort | None = None) -> list[ClaimedRun]:
        return list(await (port or self.port).claim(owner, ["flow"], lease_ms=LEASE_MS, limit=limit))

    async def claimed(self, owner: str = "w1") -> RunLease:
        """Start a run and claim it."""
        await self.start()
        [run] = await self.claim(owner)
        return run.lease

    async def event(self, run_id: str, number: int = 1) -> None:
        await self.engine.events.send(run_id, "go", id=f"e{number}", payload=number)

    async def entries(self, run_id: str = "r1") -> list[str]:
        return [entry["type"] for entry in await self.engine.runs.history(run_id)]

    async def append(self, lease: RunLease, at: int, *entries: Entry, **how: Any) -> object:
        return await appended(self.port, JournalAppend(lease, at, entries, **how))


@pytest.fixture
async def bench(url: str) -> AsyncIterator[Bench]:
    clock = ManualClock(NOON)
    engine = await Engine.open(open_store(url), clock)
    await engine.forsaken.close()  # by a clock that is moved it would be first now and then, for nobody is announced
    yield Bench(LocalRunPort(engine), engine, clock)
    await engine.close()


# -- claims ------------------------------------------------------------------------------------------------------------


async def test_a_run_is_claimed_by_one_worker_and_by_the_name_of_its_workflow(bench: Bench) -> None:
    await bench.start()
    assert await bench.port.claim("w1", ["other"], lease_ms=LEASE_MS, limit=9) == []
    [run] = await bench.claim("w1")
    assert (run.lease.run_id, run.workflow, run.lost, run.created_at) == ("r1", "flow", 0, NOON)
    assert await bench.claim("w2") == []


async def test_no_more_is_claimed_than_asked_for_and_the_rest_is_due(bench: Bench) -> None:
    for n in range(3):
        await bench.start(f"r{n}")
    assert [run.lease.run_id for run in await bench.claim(limit=2)] == ["r0", "r1"]
    assert await bench.port.next_due(["flow"]) == 0
    assert [run.lease.run_id for run in await bench.claim(limit=2)] == ["r2"]


async def test_a_lease_that_ran_out_is_another_ones_and_counts_against_the_run(bench: Bench) -> None:
    first = await bench.claimed("w1")
    bench.clock.advance(LEASE_MS + 1)
    [run] = await bench.claim("w2")
    assert (run.lost, run.lease.epoch) == (1, first.epoch + 1)


# -- reading -----------------------------------------------------------------------------------------------------------


async def test_entries_come_in_order_from_any_position(bench: Bench) -> None:
    lease = await bench.claimed()
    assert await bench.append(lease, 1, scheduled(0), completed(0), scheduled(1)) == Appended(
        (scheduled(0), completed(0), scheduled(1))
    )
    await bench.event("r1")
    whole = await bench.port.load(lease, 0)
    assert whole is not None
    assert [type(entry) for entry in whole.entries] == [
        RunStarted,
        StepScheduled,
        StepCompleted,
        StepScheduled,
        EventReceived,
    ]
    for since in (5, 2, 4, 0, 1, 3):
        part = await bench.port.load(lease, since)
        assert part is not None
        assert list(part.entries) == list(whole.entries[since:])


async def test_what_this_process_has_just_appended_need_not_be_read_from_the_store(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise StoreUnavailable("gone")

    await bench.start()
    monkeypatch.setattr(bench.engine.store, "read", fails)
    [run] = await bench.claim()
    part = await bench.port.load(run.lease, 0)
    assert part is not None
    assert [type(entry) for entry in part.entries] == [RunStarted]
    assert await bench.append(run.lease, 1, release=True) == Appended()
    await bench.event("r1")
    [run] = await bench.claim()
    part = await bench.port.load(run.lease, 1)
    assert part is not None
    assert [type(entry) for entry in part.entries] == [EventReceived]
    part = await bench.port.load(run.lease, 2)
    assert part is not None
    assert not part.entries


async def test_nothing_is_read_by_a_lost_lease(bench: Bench) -> None:
    lease = await bench.claimed("w1")
    bench.clock.advance(LEASE_MS + 1)
    await bench.claim("w2")
    assert await bench.port.load(lease, 0) is None


async def test_what_is_read_says_whether_the_run_is_blocked_and_by_which_code(bench: Bench) -> None:
    lease = await bench.claimed()
    await bench.port.park(lease, Parking(NOON, BlockReason(BROKEN, "abc")))
    [run] = await bench.claim()
    part = await bench.port.load(run.lease, 0)
    assert part is not None
    assert (part.blocked, list(part.stuck)) == (True, ["abc"])


# -- appending ---------------------------------------------------------------------------------------------------------


async def test_an_append_is_a_compare_and_swap_on_the_position(bench: Bench) -> None:
    lease = await bench.claimed()
    for wrong in (0, 2, 7):
        assert await bench.append(lease, wrong, scheduled(0)) == LostRace()
    assert await bench.entries() == ["run.started"]
    assert await bench.append(lease, 1, scheduled(0)) == Appended((scheduled(0),))
    assert await bench.append(lease, 1, scheduled(0)) == LostRace()
    assert await bench.append(lease, 2, completed(0)) == Appended((completed(0),))
    assert await bench.entries() == ["run.started", "step.scheduled", "step.completed"]


async def test_what_another_has_written_is_a_lost_race_and_then_read(bench: Bench) -> None:
    lease = await bench.claimed()
    await bench.port.load(lease, 0)
    await bench.event("r1")
    assert await bench.append(lease, 1, scheduled(0)) == LostRace()
    part = await bench.port.load(lease, 1)
    assert part is not None
    assert [type(entry) for entry in part.entries] == [EventReceived]
    assert await bench.append(lease, 2, scheduled(0)) == Appended((scheduled(0),))
    assert await bench.entries() == ["run.started", "event.received", "step.scheduled"]


async def test_an_append_by_a_lost_lease_changes_nothing(bench: Bench) -> None:
    lease = await bench.claimed("w1")
    await bench.port.load(lease, 0)
    other = LocalRunPort(bench.engine)
    bench.clock.advance(LEASE_MS + 1)
    [run] = await bench.claim("w2", port=other)
    before = await bench.engine.runs.record("r1")
    for at in (1, 7):
        assert await bench.append(lease, at, scheduled(0)) == LostLease()
    assert await bench.append(lease, 1, release=True) == LostLease()
    assert await bench.port.park(lease, Parking(NOON, BlockReason(BROKEN))) == LostLease()
    assert await bench.engine.runs.record("r1") == before
    assert await appended(other, JournalAppend(run.lease, 1, [finished()], release=True)) == Appended([finished()])


async def test_the_one_port_tells_its_own_old_lease_from_the_new_one(bench: Bench) -> None:
    old = await bench.claimed("w1")
    await bench.port.load(old, 0)
    bench.clock.advance(LEASE_MS + 1)
    [run] = await bench.claim("w1")
    assert await bench.append(old, 1, scheduled(0)) == LostLease()
    assert await bench.port.load(old, 0) is None
    assert await bench.append(run.lease, 1, scheduled(0)) == Appended((scheduled(0),))


async def test_a_claim_meets_no_view_that_an_append_under_way_has_moved_on(bench: Bench) -> None:
    old = await bench.claimed("w1")
    await bench.port.load(old, 0)
    under_way = appended(bench.port, JournalAppend(old, 1, [scheduled(0)]))
    bench.clock.advance(LEASE_MS + 1)
    [run] = await bench.claim("w1")
    await under_way
    part = await bench.port.load(run.lease, 0)
    assert part is not None
    assert await bench.append(run.lease, len(part.entries), finished(), release=True) == Appended((finished(),))
    row = await bench.engine.runs.get("r1")
    assert (row["status"], row["output"]) == ("completed", "done")


@pytest.mark.parametrize("fresh", [False, True])
async def test_a_cut_takes_the_lease_and_whoever_reads_on_is_told_of_it(bench: Bench, fresh: bool) -> None:
    """The view is of what is left then, whether it was kept or is made anew."""
    held = await bench.claimed()
    await bench.port.load(held, 0)
    await bench.append(held, 1, scheduled(0), completed(0), scheduled(1))
    await bench.engine.runs.act("rewind", "r1", DecidedBy("operator"), to="work:0")
    assert await bench.port.load(held, 4) is None
    assert await bench.append(held, 4, completed(1)) == LostLease()
    port = LocalRunPort(bench.engine) if fresh else bench.port
    [run] = await bench.claim("w2", port=port)
    news = await port.load(run.lease, 4)
    assert news is not None
    assert [entry.type for entry in news.entries] == ["run.rewound"]
    assert holds_cut(news.entries)
    whole = await port.load(run.lease, 0)
    assert whole is not None
    assert [entry.type for entry in effective(whole.entries)] == ["run.started", "run.rewound"]
    again = await appended(port, JournalAppend(run.lease, 5, [scheduled(0)], release=True))
    assert isinstance(again, Appended)
    row = await bench.engine.runs.get("r1")
    assert row["status"] == "running"


async def test_the_engine_folds_what_is_appended(bench: Bench) -> None:
    lease = await bench.claimed()
    await bench.append(lease, 1, scheduled(0), wake_at=NOON + 5)
    chunk = await bench.engine.streams.read("runs/r1")
    assert b'"work:0"' in chunk.body
    await bench.append(lease, 2, completed(0), finished(), release=True)
    row = await bench.engine.runs.get("r1")
    assert (row["status"], row["output"]) == ("completed", "done")
    assert (await bench.engine.runs.record("r1")).lease_owner is None


async def test_a_port_that_has_read_nothing_appends_as_well(bench: Bench) -> None:
    lease = await bench.claimed()
    await bench.append(lease, 1, scheduled(0))
    fresh = LocalRunPort(bench.engine)
    assert await appended(fresh, JournalAppend(lease, 1, [completed(0)])) == LostRace()
    assert await appended(fresh, JournalAppend(lease, 2, [completed(0)])) == Appended([completed(0)])


async def test_a_port_that_keeps_one_view_serves_many_runs(bench: Bench) -> None:
    port = LocalRunPort(bench.engine, keep=1)
    for n in range(3):
        await bench.start(f"r{n}")
    runs = await bench.claim(port=port)
    for step in range(2):
        for run in runs:
            done = [scheduled(0)] if step == 0 else [completed(0), finished()]
            request = JournalAppend(run.lease, 1 + step, done, release=step == 1)
            assert await appended(port, request) == Appended(done)
    for run in runs:
        assert (await bench.engine.runs.get(run.lease.run_id))["status"] == "completed"


async def test_what_can_never_be_written_is_not_taken_and_harms_nothing(bench: Bench) -> None:
    lease = await bench.claimed()
    odd = StepScheduled(NOON, "work:0", "\ud800", expose=True)
    assert isinstance(await bench.append(lease, 1, odd), NotTaken)
    assert await bench.entries() == ["run.started"]
    assert await bench.append(lease, 1, scheduled(0)) == Appended((scheduled(0),))


async def test_a_store_that_fails_leaves_the_outcome_unknown_and_the_port_of_use(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = await bench.claimed()
    await bench.port.load(lease, 0)

    async def fails(_: object) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(bench.engine.store, "commit", fails)
        with pytest.raises(StoreUnavailable):
            await bench.append(lease, 1, scheduled(0))
    assert await bench.append(lease, 1, scheduled(1)) == Appended((scheduled(1),))
    assert [entry.get("id") for entry in await bench.engine.runs.history("r1")] == [None, "work:1"]


# -- giving up ---------------------------------------------------------------------------------------------------------


async def test_released_runs_are_ready_and_the_next_worker_goes_on(bench: Bench) -> None:
    lease = await bench.claimed("w1")
    await bench.port.release("w1", [lease])
    [run] = await bench.claim("w2")
    assert (run.lost, run.lease.epoch) == (0, lease.epoch + 1)
    await bench.port.release("w1", [lease])  # no longer ours: left alone
    assert await bench.claim("w3") == []


async def test_a_release_with_an_append_says_when_the_run_is_due(bench: Bench) -> None:
    lease = await bench.claimed()
    await bench.append(lease, 1, wake_at=NOON + 60_000, release=True)
    assert await bench.port.next_due(["flow"]) == NOON + 60_000
    assert await bench.claim() == []
    bench.clock.advance(60_000)
    [run] = await bench.claim()
    await bench.append(run.lease, 1, ready=True, release=True)
    assert len(await bench.claim()) == 1


async def test_a_parked_run_keeps_the_results_of_its_steps_and_says_once_why(bench: Bench) -> None:
    lease = await bench.claimed()
    await bench.append(lease, 1, scheduled(0))
    how = Parking(NOON + 5, BlockReason(BROKEN), (completed(0), completed(7)))
    outcome = await bench.port.park(lease, how)
    assert isinstance(outcome, Appended)
    assert [type(entry) for entry in outcome.entries] == [StepCompleted, RunBlocked]
    assert await bench.entries() == ["run.started", "step.scheduled", "step.completed", "run.blocked"]
    bench.clock.advance(5)
    [run] = await bench.claim()
    assert await bench.port.park(run.lease, how) == Appended([])
    assert (await bench.engine.runs.get("r1"))["status"] == "blocked"


async def test_a_run_parked_until_its_beginning_is_ready_once_it_is_cancelled(bench: Bench) -> None:
    lease = await bench.claimed()
    await bench.engine.runs.act("cancel", "r1", DecidedBy("operator", "test"))
    assert await bench.port.park(lease, Parking(NOON + 60_000, begins=True)) == Appended([])
    assert len(await bench.claim()) == 1


# -- leases, news and who works ----------------------------------------------------------------------------------------


async def test_renewed_leases_last_and_lost_ones_are_told(bench: Bench) -> None:
    lease = await bench.claimed("w1")
    bench.clock.advance(LEASE_MS - 1)
    assert list(await bench.port.renew("w1", [lease], LEASE_MS)) == []
    bench.clock.advance(LEASE_MS - 1)
    assert await bench.claim("w2") == []
    stale = RunLease("r1", lease.epoch - 1)
    assert list(await bench.port.renew("w1", [stale], LEASE_MS)) == [stale]


async def test_leases_are_renewed_from_another_thread_while_the_loop_stands_still(bench: Bench) -> None:
    lease = await bench.claimed("w1")
    told: list[object] = []

    def elsewhere() -> None:
        told.append(list(asyncio.run(_of(bench.port.renew("w1", [lease], LEASE_MS)))))
        told.append(asyncio.run(_of(bench.port.release("w1", [lease]))))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(20)  # on the loop, which does nothing meanwhile
    assert told == [[], None]
    assert len(await bench.claim("w2")) == 1


async def _of(awaited: Any) -> Any:
    return await awaited


async def test_what_another_has_appended_is_news(bench: Bench) -> None:
    lease = await bench.claimed()
    assert list(await bench.port.grown({"r1": 1, "nowhere": 0})) == []
    await bench.event("r1")
    assert list(await bench.port.grown({"r1": 1, "nowhere": 0})) == ["r1"]
    await bench.append(lease, 2, scheduled(0))
    assert list(await bench.port.grown({"r1": 3})) == []


async def test_whoever_listens_hears_of_work_and_of_news_until_he_stops(bench: Bench) -> None:
    heard = asyncio.Event()
    listening = bench.port.listen(heard.set)
    await bench.claimed()
    async with asyncio.timeout(10):
        await heard.wait()
        heard.clear()
        await bench.event("r1")
        await heard.wait()
    listening.close()
    heard.clear()
    await bench.event("r1", 2)
    await asyncio.sleep(0)
    assert not heard.is_set()


# -- outputs -----------------------------------------------------------------------------------------------------------


async def begun(bench: Bench, lease: RunLease, step: str = "work:0", attempt: int = 1, **how: Any) -> OutputSession:
    session = await bench.port.begin_output(lease, "log", "application/json", step, attempt, **how)
    assert session is not None
    return session


async def read(bench: Bench) -> tuple[Any, bool]:
    chunk = await bench.engine.streams.read("runs/r1/out/log")
    return orjson.loads(chunk.body), chunk.closed


async def test_an_output_is_begun_by_who_has_the_lease_and_costs_his_appends_no_race(bench: Bench) -> None:
    lease = await bench.claimed()
    assert await bench.append(lease, 1, scheduled(0)) == Appended((scheduled(0),))
    session = await begun(bench, lease)
    assert (session.path, session.producer, session.again) == ("runs/r1/out/log", "work:0", False)
    assert await bench.append(lease, 2, completed(0)) == Appended((completed(0),))
    await bench.port.release("w1", [lease])
    assert await bench.port.begin_output(lease, "log", "application/json", "work:0", 1) is None
    [run] = await bench.claim("w2")
    assert await bench.port.begin_output(lease, "log", "application/json", "work:0", 1) is None
    assert (await begun(bench, run.lease)).epoch > session.epoch


async def test_steps_write_side_by_side_and_each_session_fences_those_before_it(bench: Bench) -> None:
    lease = await bench.claimed()
    first, other = await begun(bench, lease), await begun(bench, lease, "other:0")
    assert await bench.port.append_output(OutputAppend(first, 0, b'["a"]'))
    assert await bench.port.append_output(OutputAppend(other, 0, b'["b"]'))
    second = await begun(bench, lease, attempt=2)
    assert (second.again, first.again) == (True, False)
    assert await bench.port.append_output(OutputAppend(second, 0, b'["c"]'))
    with pytest.raises(ProducerFenced):
        await bench.port.append_output(OutputAppend(first, 1, b'["late"]'))
    assert await bench.port.append_output(OutputAppend(second, 0, b'["c"]')), "sent again"
    assert await bench.port.append_output(OutputAppend(other, 1, b'["d","e"]', close=True))
    assert await read(bench) == (["a", "b", "c", "d", "e"], True)
    assert not await bench.port.append_output(OutputAppend(second, 1, b'["more"]'))
    assert await bench.port.begin_output(lease, "log", "application/json", "work:0", 2, resumed=True) is None
    with pytest.raises(StreamConflict, match="application/json"):
        await bench.port.begin_output(lease, "log", "text/plain; charset=utf-8", "work:0", 2)


async def test_the_outputs_of_a_run_end_with_it(bench: Bench) -> None:
    lease = await bench.claimed()
    session = await begun(bench, lease)
    assert await bench.port.append_output(OutputAppend(session, 0, b'["a"]'))
    await bench.append(lease, 1, scheduled(0), completed(0), finished(), release=True)
    await bench.engine.outputs.close()
    assert not await bench.port.append_output(OutputAppend(session, 1, b'["late"]'))
    assert await bench.port.begin_output(lease, "log", "application/json", "work:0", 1, resumed=True) is None
    assert await read(bench) == (["a"], True)


async def test_runs_that_are_stuck_are_made_ready_for_other_code_alone(bench: Bench) -> None:
    lease = await bench.claimed()
    await bench.port.park(lease, Parking(NOON + 600_000, BlockReason(BROKEN, "abc")))
    assert await bench.port.try_other_code("flow", "abc") == 0
    assert await bench.claim() == []
    assert await bench.port.try_other_code("flow", "def") == 1
    assert len(await bench.claim()) == 1


async def test_a_worker_is_known_from_its_announcement_until_it_leaves(bench: Bench) -> None:
    bench.port.announce("w1", ["flow", "other"], LEASE_MS)
    assert await bench.engine.workers.known() == {"flow", "other"}
    await bench.port.leave("w1")
    assert await bench.engine.workers.known() == set()


async def test_a_run_that_takes_the_id_of_a_deleted_one_is_another(bench: Bench) -> None:
    lease = await bench.claimed()
    await bench.append(lease, 1, scheduled(0), completed(0), finished(), release=True)
    first = (await bench.engine.runs.record("r1")).sort
    await bench.engine.committer.commit(forget_record(await bench.engine.runs.record("r1")))
    bench.clock.advance(1)
    await bench.start()
    [run] = await bench.claim()
    assert run.created_at > first
    assert await bench.append(run.lease, 1, scheduled(0)) == Appended((scheduled(0),))
