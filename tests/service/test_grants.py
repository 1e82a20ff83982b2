"""The laws of the port about approvals that are remembered: found, over, revoked, and how far they go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from signoff import Context
from signoff.clock import ManualClock
from signoff.runtime.local import LocalRunPort
from signoff.runtime.port import Appended, RunPort
from signoff.service.engine import Engine
from signoff.service.kinds import forget_record
from signoff.stores.open import open_store
from signoff.workflow.entry import DecidedBy, Entry
from signoff.workflow.input.decide import Who
from signoff.workflow.input.entries import InputRequested
from signoff.workflow.input.submission import AnswerRequest
from signoff.workflow.validation.entries import InputReturned
from tests.runtime.test_port import LEASE_MS, NOON, Bench
from tests.workflow.drive import Drive

ALICE = Who(frozenset({"user:alice"}), DecidedBy("person", "user:alice"))


def proposed(name: str, args: Any = None, tool: str = "send", **options: Any) -> InputRequested:
    """Return the entry with which code asks people about a tool."""

    async def flow(ctx: Context) -> None:
        how = {"to": ["user:alice", "user:bora"], "remember": ["run", "tool"], "name": name} | options
        await ctx.approve_tool(tool, args or {}, **how)

    [entry] = [one for one in Drive(flow).journal if isinstance(one, InputRequested)]
    return replace(entry, at=NOON)


@dataclass
class Desk(Bench):
    """A bench at which people decide about tools."""

    async def write(self, run_id: str, *entries: Entry) -> None:
        """Write to the journal of a run, as the worker that has it."""
        runs = await self.port.claim("w1", ["flow", "other"], lease_ms=LEASE_MS, limit=99)
        [lease] = [run.lease for run in runs if run.lease.run_id == run_id]
        at = len(await self.engine.runs.history(run_id))
        assert isinstance(await self.append(lease, at, *entries), Appended)
        await self.port.release("w1", [run.lease for run in runs])

    async def propose(self, run_id: str, name: str, *, starter: str | None = None, **how: Any) -> str:
        """Have a run, started if need be, ask about a tool; return the key."""
        by = None if starter is None else DecidedBy("person", starter)
        await self.engine.runs.start(how.pop("workflow", "flow"), None, run_id=run_id, by=by)
        await self.write(run_id, await asyncio.to_thread(proposed, name, **how))  # no task may run a workflow's code
        return f"{name}:0"

    async def grant(self, run_id: str, name: str, *, starter: str | None = None, **said: Any) -> str:
        """Have a run ask, and alice approve for the next times too; return the grant's id."""
        key = await self.propose(run_id, name, starter=starter, args=said.pop("args", None))
        await self.write(run_id, InputReturned(NOON, key))
        row = await self.engine.inputs.get(run_id, key)
        await self.engine.inputs.answer(run_id, key, AnswerRequest(key, "approve", said, row["revised"]), ALICE)
        return f"{run_id}/{key}"

    async def finds(self, run_id: str, key: str, port: RunPort | None = None) -> str | None:
        """Return the id of the grant that is found for a request."""
        found = await (port or self.port).find_grant(run_id, key)
        return None if found is None else found.id


@pytest.fixture
async def desk(url: str) -> AsyncIterator[Desk]:
    clock = ManualClock(NOON)
    engine = await Engine.open(open_store(url), clock)
    yield Desk(LocalRunPort(engine), engine, clock)
    await engine.close()


async def test_a_grant_is_found_in_its_run_and_says_who_gave_it(desk: Desk) -> None:
    before = await desk.propose("r1", "early")
    assert await desk.port.find_grant("r1", before) is None
    id_ = await desk.grant("r1", "a", remember="run")
    for key in (before, await desk.propose("r1", "b", args={"other": 1})):
        found = await desk.port.find_grant("r1", key)
        assert found is not None
        assert (found.id, found.by, found.at) == (id_, "user:alice", "2027-01-15T08:00:00.000Z")
    for run_id, key in (("r2", "a:0"), ("r1", "no:0")):
        assert await desk.port.find_grant(run_id, key) is None


async def test_a_grant_is_for_its_tool_and_as_far_as_its_scope(desk: Desk) -> None:
    sam, eve = "user:sam", "user:eve"
    wide = await desk.grant("r1", "a", starter=sam, remember="tool")
    narrow = await desk.grant("r2", "a", starter=eve, remember="run")
    assert await desk.finds("r1", await desk.propose("r1", "b")) == wide
    assert await desk.finds("r3", await desk.propose("r3", "a", starter=sam)) == wide
    assert await desk.finds("r2", await desk.propose("r2", "b")) == narrow
    others: list[dict[str, Any]] = [
        {"starter": eve},
        {},
        {"starter": sam, "workflow": "other"},
        {"starter": sam, "tool": "delete"},
        {"starter": sam, "remember": ["run"]},
        {"starter": sam, "to": ["user:alice"]},
        {"starter": sam, "forbid": ["user:alice"]},
        {"starter": sam, "forbid": ["group:interns"]},
    ]
    for n, how in enumerate(others):
        key = await desk.propose(f"o{n}", "a", **how)
        assert await desk.finds(f"o{n}", key) is None, how


async def test_a_grant_for_the_same_arguments_is_for_no_others(desk: Desk) -> None:
    id_ = await desk.grant("r1", "a", args={"to": "a", "n": 1}, remember="run", same_args=True)
    assert await desk.finds("r1", await desk.propose("r1", "b", args={"n": 1, "to": "a"})) == id_
    assert await desk.finds("r1", await desk.propose("r1", "c", args={"to": "a"})) is None


async def test_a_grant_ends_at_its_time(desk: Desk) -> None:
    id_ = await desk.grant("r1", "a", remember="run", until="2027-01-15T09:00:00+01:00")
    key = await desk.propose("r1", "b")
    assert await desk.finds("r1", key) is None
    later = await desk.grant("r1", "c", remember="run", until="2027-01-15T09:00:01+01:00")
    desk.clock.advance(999)
    assert (await desk.finds("r1", key), id_) == (later, "r1/a:0")
    desk.clock.advance(1)
    assert await desk.finds("r1", key) is None


async def test_a_grant_that_is_revoked_or_gone_is_not_found(desk: Desk) -> None:
    await desk.grant("r1", "a", starter="user:sam", remember="tool")
    id_ = await desk.grant("r2", "a", starter="user:sam", remember="tool")
    key = await desk.propose("r3", "a", starter="user:sam")
    await desk.engine.inputs.act("revoke", "r1", "a:0", {}, ALICE)
    assert await desk.finds("r3", key) == id_
    await desk.engine.runs.act("terminate", "r2", DecidedBy("operator", "local"))
    assert await desk.finds("r3", key) == id_, "it outlives its run"
    await desk.engine.committer.commit(forget_record(await desk.engine.runs.record("r2")))
    assert await desk.finds("r3", key) is None


async def test_a_grant_is_given_and_revoked_for_all_processes(shared_url: str) -> None:
    clock = ManualClock(NOON)
    engines = [await Engine.open(open_store(shared_url), clock) for _ in range(2)]
    one, two = (Desk(LocalRunPort(engine), engine, clock) for engine in engines)
    try:
        id_ = await one.grant("r1", "a", starter="user:sam", remember="tool")
        key = await two.propose("r2", "a", starter="user:sam")
        assert [await desk.finds("r2", key) for desk in (one, two)] == [id_, id_]
        await two.engine.inputs.act("revoke", "r1", "a:0", {}, ALICE)
        assert [await desk.finds("r2", key) for desk in (one, two)] == [None, None]
        again = await two.grant("r1", "b", remember="tool")
        assert [await desk.finds("r2", key) for desk in (one, two)] == [again, again]
    finally:
        for engine in engines:
            await engine.close()
