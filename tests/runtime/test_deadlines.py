"""Reminders, escalations and deadlines happen once each, whoever dies or freezes, and meet answers with one outcome."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import pytest

from signoff import App, Before, Context, Default, Escalation, Reminder
from signoff.clock import JumpingClock, ManualClock
from signoff.errors import AlreadyDecided, NotInAudience
from signoff.workflow.entry import DecidedBy
from tests.runtime.scene import Scene, person, scene, working
from tests.server.hosting import KEYED, bearer, hosting

HOUR = 3_600_000
OPERATOR = DecidedBy("operator", "local")
TIMED = ("input.reminded", "input.escalated", "input.expired", "input.answered")


def approval_app(reminders: list[Reminder] | None = None, **more: Any) -> App:
    """Three reminders, an escalation, and a default at the end of the third day."""
    app = App()
    seen = [] if reminders is None else reminders

    @app.workflow(expose=("output",))
    async def approval(ctx: Context) -> list[Any]:
        options: dict[str, Any] = {
            "deadline": "3d",
            "remind": ["1d", "2d", Before("4h")],
            "escalate": [Escalation("36h", ["group:directors"])],
            "default": Default("reject"),
            "on_remind": seen.append,
        }
        answer = await ctx.await_input(
            "approve", bool, title="Approve?", to=["group:finance"], actions=["approve", "reject"], **options | more
        )
        return [answer.action, answer.by.kind, answer.by.id]

    return app


def told(entries: list[dict[str, Any]]) -> list[tuple[str, int | None, float]]:
    """Return what happened by itself, as type, number, and hours since 1970."""
    return [(entry["type"].partition(".")[2], entry.get("n"), entry["at"] // HOUR) for entry in entries]


async def happens(condition: Callable[[], Awaitable[Any]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_three_days_pass_in_no_time_and_all_of_it_happens_at_its_hour(url: str) -> None:
    reminders: list[Reminder] = []
    async with scene(url, JumpingClock(0)) as on, working(approval_app(reminders), on):
        run = await on.start("approval")
        assert (await on.reaches(run, "completed"))["output"] == ["reject", "timeout", None]
        assert told(await on.entries(run, *TIMED)) == [
            ("reminded", 0, 24),
            ("escalated", 1, 36),
            ("reminded", 2, 48),
            ("reminded", 3, 68),
            ("answered", None, 72),
        ]
        row = await on.engine.inputs.get(run, "approve:0")
        assert row["decided_by"] == {"kind": "timeout", "id": None}
        assert [line["what"] for line in row["history"]] == ["reminded", "escalated", "reminded", "reminded"]
        assert [line["done_at"] is None for line in row["schedule"]] == [False] * 5
        finance, both = ("group:finance",), ("group:finance", "group:directors")
        assert [reminder.to for reminder in reminders] == [finance, both, both]
        listed = await on.engine.inputs.list(audience=["group:directors"], status="answered")
        assert [found["id"] for found in listed.items] == ["approve:0"]


async def test_after_a_long_standstill_one_reminder_is_sent_and_the_order_stays(url: str) -> None:
    reminders: list[Reminder] = []
    clock = ManualClock(0)
    async with scene(url, clock) as on:
        app = approval_app(reminders)
        async with working(app, on):
            run = await on.start("approval")
            row = await on.asks(run, "approve:0")
        clock.advance(50 * HOUR)
        async with working(app, on):
            await happens(lambda: on.entries(run, "step.completed"))
        assert told(await on.entries(run, *TIMED)) == [("escalated", 1, 50), ("reminded", 2, 50)]
        row = await on.engine.inputs.get(run, "approve:0")
        assert [line["skipped"] for line in row["schedule"]] == [True, False, False, False, False]
        clock.advance(50 * HOUR)
        async with working(app, on):
            await on.reaches(run, "completed")
        assert told(await on.entries(run, *TIMED))[2:] == [("answered", None, 100)]
        assert len(reminders) == 1


async def test_a_late_answer_meets_the_default_though_no_worker_is_there(url: str) -> None:
    app, clock = approval_app(), ManualClock(0)
    async with scene(url, clock) as on:
        async with working(app, on):
            run = await on.start("approval")
            row = await on.asks(run, "approve:0")
        clock.advance(72 * HOUR)
        with pytest.raises(AlreadyDecided, match="'reject' by itself") as refused:
            await on.answer(row, value=True)
        assert refused.value.extra["row"] == await on.engine.inputs.get(run, "approve:0")
        assert refused.value.extra["row"]["decided_by"] == {"kind": "timeout", "id": None}
        with pytest.raises(AlreadyDecided):
            await on.answer(row, value=True)
        assert told(await on.entries(run, *TIMED)) == [("answered", None, 72)]
        async with working(app, on):
            assert (await on.reaches(run, "completed"))["output"] == ["reject", "timeout", None]


async def test_nothing_of_it_is_begun_while_the_run_is_paused(url: str) -> None:
    reminders: list[Reminder] = []
    app, clock = approval_app(reminders), ManualClock(0)
    async with scene(url, clock) as on, working(app, on):
        run = await on.start("approval")
        row = await on.asks(run, "approve:0")
        await on.engine.runs.act("pause", run, OPERATOR)
        clock.advance(40 * HOUR)
        other = await on.start("approval")
        await on.asks(other, "approve:0")
        assert told(await on.entries(run, *TIMED)) == []
        with pytest.raises(NotInAudience):
            await on.answer(row, value=True, who=person("dora", "directors"))
        await on.engine.runs.act("resume", run, OPERATOR)
        await happens(lambda: on.entries(run, "step.completed"))
        assert told(await on.entries(run, *TIMED)) == [("reminded", 0, 40), ("escalated", 1, 40)]
        await on.answer(await on.engine.inputs.get(run, "approve:0"), value=True, who=person("dora", "directors"))
        assert (await on.reaches(run, "completed"))["output"] == ["approve", "person", "user:dora"]


async def test_a_reminder_makes_no_answer_stale_and_a_failing_hook_holds_nothing_up(url: str) -> None:
    def breaks(_: Reminder) -> None:
        raise OSError("no mail today")

    clock = ManualClock(0)
    async with scene(url, clock) as on, working(approval_app(on_remind=breaks), on):
        run = await on.start("approval")
        row = await on.asks(run, "approve:0")
        clock.advance(25 * HOUR)
        on.engine.store.bus().emit(["ready"])
        await happens(lambda: on.entries(run, "step.failed"))
        await on.answer(row, value=True)
        assert (await on.reaches(run, "completed"))["output"][0] == "approve"


async def test_what_is_rewound_and_overdue_comes_again_at_once(url: str) -> None:
    app, reminders = App(), list[Reminder]()

    @app.workflow
    async def approval(ctx: Context) -> bool:
        request = ctx.await_input(
            "approve",
            bool,
            title="Approve?",
            to=["group:finance"],
            remind=["1d"],
            escalate=[Escalation("2d", ["group:directors"])],
            on_remind=reminders.append,
        )
        await ctx.step("draft", bool)
        return (await request).value

    clock = ManualClock(0)
    async with scene(url, clock) as on, working(app, on):
        run = await on.start("approval")
        before = await on.asks(run, "approve:0")
        clock.advance(50 * HOUR)
        on.engine.store.bus().emit(["ready"])
        await happens(lambda: on.entries(run, "input.escalated"))
        await on.engine.runs.act("rewind", run, OPERATOR, to="draft:0")
        again = await on.engine.inputs.get(run, "approve:0")
        assert (again["audience"], again["schedule"], again["history"]) == (
            before["audience"],
            before["schedule"],
            before["history"],
        )
        await happens(partial(_count, on, run, "input.escalated", 2))
        row = await on.engine.inputs.get(run, "approve:0")
        assert row["audience"] == ["group:finance", "group:directors"]
        assert [line["what"] for line in row["history"]] == ["reminded", "escalated"]
        await happens(lambda: on.entries(run, "step.completed"))
        await on.answer(row, value=True, who=person("dora", "directors"))
        await on.reaches(run, "completed")
        assert {reminder.input for reminder in reminders} == {"approve:0"}


async def test_a_failed_run_is_tried_again_with_as_much_time_and_no_second_reminder(url: str) -> None:
    app, reminders = App(), list[Reminder]()

    @app.workflow(expose=("output",))
    async def approval(ctx: Context) -> bool:
        answer = await ctx.await_input(
            "approve",
            bool,
            title="?",
            to=["group:finance"],
            deadline="3d",
            remind=["1d", Before("4h")],
            on_remind=reminders.append,
        )
        return answer.value

    clock = ManualClock(0)
    async with scene(url, clock) as on, working(app, on):
        run = await on.start("approval")
        await on.asks(run, "approve:0")
        clock.advance(25 * HOUR)
        on.engine.store.bus().emit(["ready"])
        await happens(lambda: on.entries(run, "step.completed"))
        clock.advance(75 * HOUR)
        on.engine.store.bus().emit(["ready"])
        await on.reaches(run, "failed")
        await on.engine.runs.act("retry", run, OPERATOR)
        row = await on.asks(run, "approve:0")
        hours = [(line["what"], line["at"][:13], line["done_at"] is not None) for line in row["schedule"]]
        assert hours == [
            ("remind", "1970-01-02T01", True),
            ("remind", "1970-01-08T00", False),
            ("expire", "1970-01-08T04", False),
        ]
        await on.answer(row, value=True)
        assert (await on.reaches(run, "completed"))["output"] is True
        assert len(reminders) == 1


async def _count(on: Scene, run: str, kind: str, wanted: int) -> bool:
    return len(await on.entries(run, kind)) == wanted


async def test_two_workers_do_each_thing_once(shared_url: str) -> None:
    async with scene(shared_url) as on:
        app = approval_app(deadline="900ms", remind=["200ms", "400ms"], escalate=[Escalation("300ms", ["user:b"])])
        async with working(app, on), working(app, on):
            runs = [await on.start("approval") for _ in range(20)]
            for run in runs:
                await on.reaches(run, "completed")
                happened = Counter((entry["type"], entry.get("n")) for entry in await on.entries(run, *TIMED))
                assert set(happened.values()) == {1}
                assert ("input.escalated", 1) in happened


PROGRAM = textwrap.dedent(
    """
    import asyncio, os, signal, sys
    from pathlib import Path
    from signoff import App, Context, Default, Escalation, InputExpired, current_step
    from signoff.runtime.worker import Worker
    from signoff.service.engine import Engine
    from signoff.stores.open import open_store

    url, effects, moment = sys.argv[1], Path(sys.argv[2]), sys.argv[4]
    allowed, lease = int(sys.argv[3]), int(sys.argv[5])
    app = App()

    def note(reminder):
        with effects.open("a") as file:
            file.write(f"{current_step().key} {reminder.run_id}\\n")

    def asks(ctx, **options):
        options |= {"to": ["group:finance"], "actions": ["approve", "reject"]}
        return ctx.await_input("approve", bool, title="?", **options)

    @app.workflow(expose=("output",))
    async def reminded(ctx: Context) -> str:
        answer = await asks(
            ctx,
            remind=["2s", "3600ms"],
            escalate=[Escalation("2800ms", ["group:directors"]), Escalation("4400ms", ["user:chief"])],
            on_remind=note,
        )
        return answer.by.kind

    @app.workflow(expose=("output",))
    async def expires(ctx: Context, after: int) -> str:
        try:
            return (await asks(ctx, deadline=after / 1000)).by.kind
        except InputExpired:
            return "expired"

    @app.workflow(expose=("output",))
    async def defaults(ctx: Context, after: int) -> str:
        return (await asks(ctx, deadline=after / 1000, default=Default("reject"))).by.kind

    @app.workflow(expose=("output",))
    async def escalates(ctx: Context, after: int) -> str:
        return (await asks(ctx, escalate=[Escalation(after / 1000, ["group:directors"], keep=False)])).by.id

    async def main():
        engine = await Engine.open(open_store(url))
        commit, done = engine.store.commit, 0

        async def counted(changes):
            nonlocal done
            if all(change.write.subject.name.kind != "run" for change in changes):  # the worker announces itself
                return await commit(changes)
            if done >= allowed and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            outcomes = await commit(changes)
            done += 1
            if done >= allowed and moment == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return outcomes

        if allowed >= 0:
            engine.store.commit = counted
        await Worker(app, engine, lease_ms=lease, poll_ms=50).run()

    asyncio.run(main())
    """
)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "worker.py"
    path.write_text(PROGRAM)
    return path


@contextmanager
def worker_process(
    program: Path, url: str, allowed: int = -1, moment: str = "never", lease: int = 5_000
) -> Iterator[subprocess.Popen[bytes]]:
    effects = program.with_name("effects")
    command = [sys.executable, str(program), url, str(effects), str(allowed), moment, str(lease)]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


async def _all_of(on: Scene, run: str) -> bool:
    """Tell whether all that was to come has come, and what follows from it."""
    rows = await on.engine.inputs.pending(run)
    steps = [len(await on.entries(run, f"step.{what}")) for what in ("scheduled", "completed")]
    return (
        bool(rows) and all(line["done_at"] or line["skipped"] for line in rows[0]["schedule"]) and steps[0] == steps[1]
    )


async def _each_once(on: Scene, run: str, program: Path) -> None:
    """Check what a run that was reminded says, and that each reminder was followed by its effect."""
    entries = await on.entries(run, "input.reminded", "input.escalated")
    assert len({entry["n"] for entry in entries}) == len(entries)
    assert [entry["n"] for entry in entries if entry["type"] == "input.escalated"] == [1, 3]
    row = await on.engine.inputs.get(run, "approve:0")
    assert row["audience"] == ["group:finance", "group:directors", "user:chief"]
    steps = {f"{run}/{entry['id']}" for entry in await on.entries(run, "step.completed")}
    assert len(steps) == sum(entry["type"] == "input.reminded" for entry in entries)
    assert {line.split()[0] for line in program.with_name("effects").read_text().splitlines()} == steps


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_at_every_commit_each_thing_happens_once(shared_url: str, program: Path, moment: str) -> None:
    async with scene(shared_url) as on:
        run, kills = await on.start("reminded"), 0
        until = time.monotonic() + 60
        while not await _all_of(on, run):
            assert time.monotonic() < until, "not all of it happens"
            with worker_process(program, shared_url, 1, moment, 200) as process:
                while process.poll() is None and not await _all_of(on, run):
                    await asyncio.sleep(0.02)
                kills += process.poll() == -signal.SIGKILL
        assert kills >= 2
        await on.answer((await on.engine.inputs.pending(run))[0], value=True)
        with worker_process(program, shared_url):
            assert (await on.reaches(run, "completed"))["output"] == "person"
        await _each_once(on, run, program)


async def test_a_worker_that_was_frozen_reminds_nobody_twice(shared_url: str, program: Path) -> None:
    async with scene(shared_url) as on:
        run = await on.start("reminded")
        with worker_process(program, shared_url, lease=600) as first:
            row = await on.asks(run, "approve:0")
            os.kill(first.pid, signal.SIGSTOP)
            with worker_process(program, shared_url, lease=600):
                await happens(lambda: on.entries(run, "input.reminded"))
                os.kill(first.pid, signal.SIGCONT)
                await happens(lambda: _all_of(on, run))
                await on.answer(row, value=True)
                assert (await on.reaches(run, "completed"))["output"] == "person"
        await _each_once(on, run, program)


CLOCKS = ("expires", "defaults", "escalates")
"""Workflows whose requests come to something at a time of their own."""


async def test_an_answer_against_the_clock_has_one_outcome(shared_url: str, shared_backend: str, program: Path) -> None:
    """A worker in a process of its own against fifty people over HTTP; on SQLite a thousand times."""
    rounds = 20 if shared_backend == "sqlite" else 2
    async with hosting(shared_url, KEYED) as host:
        on = Scene(host.engine)
        with worker_process(program, shared_url):
            await on.asks(await on.start("reminded"), "approve:0")  # the worker is there
            people = [_Person(on, host.url, n) for n in range(50)]
            outcomes = Counter(chain.from_iterable(await asyncio.gather(*(one.races(rounds) for one in people))))
    assert outcomes.total() == 50 * rounds
    assert set(outcomes) == {(workflow, won) for workflow in CLOCKS for won in ("person", "clock")}, outcomes


class _Person:
    """Somebody who answers one request after the other over one connection, about when its time comes.

    Bytes on a socket: a client library takes longer for a request than what is raced against.
    """

    def __init__(self, on: Scene, url: str, number: int) -> None:
        self._on = on
        self._number = number
        self._host, _, self._port = url.removeprefix("http://").partition(":")
        self._token = bearer("alice", groups=("finance",))["authorization"]

    async def races(self, rounds: int) -> list[tuple[str, str]]:
        reader, writer = await asyncio.open_connection(self._host, int(self._port))
        outcomes = []
        for n in range(self._number, self._number + rounds):
            workflow = CLOCKS[n % 3]
            run = await self._on.start(workflow, 400)
            await self._on.reaches(run, ("waiting", "completed"))
            row = await self._on.engine.inputs.get(run, "approve:0")
            if n % 7:  # else at once, so that a person wins on a machine that is busy, too
                at = datetime.fromisoformat(row["schedule"][0]["at"]).timestamp()
                await asyncio.sleep(max(at - time.time() + random.uniform(-0.012, 0.006), 0))
            writer.write(self._request(row))
            status, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
            [length] = [int(line.partition(":")[2]) for line in headers if line.startswith("content-length")]
            said = orjson.loads(await reader.readexactly(length))
            outcomes.append(await _agree(self._on, workflow, row, int(status.split()[1]), said))
        writer.close()
        return outcomes

    def _request(self, row: dict[str, Any]) -> bytes:
        run, seen = row["run_id"], row["revised"]
        body = orjson.dumps({"submission_id": run, "action": "approve", "value": True, "seen_offset": seen})
        head = (
            f"POST /v1/runs/{run}/inputs/approve:0/answer HTTP/1.1",
            f"host: {self._host}:{self._port}",
            f"authorization: {self._token}",
            "content-type: application/json",
            f"content-length: {len(body)}",
        )
        return "\r\n".join((*head, "", "")).encode() + body


async def _agree(on: Scene, workflow: str, row: dict[str, Any], status: int, said: dict[str, Any]) -> tuple[str, str]:
    """Check that row, journal, reply and the code's own end say the same; return who won."""
    run = row["run_id"]
    if workflow == "escalates" and status != 200:
        await on.answer(row, value=True, who=person("dora", "directors"))
    done = await on.reaches(run, "completed")
    row = await on.engine.inputs.get(run, "approve:0")
    entries = [(entry["type"], entry.get("by")) for entry in await on.entries(run, *TIMED)]
    alice = {"kind": "person", "id": "user:alice"}
    if status == 200:
        assert entries == [("input.answered", alice)]
        assert said["row"]["decided_by"] == row["decided_by"] == alice
        assert done["output"] == ("user:alice" if workflow == "escalates" else "person")
        return workflow, "person"
    if workflow == "escalates":
        assert said["code"] == "not_in_audience"
        assert [kind for kind, _ in entries] == ["input.escalated", "input.answered"]
        assert row["decided_by"]["id"] == done["output"] == "user:dora"
        return workflow, "clock"
    assert said["row"] == row
    assert row["decided_by"] == {"kind": "timeout", "id": None}
    code, entry = ("expired", "input.expired") if workflow == "expires" else ("already_decided", "input.answered")
    assert (said["code"], [kind for kind, _ in entries]) == (code, [entry])
    assert done["output"] == ("expired" if workflow == "expires" else "timeout")
    return workflow, "clock"


async def test_a_calendar_of_working_hours(url: str) -> None:
    friday = datetime(2026, 3, 6, 16, 0, tzinfo=UTC)

    def next_working_day(asked_at: datetime) -> datetime:
        day = asked_at + timedelta(days=1)
        while day.weekday() >= 5:
            day += timedelta(days=1)
        return day

    clock = ManualClock(round(friday.timestamp() * 1000))
    async with scene(url, clock) as on, working(approval_app(deadline=next_working_day), on):
        row = await on.asks(await on.start("approval"), "approve:0")
        assert row["deadline"] == "2026-03-09T16:00:00.000Z"
