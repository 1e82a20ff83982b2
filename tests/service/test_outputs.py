"""Who may read the outputs of a run, that nobody but the engine writes them, and that each comes to its end."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from signoff.clock import Clock, ManualClock, SystemClock
from signoff.errors import PayloadTooLarge, RunNotFound, StreamClosed, StreamNotFound
from signoff.runtime.local import LocalRunPort
from signoff.runtime.port import OutputAppend
from signoff.service import outputs
from signoff.service.act import view_of
from signoff.service.engine import Engine
from signoff.service.kinds import OUTPUTS, OUTPUTS_LEFT, run_name
from signoff.service.run_change import RunChange, RunSnapshot
from signoff.stores.open import open_store
from signoff.workflow.entry import DecidedBy, Entry, Error
from signoff.workflow.run.entries import RunFailed
from tests.runtime.scene import Scene, scene
from tests.server.hosting import KEYED, bearer, hosting

pytestmark = pytest.mark.anyio


async def test_whoever_may_read_the_run_reads_its_outputs_and_nobody_writes_them(store_url: str) -> None:
    async with hosting(store_url, KEYED) as host:
        await host.engine.runs.start("agent", run_id="r1")
        path = await host.engine.outputs.create("r1", "chat", "ui-message")
        url = f"/v1/stream/{path}"
        statuses = {
            "the run's": (await host.http.get(url, headers=bearer("ann", "run:read:r1"))).status_code,
            "another run's": (await host.http.get(url, headers=bearer("bob", "run:read:r2"))).status_code,
            "streams'": (await host.http.get(url, headers=bearer("cid", "stream:read:*"))).status_code,
            "operator's": (await host.http.get(url, headers=bearer("ops", "operator"))).status_code,
            "nobody's": (await host.http.get(url)).status_code,
        }
        expected = {"the run's": 200, "another run's": 403, "streams'": 403, "operator's": 200, "nobody's": 401}
        assert statuses == expected
        headers = bearer("ops", "operator") | {"content-type": "application/json"}
        for method in ("PUT", "POST", "DELETE"):
            refused = await host.http.request(method, url, headers=headers, content=b"[1]")
            assert (method, refused.status_code, refused.json()["code"]) == (method, 403, "engine_owned")


# -- what is left open -------------------------------------------------------------------------------------------------

OPERATOR = DecidedBy("operator", "local")

DIES = """
import asyncio, os, signal, sys
from signoff.service.engine import Engine
from signoff.stores.open import open_store
from signoff.workflow.entry import DecidedBy

async def main() -> None:
    engine = await Engine.open(open_store(sys.argv[1]))
    await engine.outputs.create("r1", "chat")
    engine.committer.listen(lambda _: os.kill(os.getpid(), signal.SIGKILL))  # durable, and nobody was told
    await engine.runs.act("terminate", "r1", DecidedBy("operator", "local"))

asyncio.run(main())
"""


async def terms(on: Scene, run_id: str) -> set[str]:
    loaded = await on.engine.store.load(run_name(run_id))
    assert loaded is not None
    return {term for term in loaded.subject.terms if term.startswith("outputs")}


async def is_closed(on: Scene, path: str) -> bool:
    return (await on.engine.streams.head(path)).closed


async def ends(on: Scene, run_id: str, *entries: Entry) -> None:
    """Have a run end as by a process that dies before it has closed anything."""
    loaded = await on.engine.store.load(run_name(run_id))
    assert loaded is not None
    snapshot = RunSnapshot(loaded.subject, view_of(loaded))
    change = RunChange(snapshot, entries, ready=False, wake_at=None).change
    await on.engine.store.commit([change])


async def left_open(on: Scene, clock: Clock, run_id: str = "r1") -> str:
    await on.start("agent", run_id=run_id)
    path = await on.engine.outputs.create(run_id, "chat")
    await ends(on, run_id, RunFailed(clock.now_ms(), Error("gone", "gone")))
    return path


async def test_what_a_killed_process_has_left_open_is_closed_under_a_reader_by_any_other(
    shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "EVERY_S", 0.05)
    monkeypatch.setattr(outputs, "AFTER_MS", 50)
    async with hosting(shared_url) as host:
        await host.engine.runs.start("agent", run_id="r1")
        killed = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, shared_url)
        assert await asyncio.wait_for(killed.wait(), 30) == -9
        url = "/v1/stream/runs/r1/out/chat?offset=-1&live=long-poll"
        while "stream-closed" not in (reply := await host.http.get(url)).headers:
            url = f"/v1/stream/runs/r1/out/chat?offset={reply.headers['stream-next-offset']}&live=long-poll"
        assert (await host.engine.runs.get("r1"))["status"] == "cancelled"


async def test_one_of_many_looks_after_a_run_once_and_those_that_go_on_are_left_alone(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "EVERY_S", 3_600)  # else the engine itself is a fourth, and may come before them
    clock = ManualClock(1_000_000)
    async with scene(store_url, clock) as on:
        path = await left_open(on, clock)
        await on.start("agent", run_id="goes-on")
        other = await on.engine.outputs.create("goes-on", "chat")
        assert (await terms(on, "r1"), await terms(on, "goes-on")) == ({OUTPUTS_LEFT}, {OUTPUTS})
        assert await on.engine.outputs.sweep() == 0, "who has ended it may be about to"
        clock.advance(outputs.AFTER_MS)
        processes = [outputs.Outputs(on.engine.store, on.engine.streams, on.engine.committer, clock) for _ in "abc"]
        assert sum(await asyncio.gather(*(one.sweep() for one in processes))) == 1
        assert (await is_closed(on, path), await is_closed(on, other)) == (True, False)
        assert await terms(on, "r1") == set()
        assert await on.engine.outputs.sweep() == 0


async def test_a_run_that_is_taken_up_again_keeps_what_it_has_said(store_url: str) -> None:
    clock = ManualClock(1_000_000)
    async with scene(store_url, clock) as on:
        port = LocalRunPort(on.engine)
        path = await left_open(on, clock)
        clock.advance(outputs.AFTER_MS)
        await on.engine.outputs.sweep()
        await on.engine.runs.act("retry", "r1", OPERATOR)
        [run] = await port.claim("w", ["agent"], lease_ms=60_000, limit=1)
        session = await port.begin_output(run.lease, "chat", "application/json", "model:0", 1)
        assert session is not None
        assert await port.append_output(OutputAppend(session, 0, b'["again"]'))
        assert await terms(on, "r1") == {OUTPUTS}
        assert await on.engine.outputs.read(path) == b'["again"]'


async def test_what_is_closed_as_the_run_fails_goes_on_with_a_retry_at_the_same_moment(store_url: str) -> None:
    async with scene(store_url) as on:
        port = LocalRunPort(on.engine)
        await on.start("agent", run_id="r1")
        [run] = await port.claim("w", ["agent"], lease_ms=60_000, limit=1)
        session = await port.begin_output(run.lease, "chat", "application/json", "model:0", 1)
        assert session is not None
        assert await port.append_output(OutputAppend(session, 0, b'["a"]'))
        await on.engine.outputs.close_all("r1")  # by who has seen it fail, later than it was retried
        assert not await port.append_output(OutputAppend(session, 1, b'["b"]'))
        resumed = await port.begin_output(run.lease, "chat", "application/json", "model:0", 1, resumed=True)
        assert resumed is not None
        assert await port.append_output(OutputAppend(resumed, 0, b'["b"]', close=True))
        assert await on.engine.outputs.read(session.path) == b'["a","b"]'
        assert await port.begin_output(run.lease, "chat", "application/json", "log:0", 1, resumed=True) is None


async def test_nothing_is_made_for_a_run_that_has_ended_not_even_by_who_was_frozen_over_it(store_url: str) -> None:
    async with scene(store_url) as on:
        await on.start("agent", run_id="r1")
        load, store = on.engine.store.load_stream, on.engine.store

        async def freezes(path: str, producer_id: str | None = None) -> Any:
            store.load_stream = load  # type: ignore[method-assign]
            found = await load(path, producer_id)
            await on.engine.runs.act("terminate", "r1", OPERATOR)
            await on.engine.outputs.close()
            return found

        store.load_stream = freezes  # type: ignore[method-assign]
        with pytest.raises(StreamClosed, match="has ended"):
            await on.engine.outputs.create("r1", "chat")
        with pytest.raises(StreamNotFound):
            await on.engine.streams.head("runs/r1/out/chat")
        with pytest.raises(StreamClosed, match="has ended"):
            await on.engine.outputs.create("r1", "more")
        with pytest.raises(RunNotFound):
            await on.engine.outputs.create("r2", "chat")


# -- how long one may become -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["application/json", "text/plain; charset=utf-8"])
async def test_an_output_has_an_end_whoever_writes_to_it(store_url: str, kind: str) -> None:
    value = b'"' + 398 * b"x" + b'"'
    body = b"[%b]" % value if "json" in kind else value

    async def engine_of(store: Any) -> Engine:
        return await Engine.open(store, SystemClock(), output_bytes=1_000)

    engine = await engine_of(open_store(store_url))
    try:
        on, port = Scene(engine), LocalRunPort(engine)
        await on.start("agent", run_id="r1")
        [run] = await port.claim("w", ["agent"], lease_ms=60_000, limit=1)
        first = await port.begin_output(run.lease, "log", kind, "model:0", 1)
        other = await port.begin_output(run.lease, "log", kind, "tool:0", 1)
        assert first is not None
        assert other is not None
        assert await port.append_output(OutputAppend(first, 0, body))
        assert await port.append_output(OutputAppend(other, 0, body))
        for session in (first, other):
            with pytest.raises(PayloadTooLarge, match="runs/r1/out/log has 800 bytes, and one has at most 1,000: 400"):
                await port.append_output(OutputAppend(session, 1, body))
        on.engine.outputs._lengths._known.clear()  # as in a process that has not written it
        with pytest.raises(PayloadTooLarge, match=r"has 80[01] bytes"):
            await port.append_output(OutputAppend(first, 1, body))
        small = b"[1]" if "json" in kind else b"1"
        assert await port.append_output(OutputAppend(first, 1, small, close=True)), "the number was not used"
    finally:
        await engine.close()
