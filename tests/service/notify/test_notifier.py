"""Functions of the application are told of requests: each event, in order for each request, whatever goes wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from signoff import App, Context, Decided, RequestEvent, approve
from signoff.paths import NOTIFICATIONS, notifications_path
from signoff.service.notify import notifier as module
from signoff.service.notify.functions import PREFIX, FunctionMessenger
from signoff.service.notify.notifier import Notifier
from signoff.service.notify.target import GIVEN_UP_MS, NotifyTarget, TargetKind
from signoff.workflow.definition import App as Application
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who
from tests.runtime.scene import Scene, stage


def application() -> App:
    app = App()

    @app.workflow
    async def expense(ctx: Context, title: str) -> bool:
        answer = await ctx.await_input("approval", bool, title=title, to=["user:alice"])
        return answer.value

    return app


@asynccontextmanager
async def telling(app: Application, on: Scene) -> AsyncIterator[Notifier]:
    engine = on.engine
    own: dict[str, TargetKind] = {f"{PREFIX}{name}": "function" for name in app.listeners}
    messenger = FunctionMessenger(app.listeners)
    notifier = Notifier(engine.store, engine.targets, engine.clock, {"function": messenger}, own=own)
    notifier.start()
    try:
        await until(engine.targets.list)
        yield notifier
    finally:
        await notifier.close()


async def until(found: Callable[[], Any]) -> Any:
    """Wait for something that is true, and return it."""
    async with asyncio.timeout(20):
        while True:
            value = found()
            value = await value if asyncio.iscoroutine(value) else value
            if value:
                return value
            await asyncio.sleep(0.01)


async def test_what_happens_to_a_request_is_told_in_order_and_never_the_answer(url: str) -> None:
    app, told = application(), []

    @app.on_request
    async def tell(event: RequestEvent) -> None:
        told.append(event)

    async with stage(app, url) as on, telling(app, on):
        run_id = await on.start("expense", "Lunch?")
        await on.answer(await on.asks(run_id, "approval:0"), value=True)
        await until(lambda: len(told) == 2)
    asked, decided = told
    assert (asked.event, asked.title, asked.to, asked.action) == ("asked", "Lunch?", ("user:alice",), None)
    assert (decided.event, decided.action, decided.value) == ("decided", "submit", None)
    assert asked.request == decided.request == f"{run_id}/approval:0"
    assert asked.id != decided.id


async def test_a_store_that_is_busy_with_requests_is_looked_at_now_and_then(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told here, so the looks are all there is to it: each of them reads from the store."""
    app, looks = application(), 0
    monkeypatch.setattr(module, "APART_S", 3_600)

    async def look(self: Notifier) -> None:
        nonlocal looks
        looks += 1

    monkeypatch.setattr(Notifier, "_look", look)
    async with stage(app, url) as on:
        notifier = Notifier(on.engine.store, on.engine.targets, on.engine.clock, {})
        notifier.start()
        for number in range(5):
            run_id = await on.start("expense", str(number))
            await on.answer(await on.asks(run_id, "approval:0"), value=True)
        assert looks == 1
        await notifier.close()


async def test_people_are_called_only_to_what_a_policy_leaves_to_them(url: str) -> None:
    app, told = App(), []

    @app.on_request
    async def tell(event: RequestEvent) -> None:
        told.append((event.key, event.event))

    def policy(_tool: str, args: dict[str, str]) -> Decided | None:
        return approve("one of us") if args["to"] == "boss" else None

    @app.workflow
    async def agent(ctx: Context) -> None:
        for to in ("boss", "eve"):
            await ctx.approve_tool("send", {"to": to}, to=["user:alice"], policy=policy)

    async with stage(app, url) as on, telling(app, on):
        run_id = await on.start("agent")
        await on.answer(await on.pending(run_id, "tool.send:1"), None, action="approve")
        await until(lambda: len(told) == 3)
    assert told == [("tool.send:0", "decided"), ("tool.send:1", "asked"), ("tool.send:1", "decided")]


async def test_whoever_is_asked_next_and_what_an_operator_changes_is_told(url: str) -> None:
    app, told = application(), []

    @app.on_request
    async def tell(event: RequestEvent) -> None:
        told.append((event.event, event.to, event.title))

    async with stage(app, url) as on, telling(app, on):
        run_id = await on.start("expense", "Lunch?")
        await on.asks(run_id, "approval:0")
        boss = Who(frozenset(), DecidedBy("operator", "boss"), operator=True)
        for verb, body in (
            ("reassign", {"to": ["user:bora"], "reason": "away"}),
            ("revise", {"title": "Dinner?", "reason": "a mistake"}),
        ):
            await on.engine.inputs.act(verb, run_id, "approval:0", body, boss)
        await until(lambda: len(told) == 3)
    assert told == [
        ("asked", ("user:alice",), "Lunch?"),
        ("asked", ("user:bora",), "Lunch?"),
        ("revised", ("user:bora",), "Dinner?"),
    ]


async def test_a_request_that_ends_with_its_run_is_withdrawn(url: str) -> None:
    app, told = application(), []

    @app.on_request(events=["withdrawn"])
    def tell(event: RequestEvent) -> None:
        told.append(event.event)

    async with stage(app, url) as on, telling(app, on):
        run_id = await on.start("expense", "Lunch?")
        await on.asks(run_id, "approval:0")
        await on.engine.runs.act("cancel", run_id, DecidedBy("operator", "test"))
        await until(lambda: told)
    assert told == ["withdrawn"]


async def test_one_that_fails_is_told_again_with_the_same_id_and_holds_up_its_own_request_alone(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signoff.service.notify.target.FIRST_PAUSE_MS", 1)
    monkeypatch.setattr(module, "POLL_S", 0.05)
    app, told, mended = application(), [], asyncio.Event()

    @app.on_request
    async def tell(event: RequestEvent) -> None:
        told.append(event)
        if event.title == "wrong" and not mended.is_set():
            raise ValueError("the receiver is away")

    def events(title: str) -> list[RequestEvent]:
        return [event for event in told if event.title == title]

    async with stage(app, url) as on, telling(app, on):
        wrong = await on.start("expense", "wrong")
        await on.answer(await on.asks(wrong, "approval:0"), value=True)
        await until(lambda: len(events("wrong")) > 2)
        right = await on.start("expense", "right")
        await on.answer(await on.asks(right, "approval:0"), value=True)
        await until(lambda: len(events("right")) == 2)
        assert {event.event for event in events("wrong")} == {"asked"}
        [target] = await until(lambda: failing(on))
        assert target["last_error"] == "ValueError: the receiver is away"
        mended.set()
        await until(lambda: events("wrong")[-1].event == "decided")
        assert len({event.id for event in events("wrong")}) == 2
        await until(lambda: all_told(on))


async def failing(on: Scene) -> list[Any]:
    return [one for one in await on.engine.targets.list() if one["failing_since"] is not None]


async def all_told(on: Scene) -> bool:
    return all(one["backlog"] == 0 for one in await on.engine.targets.list())


@pytest.mark.parametrize("threaded", [False, True])
async def test_one_that_hangs_holds_up_neither_others_nor_the_run(
    url: str, monkeypatch: pytest.MonkeyPatch, threaded: bool
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    app, told, over = application(), [], threading.Event()

    if threaded:

        @app.on_request(name="hangs")
        def wait(event: RequestEvent) -> None:
            over.wait(30)
    else:

        @app.on_request(name="hangs")
        async def never(event: RequestEvent) -> None:
            await asyncio.Event().wait()

    @app.on_request
    async def tell(event: RequestEvent) -> None:
        told.append(event.event)

    async with stage(app, url) as on, telling(app, on):
        run_id = await on.start("expense", "Lunch?")
        await on.answer(await on.asks(run_id, "approval:0"), value=True)
        await on.reaches(run_id, "completed")
        await until(lambda: told == ["asked", "decided"])
        [target] = await until(lambda: failing(on))
        assert (target["id"], target["last_error"]) == ("app.hangs", "it did not take it within 0.2 s")
        over.set()


async def test_what_was_sent_and_not_noted_is_sent_again_and_two_tell_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 0.05)
    app, told = application(), []

    @app.on_request
    async def tell(event: RequestEvent) -> None:
        told.append(event.id)
        if len(told) == 1:
            await asyncio.Event().wait()  # the process ends while this is under way

    async with stage(app, url) as on:
        async with telling(app, on):
            await on.asks(await on.start("expense", "Lunch?"), "approval:0")
            await until(lambda: told)
        async with telling(app, on), telling(app, on):
            await until(lambda: len(told) == 2)
            for n in range(20):
                await on.start("expense", f"{n}")
            await until(lambda: len(told) >= 22)
            await until(lambda: all_told(on))
    assert told[0] == told[1]
    assert len(told) == len(set(told)) + 1


async def test_one_that_is_cut_by_a_close_leaves_its_target_to_the_next_at_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is on the same clock, so it would wait for what the first had not given up."""
    monkeypatch.setattr(module, "CLOSE_S", 0.3)
    app, told, go, ended = application(), [], asyncio.Event(), asyncio.Event()

    @app.on_request
    async def tell(event: RequestEvent) -> None:
        told.append(event)
        if event.title == "slow":
            await go.wait()
        elif not ended.is_set():
            await asyncio.Event().wait()

    def ids(title: str) -> list[str]:
        return [event.id for event in told if event.title == title]

    async with stage(app, url) as on:
        async with telling(app, on) as first:
            for title in ("hangs", "slow"):
                await on.asks(await on.start("expense", title), "approval:0")
            await until(lambda: len(told) == 2)
            closing = asyncio.ensure_future(first.close())
            await asyncio.sleep(0)
            go.set()
            await closing
        target, _ = await on.engine.targets.load("app.tell")
        assert (target.holder, target.until) == ("", 0)
        [waiting] = target.waiting.values()
        assert ([event.id for event in waiting.events], waiting.attempts) == (ids("hangs"), 0)
        ended.set()
        async with telling(app, on):
            await until(lambda: all_told(on))
    assert (len(ids("slow")), len(ids("hangs")), len(set(ids("hangs")))) == (1, 2, 1)


async def test_others_are_told_at_once_while_one_hangs(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 3_600)
    monkeypatch.setattr(module, "TIMEOUT_S", 3_600)
    app, told, over = application(), [], asyncio.Event()

    @app.on_request
    async def tell(event: RequestEvent) -> None:
        told.append(event.title)
        if event.title == "hangs":
            await over.wait()

    async with stage(app, url) as on, telling(app, on):
        titles = ["hangs", "one", "two"]
        while titles:
            await on.start("expense", titles[0])
            await until(lambda: told[-1:] == titles[:1])
            del titles[0]
        over.set()
        await until(lambda: all_told(on))


async def test_a_telling_that_waits_for_one_that_hangs_looks_now_and_then(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_S", 3_600)
    monkeypatch.setattr(module, "TIMEOUT_S", 3_600)
    monkeypatch.setattr(module, "CLOSE_S", 0.05)
    app, told, looks, look = application(), [], 0, module._Telling._read

    @app.on_request
    async def tell(event: RequestEvent) -> None:
        told.append(event.title)
        await asyncio.Event().wait()

    async def counted(self: module._Telling, target: NotifyTarget) -> bool:
        nonlocal looks
        looks += 1
        return await look(self, target)

    monkeypatch.setattr(module._Telling, "_read", counted)
    async with stage(app, url) as on, telling(app, on):
        await on.start("expense", "hangs")
        await until(lambda: told)
        monkeypatch.setattr(module, "APART_S", 3_600)
        before = looks
        for number in range(5):
            run_id = await on.start("expense", str(number))
            await on.answer(await on.asks(run_id, "approval:0"), value=True)
            await on.reaches(run_id, "completed")
        assert looks <= before + 1  # one may have been about to look


async def test_streams_of_notifications_do_not_grow_once_all_are_told(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DROP", 1)
    monkeypatch.setattr(module, "POLL_S", 0.05)
    app = application()

    @app.on_request
    async def tell(event: RequestEvent) -> None:
        pass

    async with stage(app, url) as on, telling(app, on):
        run_id = await on.start("expense", "Lunch?")
        path = notifications_path(run_id)
        assert path in NOTIFICATIONS

        async def trimmed() -> bool:
            found = await on.engine.store.load_stream(path)
            return found is not None and found.head.base == found.head.tail == 1

        await until(trimmed)
        await on.answer(await on.asks(run_id, "approval:0"), value=True)
        await until(lambda: all_told(on))


async def test_what_operators_do_meanwhile_has_nothing_told_twice(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.05)
    app, told, go = application(), [], asyncio.Event()

    @app.on_request
    async def tell(event: RequestEvent) -> None:
        told.append(event.event)
        await go.wait()

    async with stage(app, url) as on, telling(app, on):
        run_id = await on.start("expense", "Lunch?")
        row = await on.asks(run_id, "approval:0")
        await until(lambda: told)
        await on.engine.targets.retry("app.tell")
        await on.engine.targets.pause("app.tell")
        go.set()

        async def released() -> bool:
            target, _ = await on.engine.targets.load("app.tell")
            return not target.holder

        await until(released)
        await on.answer(row, value=True)
        await on.reaches(run_id, "completed")
        await on.placed()
        [target] = await on.engine.targets.list()
        assert (target["paused"], target["backlog"], told) == (True, 1, ["asked"])
        await on.engine.targets.pause("app.tell", paused=False)
        await until(lambda: all_told(on))
    assert told == ["asked", "decided"]


async def test_what_is_skipped_lets_the_next_be_told_and_a_deleted_run_leaves_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.05)
    app, told = application(), []

    @app.on_request
    async def tell(event: RequestEvent) -> None:
        told.append(event.event)
        if event.event == "asked":
            raise ValueError("the receiver is away")

    async with stage(app, url) as on, telling(app, on):
        run_id = await on.start("expense", "a secret title")
        await on.answer(await on.asks(run_id, "approval:0"), value=True)
        await on.reaches(run_id, "completed")
        [target] = await until(lambda: failing(on))
        assert target["next_attempt"] > target["failing_since"]
        [one] = target["failing"]
        assert (one["event"], one["run_id"], one["key"], one["attempts"]) == ("asked", run_id, "approval:0", 1)
        assert await on.engine.targets.skip("app.tell", "evt_unknown") == 0
        assert await on.engine.targets.skip("app.tell") == 1
        await until(lambda: told == ["asked", "decided"])
        await until(lambda: all_told(on))
        [target] = await on.engine.targets.list()
        assert [gone["id"] for gone in target["given_up"]] == [one["id"]]
        await on.engine.runs.act("delete", run_id, DecidedBy("operator", "test"))
        await on.placed()
        await until(lambda: nothing_of(on, "a secret title"))
        assert await on.engine.targets.retry("app.tell") == 0


async def nothing_of(on: Scene, text: str) -> bool:
    return all(text not in target.dumps().decode() for target, _ in await on.engine.targets.records())


def event(n: int) -> RequestEvent:
    return RequestEvent(f"evt_{n}", "asked", "r1", "expense", "approval:0", (), "?", None, None, None, n)


def test_what_is_given_up_lets_the_next_be_told_and_comes_first_when_it_is_retried() -> None:
    target = NotifyTarget("crm", "webhook", "https://crm.example/?token=x", ("whsec_x",))
    target.take([event(1), event(2)])
    assert not target.not_told(event(1), "away", 1_000, 0.5)
    assert target.next_at() == 1_000 + 1_500
    assert target.not_told(event(1), "away", 1_000 + GIVEN_UP_MS, 0.5)
    assert NotifyTarget.loads(target.dumps()) == target
    assert (target.backlog, target.shown(0)["failed"], target.next_at()) == (1, 1, 0)
    assert target.retry() == 1
    assert [one.id for one in target.waiting["r1/approval:0"].events] == ["evt_1", "evt_2"]
    assert "token" not in repr(target) + str(target.shown(0))
