"""What was just appended in this process is handed over as the store would, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from signoff.clock import ManualClock
from signoff.service import recent
from signoff.service.engine import Engine
from signoff.service.kinds import forget_record
from signoff.service.recent import RecentAppends
from signoff.stores.change import Subject
from signoff.stores.open import open_store
from signoff.workflow import journal

NOON = 1_800_000_000_000


@dataclass
class Scene:
    """An engine, and what it has appended lately."""

    engine: Engine
    recent: RecentAppends

    async def start(self, run_id: str) -> Subject:
        await self.engine.runs.start("flow", "x" * 1000, run_id=run_id)
        return await self.engine.runs.record(run_id)

    async def event(self, run_id: str, number: int) -> Subject:
        await self.engine.events.send(run_id, "go", id=f"e{number}", payload=number)
        return await self.engine.runs.record(run_id)

    def taken(self, record: Subject, start: int) -> list[str] | None:
        batch = self.recent.take(record, start)
        return None if batch is None else [entry.type for entry in journal.loads(batch.data)]


@pytest.fixture
async def scene(url: str) -> AsyncIterator[Scene]:
    engine = await Engine.open(open_store(url), ManualClock(NOON))
    scene = Scene(engine, RecentAppends())
    engine.committer.listen(scene.recent.committed)
    yield scene
    await engine.close()


async def test_the_start_of_a_run_and_what_others_send_to_it_are_here_once(scene: Scene) -> None:
    assert scene.taken(await scene.start("r1"), 0) == ["run.started"]
    assert scene.taken(await scene.engine.runs.record("r1"), 0) is None
    assert scene.taken(await scene.event("r1", 1), 1) == ["event.received"]


async def test_an_append_that_is_not_all_there_is_from_a_position_on_is_not_handed_over(scene: Scene) -> None:
    await scene.start("r1")
    assert scene.taken(await scene.event("r1", 1), 0) is None


async def test_an_append_that_others_have_written_behind_is_not_handed_over(scene: Scene) -> None:
    await scene.start("r1")
    scene.engine.committer.forget(scene.recent.committed)  # as if another process wrote
    assert scene.taken(await scene.event("r1", 1), 0) is None


async def test_a_run_that_took_the_id_of_a_deleted_one_is_another(scene: Scene) -> None:
    before = await scene.start("r1")
    scene.engine.committer.forget(scene.recent.committed)
    await scene.engine.committer.commit(forget_record(before))
    assert scene.taken(await scene.start("r1"), 0) is None


async def test_the_oldest_go_when_there_is_too_much(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "_MOST_BYTES", 4_000)
    records = [await scene.start(f"r{n}") for n in range(5)]
    kept = [scene.taken(record, 0) is not None for record in records]
    assert kept == sorted(kept)
    assert set(kept) == {False, True}


async def test_what_is_large_is_left_to_the_store(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "_LARGEST", 1_000)
    assert scene.taken(await scene.start("r1"), 0) is None
