"""Many who write to one run take turns: each decides once, on what those before it have left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from signoff import Context, SignoffError
from signoff.service.engine import Engine
from signoff.stores.change import Change, Conflict, Outcome, Rejected
from signoff.stores.open import open_store
from signoff.testing import TestEngine
from signoff.workflow.entry import DecidedBy


async def test_many_events_at_once_lose_no_race_among_themselves(url: str) -> None:
    engine = await Engine.open(open_store(url))
    commit, lost = engine.store.commit, 0

    async def counted(changes: Sequence[Change]) -> list[Outcome | Rejected]:
        nonlocal lost
        outcomes = await commit(changes)
        lost += sum(isinstance(outcome, Conflict) for outcome in outcomes)
        return outcomes

    engine.store.commit = counted  # type: ignore[method-assign]
    try:
        run = str((await engine.runs.start("flow")).run["id"])
        sending = [engine.events.send(run, "tick", id=f"e{n}", payload=n) for n in range(200)]
        stop = engine.runs.act("cancel", run, DecidedBy("operator", "test"))
        sent, row = await asyncio.gather(asyncio.gather(*sending), stop)
        history = await engine.runs.history(run)
    finally:
        await engine.close()
    assert not any(one.duplicate for one in sent)
    assert row["id"] == run
    assert [entry["payload"] for entry in history if entry["type"] == "event.received"] == list(range(200))
    assert lost == 0


async def test_a_clock_does_not_jump_while_a_long_history_is_folded_in_a_thread() -> None:
    async def long(ctx: Context) -> None:
        for n in range(2_500):
            ctx.publish("row", "one", {"n": n})
        await ctx.await_event("end")

    async with TestEngine(long) as engine:
        run = await engine.start(long)
        await run.reaches("waiting")
        act = engine.services.runs.act("rewind", run.id, DecidedBy("operator", "test"), to="nothing:7")
        asked = asyncio.create_task(act)
        held = False
        while not asked.done():
            held = held or engine.clock.held
            await asyncio.sleep(0)
        with pytest.raises(SignoffError):
            await asked
        assert held
