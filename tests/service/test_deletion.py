"""A run that has ended is deleted with all that belongs to it, and nothing else is."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from signoff import App, Context
from signoff.errors import NotEnded, RunConflict, RunNotFound, StreamNotFound
from signoff.paths import journal_path, listing_path, run_path
from signoff.service import act
from signoff.service.kinds import PartKind, RunFilter, run_name, waits_listing
from signoff.stores.base import Listing, PartsWanted
from signoff.streams.stream import Branch, Payload
from signoff.workflow.entry import DecidedBy
from tests.runtime.scene import Scene, scene, stage

BY = DecidedBy("operator", "local")
NOTHING = Payload("application/json", b"", 0)


class Decision(BaseModel):
    """An answer."""

    ok: bool


def app_of() -> App:
    app = App()

    @app.workflow(expose=("output",), tags=("q3",))
    async def asking(ctx: Context, n: int = 0) -> Any:
        answer = await ctx.await_input("ok", Decision, title="Ok?", to=["group:finance"])
        await ctx.await_event("go")
        return [n, answer.value.ok]

    return app


async def ended(on: Scene, run_id: str, n: int = 0) -> str:
    """Take a run to its end by an answer and an event."""
    run = await on.start("asking", n, run_id=run_id)
    await on.answer(await on.asks(run, "ok:0"), {"ok": True}, submission="s1")
    await on.engine.events.send(run, "go", id="e1", payload=None)
    await on.reaches(run, "completed")
    return run


async def messages(on: Scene, path: str) -> list[dict[str, Any]]:
    """Return all messages of a stream."""
    await on.placed()
    found: list[dict[str, Any]] = orjson.loads(b"[" + (await on.engine.streams.read(path)).data + b"]")
    return found


async def test_nothing_of_a_deleted_run_is_left(url: str) -> None:
    async with stage(app_of(), url) as on:
        kept = await ended(on, "kept")
        run = await ended(on, "gone")
        row = await on.engine.runs.get(run)
        assert await on.engine.runs.act("delete", run, BY) == row
        store = on.engine.store
        assert await store.load(run_name(run)) is None
        assert await store.find_streams([journal_path(run), run_path(run)]) == {}
        for asked in (on.engine.runs.get, on.engine.runs.history, on.engine.inputs.pending):
            with pytest.raises(RunNotFound):
                await asked(run)
        with pytest.raises(RunNotFound):
            await on.engine.runs.act("delete", run, BY)
        assert [found["id"] for found in (await on.engine.runs.list(RunFilter())).items] == [kept]
        assert [found["run_id"] for found in (await on.engine.inputs.list(status=None)).items] == [kept]
        for kind in (PartKind.LEDGER, PartKind.WAIT):
            page = await store.list_parts(Listing(kind), limit=10)
            assert {found.owner.id for found in page.items} <= {kept}
        assert await store.list_parts(waits_listing("go", None), limit=10) == type(page)((), None)
        last = (await messages(on, listing_path("asking")))[-1]
        assert (last["type"], last["key"], last["headers"]["operation"]) == ("run", run, "delete")
        while await store.purge():
            pass
        assert (await on.engine.runs.get(kept))["status"] == "completed"


async def test_its_id_may_be_used_again(url: str) -> None:
    async with stage(app_of(), url) as on:
        await ended(on, "r1")
        await on.engine.runs.act("delete", "r1", BY)
        await ended(on, "r1", 5)  # with the same ids of answer and event
        assert (await on.engine.runs.get("r1"))["output"] == [5, True]
        assert len(await on.entries("r1", "input.answered")) == 1


async def test_a_worker_forgets_the_run_that_had_the_id_before(url: str) -> None:
    async with stage(app_of(), url) as on:
        run = await on.start("asking", 1, run_id="r1")
        await on.asks(run, "ok:0")
        await on.engine.runs.act("terminate", run, BY)
        await on.engine.runs.act("delete", run, BY)
        await ended(on, "r1", 5)
        assert (await on.engine.runs.get("r1"))["output"] == [5, True]


async def test_what_was_forked_from_its_streams_stays_readable(url: str) -> None:
    async with stage(app_of(), url) as on:
        run = await ended(on, "r1")
        before = await messages(on, run_path(run))
        await on.engine.streams.create("copy", NOTHING, fork=Branch(run_path(run)))
        assert await messages(on, "copy") == before
        await on.engine.runs.act("delete", run, BY)
        while await on.engine.store.purge():
            pass
        assert await messages(on, "copy") == before


async def test_an_id_whose_stream_is_kept_for_its_forks_is_not_used_again(url: str) -> None:
    async with stage(app_of(), url) as on:
        run, other = await ended(on, "r1"), await ended(on, "r2")
        await on.engine.streams.create("copy", NOTHING, fork=Branch(run_path(run)))
        await on.engine.runs.act("delete", run, BY)
        with pytest.raises(RunConflict, match="kept for those that were forked"):
            await on.engine.runs.start("asking", 5, run_id=run)
        with pytest.raises(RunConflict, match="kept for those that were forked"):
            await on.engine.runs.act("fork", other, BY, run_id=run)
        assert await on.engine.store.load(run_name(run)) is None
        await on.engine.streams.delete("copy")
        await ended(on, run, 5)
        assert (await on.engine.runs.get(run))["output"] == [5, True]


async def test_a_run_that_goes_on_is_not_deleted(url: str) -> None:
    async with scene(url) as on:
        run = await on.start("asking", run_id="r1")
        with pytest.raises(NotEnded, match=r"is running.*signoff terminate r1") as refused:
            await on.engine.runs.act("delete", run, BY)
        assert refused.value.extra["run"]["id"] == run
        await on.engine.runs.act("terminate", run, BY)
        assert (await on.engine.runs.act("delete", run, BY))["status"] == "cancelled"


async def test_of_two_who_delete_one_finds_it_gone(url: str) -> None:
    async with scene(url) as on:
        run = await on.start("asking")
        await on.engine.runs.act("terminate", run, BY)
        done = await asyncio.gather(*(on.engine.runs.act("delete", run, BY) for _ in range(2)), return_exceptions=True)
        assert sorted(type(one).__name__ for one in done) == ["RunNotFound", "dict"]


async def test_a_live_reader_of_a_deleted_run_is_told(url: str) -> None:
    async with scene(url) as on:
        run = await on.start("asking")
        with on.engine.hub.watch(run_path(run)) as reader:
            await on.engine.runs.act("terminate", run, BY)
            await on.engine.runs.act("delete", run, BY)
            assert reader.channel.ended
        with pytest.raises(StreamNotFound):
            await on.engine.streams.read(run_path(run))


async def test_what_is_loaded_of_it_later_is_not_what_was_there_before(url: str) -> None:
    async with scene(url) as on:
        run = await on.start("asking", run_id="r1")
        await on.engine.runs.act("terminate", run, BY)
        await on.engine.runs.act("delete", run, BY)
        await on.start("asking", run_id="r1")
        loaded = await on.engine.store.load(run_name(run), PartsWanted(PartKind.LEDGER))
        assert loaded is not None
        assert loaded.parts == ()
        assert [entry["type"] for entry in await on.entries(run)] == ["run.started"]


@pytest.mark.parametrize(("looks", "anew"), [(1, False), (2, False), (2, True)])
async def test_a_history_whose_run_is_deleted_while_it_is_read_is_none(
    url: str, monkeypatch: pytest.MonkeyPatch, looks: int, anew: bool
) -> None:
    """Neither an empty one, nor the beginning of one, nor one that goes on in another run of the same id."""
    monkeypatch.setattr(act, "_FIRST", 1)
    monkeypatch.setattr(act, "_CHUNK", 1)
    async with stage(app_of(), url) as on:
        run = await ended(on, "gone")
        read, count = on.engine.store.read, 0

        async def deleted_before(*asked: Any) -> Any:
            nonlocal count
            count += 1
            if count == looks:
                monkeypatch.undo()
                await on.engine.runs.act("delete", run, BY)
                if anew:
                    await on.asks(await on.start("asking", 1, run_id=run), "ok:0")
            return await read(*asked)

        monkeypatch.setattr(on.engine.store, "read", deleted_before)
        with pytest.raises(RunNotFound):
            await on.engine.runs.history(run)
