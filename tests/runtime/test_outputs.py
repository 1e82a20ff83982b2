"""What steps write while they run: in order, fenced by attempt, closed with the step, deleted with the run."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from signoff import App, Context, Retry, aisdk, current_step
from signoff.errors import Gone, PayloadTooLarge, ProducerFenced, StreamClosed, StreamNotFound
from signoff.runtime import outputs
from signoff.runtime.local import LocalRunPort
from signoff.runtime.port import OutputAppend
from signoff.service.engine import Engine
from signoff.service.prune import PruneFilter
from signoff.stores.open import open_store
from signoff.streams import offset
from signoff.workflow.entry import DecidedBy
from tests.runtime.scene import Scene, scene, stage, working

pytestmark = pytest.mark.anyio

OPERATOR = DecidedBy("operator", "local")

FREEZES = """
import asyncio, sys, time
from pathlib import Path
from signoff import App, Context, current_step
from signoff.runtime.worker import Worker
from signoff.service.engine import Engine
from signoff.stores.open import open_store

app, folder = App(), Path(sys.argv[2])

def model() -> None:  # in a thread, which nobody stops
    out = current_step().output("tokens")
    out.write("old")
    out.flush()
    while not (folder / "go").exists():
        time.sleep(0.01)
    try:
        while True:
            out.write("late")
            out.flush()
    except Exception as error:
        (folder / "told").write_text(type(error).__name__)

@app.workflow
async def chat(ctx: Context, _: None) -> None:
    await ctx.step("model", model)

async def main() -> None:
    await Worker(app, await Engine.open(open_store(sys.argv[1])), lease_ms=500).run()

asyncio.run(main())
"""

PROGRAM = """
import asyncio, os, signal, sys
from signoff import App, Context, current_step
from signoff.runtime.worker import Worker
from signoff.service.engine import Engine
from signoff.stores.open import open_store

app = App()

async def model() -> None:
    async with current_step().output("tokens") as out:
        for token in "abc":
            await out.write(token)
        await out.flush()
        os.kill(os.getpid(), signal.SIGKILL)

@app.workflow
async def chat(ctx: Context, _: None) -> None:
    await ctx.step("model", model)

async def main() -> None:
    await Worker(app, await Engine.open(open_store(sys.argv[1])), lease_ms=500).run()

asyncio.run(main())
"""


async def until(on: Scene, run_id: str, name: str, last: Any) -> None:
    """Wait until this is what an output ends with."""
    async with asyncio.timeout(30):
        while True:
            try:
                if (await held(on, run_id, name))[0][-1:] == [last]:
                    return
            except StreamNotFound:
                pass
            await asyncio.sleep(0.01)


async def closes(on: Scene, run_id: str, name: str) -> list[Any]:
    """Wait until an output is closed, and return what it holds."""
    async with asyncio.timeout(30):
        while not (found := await held(on, run_id, name))[1]:
            await asyncio.sleep(0.01)
        return list(found[0])


async def held(on: Scene, run_id: str, name: str) -> tuple[Any, bool]:
    """Return what an output holds, and whether it is closed."""
    chunk = await on.engine.streams.read(f"runs/{run_id}/out/{name}")
    return (orjson.loads(chunk.body) if chunk.head.json else chunk.body.decode()), chunk.closed


async def test_what_a_step_writes_is_readable_in_order_and_closed_with_it(store_url: str) -> None:
    app = App()

    async def model() -> int:
        async with current_step().output("tokens") as out:
            for n in range(500):
                await out.write({"n": n})
        return 500

    @app.workflow
    async def chat(ctx: Context, _: None) -> int:
        return await ctx.step("model", model)

    async with stage(app, store_url) as on:
        run_id = await on.start("chat")
        await on.reaches(run_id, "completed")
        messages, closed = await held(on, run_id, "tokens")
        assert [message["n"] for message in messages] == list(range(500))
        assert closed


async def test_a_sync_step_writes_lines_of_a_log_from_its_thread(store_url: str) -> None:
    app = App()

    def build() -> str:
        with current_step().output("log", format="text") as out:
            out.write("compiling\n")
            out.write("done\n")
        return "built"

    @app.workflow
    async def ci(ctx: Context, _: None) -> str:
        return await ctx.step("build", build)

    async with stage(app, store_url) as on:
        run_id = await on.start("ci")
        await on.reaches(run_id, "completed")
        assert await held(on, run_id, "log") == ("compiling\ndone\n", True)


async def test_a_further_attempt_goes_on_in_the_same_output_and_says_so(store_url: str) -> None:
    app = App()

    async def model() -> None:
        step = current_step()
        async with step.output("tokens") as out:
            await out.write(f"attempt {step.attempt}")
        if step.attempt == 1:
            raise ConnectionError("the model is gone")

    @app.workflow
    async def chat(ctx: Context, _: None) -> None:
        await ctx.options(retry=Retry(attempts=2, first="1ms")).step("model", model)

    async with stage(app, store_url) as on:
        run_id = await on.start("chat")
        await on.reaches(run_id, "completed")
        marker = {"signoff": {"step": "model:0", "attempt": 2}}
        assert await held(on, run_id, "tokens") == (["attempt 1", marker, "attempt 2"], True)


async def test_an_output_made_by_the_code_is_there_first_and_stays_open_until_it_is_closed(store_url: str) -> None:
    app = App()

    async def work(name: str) -> None:
        async with current_step().output(name, keep_open=True) as out:
            await out.write("of a step")

    @app.workflow
    async def chat(ctx: Context, _: None) -> str:
        out = await ctx.output("log")
        await ctx.step("work", work, out.name)
        await out.write("of the code", "and more")
        await ctx.await_event("go-on")
        await out.close()
        return out.path

    async with stage(app, store_url) as on:
        run_id = await on.start("chat")
        await on.reaches(run_id, "waiting")
        assert await held(on, run_id, "log") == (["of a step", "of the code", "and more"], False)


async def test_outputs_are_deleted_with_their_run(store_url: str) -> None:
    app = App()

    async def model() -> None:
        async with current_step().output("tokens") as out:
            await out.write("a")

    @app.workflow
    async def chat(ctx: Context, _: None) -> None:
        await ctx.step("model", model)

    async with stage(app, store_url) as on:
        run_id = await on.start("chat")
        await on.reaches(run_id, "completed")
        await on.engine.pruner.prune_these(PruneFilter(2**53), [run_id])
        with pytest.raises(StreamNotFound):
            await held(on, run_id, "tokens")


async def test_a_worker_that_was_overtaken_is_fenced_by_the_output_itself(store_url: str) -> None:
    async with scene(store_url) as on:
        port = LocalRunPort(on.engine)
        run_id = await on.start("chat")
        [frozen] = await port.claim("frozen", ["chat"], lease_ms=60_000, limit=1)
        slow = await port.begin_output(frozen.lease, "tokens", "application/json", "model:0", 1)
        assert slow is not None
        assert await port.append_output(OutputAppend(slow, 0, b'["old"]'))
        await port.release("frozen", [frozen.lease])
        [fresh] = await port.claim("fresh", ["chat"], lease_ms=60_000, limit=1)
        quick = await port.begin_output(fresh.lease, "tokens", "application/json", "model:0", 1)
        assert quick is not None
        assert (slow.again, quick.again) == (False, True)
        assert await port.append_output(OutputAppend(quick, 0, b'["new"]'))
        with pytest.raises(ProducerFenced):
            await port.append_output(OutputAppend(slow, 1, b'["late"]'))
        assert await port.begin_output(frozen.lease, "tokens", "application/json", "model:0", 2) is None
        assert await port.append_output(OutputAppend(quick, 0, b'["new"]')), "sent again"
        assert await held(on, run_id, "tokens") == (["old", "new"], False)


async def test_an_output_that_was_closed_goes_on_for_the_step_that_runs_again(store_url: str) -> None:
    async with scene(store_url) as on:
        port = LocalRunPort(on.engine)
        run_id = await on.start("chat")
        [first] = await port.claim("first", ["chat"], lease_ms=60_000, limit=1)
        session = await port.begin_output(first.lease, "tokens", "application/json", "model:0", 1)
        assert session is not None
        assert await port.append_output(OutputAppend(session, 0, b'["all"]', close=True))
        assert not await port.append_output(OutputAppend(session, 1, b'["more"]')), "it is closed"
        with pytest.raises(StreamClosed):
            await port.begin_output(first.lease, "tokens", "application/json", "other:0", 1)
        await port.release("first", [first.lease])  # it died before the step's entry
        [second] = await port.claim("second", ["chat"], lease_ms=60_000, limit=1)
        again = await port.begin_output(second.lease, "tokens", "application/json", "model:0", 1)
        assert again is not None
        assert again.again
        assert await port.append_output(OutputAppend(again, 0, b'["again"]'))
        assert await held(on, run_id, "tokens") == (["all", "again"], False)


async def test_many_tokens_cost_few_appends(store_url: str) -> None:
    app = App()
    bodies: list[int] = []

    async def model() -> None:
        out = current_step().output("tokens")
        for n in range(1_000):
            await out.write(n)

    @app.workflow
    async def chat(ctx: Context, _: None) -> None:
        await ctx.step("model", model)

    async with scene(store_url) as on:
        append = on.engine.outputs.append

        async def counted(session: Any, seq: int, body: bytes, *, close: bool = False) -> bool:
            bodies.append(seq)
            return await append(session, seq, body, close=close)

        object.__setattr__(on.engine.outputs, "append", counted)
        async with working(app, on):
            run_id = await on.start("chat")
            await on.reaches(run_id, "completed")
            assert await held(on, run_id, "tokens") == (list(range(1_000)), True)
    assert len(bodies) <= 10


async def test_the_outputs_of_a_run_that_is_ended_are_closed(store_url: str) -> None:
    app = App()

    @app.workflow
    async def chat(ctx: Context, _: None) -> None:
        out = await ctx.output("log", format="text")
        await out.write("waiting\n")
        await ctx.await_event("never")

    async with stage(app, store_url) as on:
        run_id = await on.start("chat")
        await on.reaches(run_id, "waiting")
        await on.engine.runs.act("terminate", run_id, OPERATOR)
        await on.engine.outputs.close()
        assert await held(on, run_id, "log") == ("waiting\n", True)


async def test_a_value_that_is_too_large_or_no_text_is_refused_and_fails_the_step(store_url: str) -> None:
    app = App()
    refused: list[str] = []

    async def model() -> None:
        out = current_step().output("log", format="text")
        for value in ("x" * (1 << 20) + "x", 7):
            with pytest.raises((PayloadTooLarge, TypeError)) as error:
                await out.write(value)
            refused.append(type(error.value).__name__)
        await out.write("ok")

    @app.workflow
    async def chat(ctx: Context, _: None) -> None:
        await ctx.step("model", model)

    async with stage(app, store_url) as on:
        run_id = await on.start("chat")
        await on.reaches(run_id, "completed")
        assert refused == ["PayloadTooLarge", "TypeError"]
        assert await held(on, run_id, "log") == ("ok", True)


async def test_a_request_is_announced_after_it_is_there_and_ends_the_message(store_url: str) -> None:
    app = App()

    async def model() -> None:
        async with aisdk.message("chat", message_id="m1", keep_open=True) as chat:
            await chat.text("I will ")
            await chat.text("remove it.")
            await chat.tool_input("remove", {"path": "a"}, tool_call_id="call-1")

    @app.workflow
    async def agent(ctx: Context, _: None) -> str:
        await ctx.output("chat", format="ui-message")
        await ctx.step("model", model)
        answer = await ctx.await_input(
            "remove",
            title="Remove a?",
            actions={"approve": None, "reject": None},
            to=["group:finance"],
            announce={"output": "chat", "tool_call_id": "call-1"},
        )
        return answer.action

    async with stage(app, store_url) as on:
        run_id = await on.start("agent")
        row = await on.asks(run_id, "remove:0")
        async with asyncio.timeout(10):
            while not (await held(on, run_id, "chat"))[1]:
                await asyncio.sleep(0.01)
        chunks, _ = await held(on, run_id, "chat")
        assert [chunk["type"] for chunk in chunks] == [
            *("start", "start-step", "text-start", "text-delta", "text-delta", "text-end", "tool-input-available"),
            *("tool-approval-request", "finish-step", "finish"),
        ]
        assert chunks[7] == {
            "type": "tool-approval-request",
            "approvalId": f"{run_id}/remove:0",
            "toolCallId": "call-1",
        }
        await on.answer(row, None, action="approve")
        await on.reaches(run_id, "completed")


@pytest.mark.parametrize(
    ("second", "texts", "replaced"),
    [
        ("I will remove it.", ["I will remove it."], []),
        ("I would not.", ["I will re", "I would not."], ["I will re"]),
        ("I will", ["I will re", "I will"], ["I will re"]),
    ],
)
async def test_a_further_attempt_of_a_message_goes_on_where_the_first_was(
    store_url: str, second: str, texts: list[str], replaced: list[str]
) -> None:
    app = App()

    async def model() -> None:
        first = current_step().attempt == 1
        async with aisdk.message("chat") as chat:
            for token in "I will re" if first else second:
                await chat.text(token)
            if first:
                raise ConnectionError("the model is gone")

    @app.workflow
    async def agent(ctx: Context, _: None) -> None:
        await ctx.options(retry=Retry(attempts=2, first="1ms")).step("model", model)

    async with stage(app, store_url) as on:
        run_id = await on.start("agent")
        await on.reaches(run_id, "completed")
        chunks, closed = await held(on, run_id, "chat")
        said: dict[str, str] = {}
        for chunk in chunks:
            if chunk["type"] == "text-delta":
                said[chunk["id"]] = said.get(chunk["id"], "") + chunk["delta"]
        assert list(said.values()) == texts
        assert [one["data"]["text"] for one in chunks if one["type"] == "data-signoff-replaced"] == replaced
        assert [one["type"] for one in chunks].count("start") == 1
        assert [one["type"] for one in chunks][-2:] == ["finish-step", "finish"]
        assert closed


async def test_a_worker_that_is_killed_in_mid_stream_is_followed_by_another(shared_url: str) -> None:
    app = App()

    async def model() -> None:
        async with current_step().output("tokens") as out:
            for token in "abcd":
                await out.write(token)

    @app.workflow
    async def chat(ctx: Context, _: None) -> None:
        await ctx.step("model", model)

    async with scene(shared_url) as on:
        run_id = await on.start("chat")
        killed = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, shared_url)
        assert await asyncio.wait_for(killed.wait(), 30) == -signal.SIGKILL
        assert await held(on, run_id, "tokens") == (["a", "b", "c"], False)
        async with working(app, on, poll_ms=50):
            await on.reaches(run_id, "completed")
        marker = {"signoff": {"step": "model:0", "attempt": 1}}
        assert await held(on, run_id, "tokens") == ([*"abc", marker, *"abcd"], True)


async def test_a_frozen_worker_that_thaws_has_written_nothing_since_another_has_its_run(
    shared_url: str, tmp_path: Path
) -> None:
    app = App()
    checked = asyncio.Event()

    async def model() -> None:
        async with current_step().output("tokens") as out:
            await out.write("new")
            await out.flush()
            await checked.wait()

    @app.workflow
    async def chat(ctx: Context, _: None) -> None:
        await ctx.step("model", model)

    async with scene(shared_url) as on:
        run_id = await on.start("chat")
        frozen = await asyncio.create_subprocess_exec(sys.executable, "-c", FREEZES, shared_url, str(tmp_path))
        try:
            await until(on, run_id, "tokens", "old")
            frozen.send_signal(signal.SIGSTOP)
            async with working(app, on, poll_ms=50):
                await until(on, run_id, "tokens", "new")
                (tmp_path / "go").touch()
                frozen.send_signal(signal.SIGCONT)
                async with asyncio.timeout(30):
                    while not (tmp_path / "told").exists():
                        await asyncio.sleep(0.01)
                checked.set()
                await on.reaches(run_id, "completed")
        finally:
            frozen.kill()
            await frozen.wait()
        assert (tmp_path / "told").read_text() == "ProducerFenced"
        marker = {"signoff": {"step": "model:0", "attempt": 1}}
        assert await held(on, run_id, "tokens") == (["old", marker, "new"], True)


async def test_a_store_that_is_slow_holds_up_a_step_only_when_much_is_on_its_way(store_url: str) -> None:
    app = App()
    piece, written, appends, goes_on = "x" * 65_536, [], [], asyncio.Event()

    async def build() -> None:
        out = current_step().output("log", format="text")
        for n in range(64):
            await out.write(piece)
            written.append(n)

    @app.workflow
    async def ci(ctx: Context, _: None) -> None:
        await ctx.step("build", build)

    async with scene(store_url) as on:
        append = on.engine.outputs.append

        async def slow(session: Any, seq: int, body: bytes, *, close: bool = False) -> bool:
            appends.append(len(body))
            await goes_on.wait()
            return await append(session, seq, body, close=close)

        object.__setattr__(on.engine.outputs, "append", slow)
        async with working(app, on):
            run_id = await on.start("ci")
            async with asyncio.timeout(10):
                while len(written) * len(piece) < outputs.WAITING_BYTES or not appends:
                    await asyncio.sleep(0.001)
            before = 0
            while before < len(written):  # until it waits: what is being appended by then makes room for more
                before = len(written)
                await asyncio.sleep(0.1)
            on_its_way = (before + 1) * len(piece)
            most = outputs.WAITING_BYTES + outputs.APPEND_BYTES + len(piece)
            assert outputs.WAITING_BYTES < on_its_way <= most
            goes_on.set()
            await on.reaches(run_id, "completed")
            assert await on.engine.outputs.read(f"runs/{run_id}/out/log") == piece.encode() * 64
    assert max(appends) <= outputs.APPEND_BYTES


@pytest.mark.parametrize("verb", ["terminate", "cancel"])
async def test_a_run_that_is_ended_in_mid_stream_closes_what_its_steps_were_writing(store_url: str, verb: str) -> None:
    app = App()

    async def model() -> None:
        async with current_step().output("tokens") as out:
            await out.write("a")
            await asyncio.Event().wait()

    @app.workflow
    async def chat(ctx: Context, _: None) -> None:
        await ctx.step("model", model)

    async with stage(app, store_url) as on:
        run_id = await on.start("chat")
        await until(on, run_id, "tokens", "a")
        await on.engine.runs.act(verb, run_id, OPERATOR)
        await on.reaches(run_id, "cancelled")
        assert await closes(on, run_id, "tokens") == ["a"]


async def test_a_run_that_fails_closes_its_outputs_and_a_retry_goes_on_with_them(store_url: str) -> None:
    app = App()
    healed = False

    async def model(name: str) -> None:
        async with current_step().output(name, keep_open=True) as out:
            await out.write("a")
        if not healed:
            raise ConnectionError("the model is gone")

    @app.workflow
    async def chat(ctx: Context, _: None) -> None:
        out = await ctx.output("tokens")
        await ctx.options(retry=Retry(attempts=1)).step("model", model, out.name)
        await out.close()

    async with stage(app, store_url) as on:
        run_id = await on.start("chat")
        await on.reaches(run_id, "failed")
        assert await closes(on, run_id, "tokens") == ["a"]
        healed = True
        await on.engine.runs.act("retry", run_id, OPERATOR)
        await on.reaches(run_id, "completed")
        said = await closes(on, run_id, "tokens")
        assert (said[0], said[-1], len(said)) == ("a", "a", 3)


async def test_a_step_that_the_code_waits_for_no_more_closes_what_it_was_writing(store_url: str) -> None:
    app = App()

    async def model() -> None:
        async with current_step().output("tokens") as out:
            await out.write("a")
            await asyncio.Event().wait()

    @app.workflow
    async def chat(ctx: Context, _: None) -> None:
        step = ctx.step("model", model)
        await ctx.await_event("enough")
        step.cancel()
        await ctx.await_event("never")

    async with stage(app, store_url) as on:
        run_id = await on.start("chat")
        await until(on, run_id, "tokens", "a")
        await on.engine.events.send(run_id, "enough", id="e", payload=None)
        assert await closes(on, run_id, "tokens") == ["a"]
        assert (await on.engine.runs.get(run_id))["status"] != "cancelled"


@pytest.mark.parametrize("writing", [True, False])
async def test_a_run_that_is_taken_back_says_it_again_and_its_fork_says_it_for_itself(
    store_url: str, writing: bool
) -> None:
    app = App()
    started: list[int] = []

    async def model() -> None:
        started.append(0)
        async with current_step().output("tokens") as out:
            await out.write(len(started))
            await out.flush()
            if writing and len(started) == 1:
                await asyncio.Event().wait()

    @app.workflow
    async def chat(ctx: Context, _: None) -> None:
        await ctx.step("model", model)
        await ctx.await_event("never")

    async with stage(app, store_url) as on:
        run_id = await on.start("chat")
        await until(on, run_id, "tokens", 1)
        if not writing:
            await on.reaches(run_id, "waiting")
        before = await on.engine.streams.read(f"runs/{run_id}/out/tokens")
        await on.engine.runs.act("rewind", run_id, OPERATOR, to="model:0")
        await on.reaches(run_id, "waiting")
        marker = {"signoff": {"step": "model:0", "attempt": 1}}
        assert await held(on, run_id, "tokens") == ([1, marker, 2], True)
        rest = on.engine.streams.read(f"runs/{run_id}/out/tokens", offset.marked(before.end, before.head.incarnation))
        if writing:
            assert orjson.loads((await rest).body) == [marker, 2], "a reader goes on where it was"
        else:
            with pytest.raises(Gone):
                await rest
        fork = (await on.engine.runs.act("fork", run_id, OPERATOR, at="model:0"))["id"]
        await on.reaches(fork, "waiting")
        assert await held(on, fork, "tokens") == ([3], True)


async def test_a_worker_that_is_replaced_in_mid_stream_is_followed_by_another(store_url: str) -> None:
    app = App()
    stays = True

    async def model() -> None:
        async with current_step().output("tokens") as out:
            await out.write("a")
            await out.flush()
            if stays:
                await asyncio.Event().wait()

    @app.workflow
    async def chat(ctx: Context, _: None) -> None:
        await ctx.step("model", model)

    async with scene(store_url) as on:
        run_id = await on.start("chat")
        async with working(app, on) as old:
            await until(on, run_id, "tokens", "a")
            await old.drain(timeout_s=0)
        assert await held(on, run_id, "tokens") == (["a"], False)
        stays = False
        async with working(app, on):
            await on.reaches(run_id, "completed")
        marker = {"signoff": {"step": "model:0", "attempt": 1}}
        assert await held(on, run_id, "tokens") == (["a", marker, "a"], True)


async def test_a_step_that_writes_too_much_is_told_at_once_and_may_end_all_the_same(store_url: str) -> None:
    app = App()
    told: list[str] = []

    async def build(catches: bool) -> str:
        out = current_step().output("log", format="text")
        try:
            for _ in range(100):
                await out.write("line\n")
                await out.flush()
        except PayloadTooLarge as error:
            told.append(str(error))
            if not catches:
                raise
        return "built"

    @app.workflow
    async def ci(ctx: Context, catches: bool) -> str:
        return await ctx.step("build", build, catches)

    engine = await Engine.open(open_store(store_url), output_bytes=22)
    try:
        on = Scene(engine)
        async with working(app, on):
            run_id = await on.start("ci", True)
            await on.reaches(run_id, "completed")
            assert await held(on, run_id, "log") == ("line\n" * 4, True)
            failed = await on.start("ci", False)
            await on.reaches(failed, "failed")
            [entry] = await on.entries(failed, "step.failed")
            assert entry["error"]["code"] == "payload_too_large"
    finally:
        await engine.close()
    assert told == [
        f"The output runs/{one}/out/log has 20 bytes, and one has at most 22: 5 bytes more were not written. "
        "What it has stays readable. Write less, or go on in another output."
        for one in (run_id, failed)
    ]
