"""Whole lives of attached files: read in steps, with runs that are forked, copied and deleted, swept when unwanted."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest

from signoff import App, Attachment, AttachmentLimits, Context
from signoff.clock import ManualClock, SystemClock
from signoff.errors import NotFound, RunNotFound, StreamConflict
from signoff.service.copying import StoreCopying
from signoff.service.engine import Engine
from signoff.service.file_records import FIRST_LOOK_MS, records_of
from signoff.service.files import Files
from signoff.stores.open import open_store
from signoff.streams.stream import Create, Delete, Payload
from signoff.testing import TestEngine
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who
from tests.runtime.scene import Scene, person, scene, working

OPERATOR = DecidedBy("operator", "local")
DATA = bytes(range(256)) * 5_000


@dataclass
class Claim:
    receipt: Annotated[Attachment, AttachmentLimits(max_bytes=2 << 20)]
    more: list[Attachment] = field(default_factory=list)


app = App()


async def digest(receipt: Attachment) -> str:
    return hashlib.sha256(await receipt.read()).hexdigest()


def length(receipt: Attachment) -> int:
    return len(receipt.read_sync())


@app.workflow
async def claim(ctx: Context, _: None) -> list[Any]:
    answer = await ctx.await_input("claim", title="Claim?", type=Claim, to=["user:alice"], expose=True)
    found = await ctx.step("digest", digest, answer.value.receipt)
    size = await ctx.step("length", length, answer.value.receipt)
    await ctx.await_input("check", title="Right?", type=bool, to=["user:bob"], show={"receipt": answer.value.receipt})
    return [found, size, answer.value.receipt, await ctx.step("again", digest, answer.value.receipt)]


async def sent(
    engine: Engine, run_id: str, file: str = "f1", data: bytes = DATA, key: str = "claim:0", who: Who | None = None
) -> dict[str, Any]:
    async def body() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    reference, _ = await engine.files.upload(run_id, key, file, body(), who or person(), name="r.bin")
    return reference


async def streams(engine: Engine, run_id: str) -> list[str]:
    return [one.path for one in await engine.store.list_streams(f"runs/{run_id}/files/", limit=100)]


async def left(engine: Engine, run_id: str, paths: list[str]) -> None:
    """Wait until these are all; the engine sweeps, too, and may be faster."""
    async with asyncio.timeout(30):
        while await streams(engine, run_id) != paths:
            await asyncio.sleep(0.01)


async def asked(on: Scene) -> tuple[str, dict[str, Any]]:
    run_id = await on.start("claim")
    return run_id, await on.asks(run_id, "claim:0")


async def test_steps_read_what_was_attached_and_a_fork_does_when_its_parent_is_gone(store: str) -> None:
    async with scene(store) as on, working(app, on):
        run_id, row = await asked(on)
        receipt = await sent(on.engine, run_id)
        await on.answer(row, {"receipt": receipt})
        check = await on.asks(run_id, "check:0")
        assert check["show"]["receipt"] == receipt
        fork = (await on.engine.runs.act("fork", run_id, OPERATOR))["id"]
        await on.engine.runs.act("terminate", run_id, OPERATOR)
        await on.engine.runs.act("delete", run_id, OPERATOR)
        assert await streams(on.engine, run_id) == []
        assert await records_of(on.engine.store, run_id) == []
        with pytest.raises(NotFound):
            await on.engine.files.read(run_id, "f1")
        again = await on.asks(fork, "check:0")
        assert await on.engine.files.read(fork, "f1") == DATA
        assert (await on.engine.files.find(fork, "f1")).reference == receipt
        await on.answer(again, True, who=person("bob"))
        await on.reaches(fork, "completed")
        (done,) = await on.entries(fork, "run.completed")
        digest_ = hashlib.sha256(DATA).hexdigest()
        assert done["output"] == [digest_, len(DATA), receipt, digest_]
        await on.engine.runs.act("delete", fork, OPERATOR)
        assert await streams(on.engine, fork) == []


async def test_what_no_answer_has_is_swept(store: str) -> None:
    clock = ManualClock(1_700_000_000_000)
    async with scene(store, clock) as on, working(app, on):
        run_id, row = await asked(on)
        receipt, _ = await sent(on.engine, run_id), await sent(on.engine, run_id, "unused", b"x")
        lives = on.engine.files.lives
        clock.advance(FIRST_LOOK_MS * 3)
        assert await lives.sweep() == 0  # it is still asked
        await on.answer(row, {"receipt": receipt})
        await on.asks(run_id, "check:0")
        assert await streams(on.engine, run_id) == [f"runs/{run_id}/files/f1", f"runs/{run_id}/files/unused"]
        clock.advance(FIRST_LOOK_MS * 2)
        await lives.sweep()
        await left(on.engine, run_id, [f"runs/{run_id}/files/f1"])
        assert await on.engine.files.read(run_id, "f1") == DATA
        clock.advance(FIRST_LOOK_MS * 2)
        await lives.sweep()
        assert await on.engine.store.due("due/files", now=clock.now_ms() + FIRST_LOOK_MS * 2, limit=10) == []


async def test_what_was_sent_in_part_is_not_read_and_swept(store: str) -> None:
    clock = ManualClock(1_700_000_000_000)
    async with scene(store, clock) as on, working(app, on):
        run_id, _ = await asked(on)

        async def stops() -> AsyncIterator[bytes]:
            yield DATA
            setattr(on.engine.files, "_drop", nothing)  # noqa: B010 - as if the process had died
            raise ConnectionError

        async def nothing(*_: Any) -> None:
            pass

        with pytest.raises(ConnectionError):
            await on.engine.files.upload(run_id, "claim:0", "f1", stops(), person(), name="r.bin")
        assert await streams(on.engine, run_id) == [f"runs/{run_id}/files/f1"]
        with pytest.raises(NotFound):
            await on.engine.files.read(run_id, "f1")
        clock.advance(FIRST_LOOK_MS * 2)
        await on.engine.files.lives.sweep()
        await left(on.engine, run_id, [])
        assert (await sent(on.engine, run_id))["size"] == len(DATA)


async def test_of_two_who_send_it_at_once_one_is_told_so(store: str) -> None:
    async with scene(store) as on, working(app, on):
        run_id, _ = await asked(on)

        async def overtaken() -> AsyncIterator[bytes]:
            yield DATA
            await sent(on.engine, run_id)
            yield b"more"

        with pytest.raises(StreamConflict):
            await on.engine.files.upload(run_id, "claim:0", "f1", overtaken(), person(), name="r.bin")
        assert await on.engine.files.read(run_id, "f1") == DATA


ROUNDS = 25


async def outcomes(engines: list[Engine], run_id: str, file: str) -> list[dict[str, Any]]:
    """Send the same file through all of these at once; return what those were told that were taken."""
    told = await asyncio.gather(*(sent(one, run_id, file) for one in engines), return_exceptions=True)
    refused = [one for one in told if isinstance(one, BaseException)]
    assert all(isinstance(one, StreamConflict) for one in refused), refused
    return [one for one in told if isinstance(one, dict)]


@pytest.mark.parametrize("senders", [2, 4])
async def test_of_several_who_send_the_same_at_once_one_is_taken(store: str, senders: int) -> None:
    async with scene(store) as on, working(app, on):
        run_id, _ = await asked(on)
        for number in range(ROUNDS):
            told = await outcomes([on.engine] * senders, run_id, f"f{number}")
            assert told, number
            found = await on.engine.files.find(run_id, f"f{number}")
            assert all(one == found.reference for one in told)
            assert await on.engine.files.read(run_id, f"f{number}") == DATA


async def test_of_two_servers_to_which_the_same_is_sent_at_once_one_takes_it(shared_url: str) -> None:
    async with scene(shared_url) as on, scene(shared_url) as other, working(app, on):
        run_id, _ = await asked(on)
        for number in range(ROUNDS):
            told = await outcomes([on.engine, other.engine], run_id, f"f{number}")
            assert told, number
            for engine in (on.engine, other.engine):
                assert (await engine.files.find(run_id, f"f{number}")).reference == told[0]
                assert await engine.files.read(run_id, f"f{number}") == DATA


async def test_what_an_overtaken_sending_makes_late_is_replaced(store: str) -> None:
    async with scene(store) as on, working(app, on):
        run_id, _ = await asked(on)
        path, streams_ = f"runs/{run_id}/files/f1", on.engine.streams

        async def body() -> AsyncIterator[bytes]:
            # As if one that was overtaken had taken this stream away, and made its own.
            await streams_.write_output(path, Delete())
            await streams_.write_output(path, Create(path, "late", Payload("application/octet-stream", b"", 0), 7))
            yield DATA

        with pytest.raises(StreamConflict):
            await on.engine.files.upload(run_id, "claim:0", "f1", body(), person(), name="r.bin")
        assert await streams(on.engine, run_id) == [path]  # no sending takes away what is another's
        assert (await streams_.head(path)).tail == 0  # nor writes to it
        assert (await sent(on.engine, run_id))["size"] == len(DATA)
        assert await on.engine.files.read(run_id, "f1") == DATA


async def test_a_run_that_is_deleted_meanwhile_keeps_nothing(store: str) -> None:
    async with scene(store) as on, working(app, on):
        run_id, _ = await asked(on)

        async def too_late() -> AsyncIterator[bytes]:
            yield DATA
            await on.engine.runs.act("terminate", run_id, OPERATOR)
            await on.engine.runs.act("delete", run_id, OPERATOR)

        with pytest.raises((RunNotFound, StreamConflict)):
            await on.engine.files.upload(run_id, "claim:0", "f1", too_late(), person(), name="r.bin")
        assert await streams(on.engine, run_id) == []
        await on.start("claim", run_id=run_id)
        await on.asks(run_id, "claim:0")
        with pytest.raises(NotFound):
            await on.engine.files.find(run_id, "f1")


async def test_a_copy_of_the_store_has_them(store: str) -> None:
    target = open_store("memory:")
    await target.open()
    async with scene(store) as on:
        async with working(app, on):
            run_id, row = await asked(on)
            receipt = await sent(on.engine, run_id)
            await on.answer(row, {"receipt": receipt})
            await on.asks(run_id, "check:0")
        copying = StoreCopying(on.engine.store, target, name="here", clock=SystemClock())
        await copying.begin()
        await copying.copy()
        await copying.verify()
        await copying.finish()
    files = Files(target, on.engine.streams, on.engine.committer, SystemClock())
    assert (await files.find(run_id, "f1")).reference == receipt
    found = await target.read(f"runs/{run_id}/files/f1", 0, 1 << 30)
    assert found is not None
    assert b"".join(batch.data for batch in found[1]) == DATA
    await target.close()


async def test_bytes_that_are_others_are_not_read() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start("claim")
        alice = engine.person("alice")
        receipt = await alice.attaches("claim", DATA, name="a.bin")
        path = f"runs/{run.id}/files/{receipt.file}"
        services = engine._opened.services  # type: ignore[union-attr]
        await services.streams.write_output(path, Delete())
        forged = Create(path, "x", Payload("application/octet-stream", b"forged", 6), 1, closed=True)
        await services.streams.write_output(path, forged)
        await alice.answers("claim", Claim(receipt))
        with pytest.raises(Exception, match="its digest is another"):
            await run.result()


async def test_outside_a_step_it_says_where_to_read() -> None:
    receipt = Attachment("runs/r/files/f", "a", "text/plain", 1, "0" * 64)
    with pytest.raises(RuntimeError, match="inside a function that runs as a step"):
        await receipt.read()
    with pytest.raises(RuntimeError, match="inside a function that runs as a step"):
        receipt.read_sync()
