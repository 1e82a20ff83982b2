"""Workflow shapes whose journals must replay for ever. Never change one that has a golden journal: add another."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import anyio

from signoff import (
    Action,
    App,
    Approved,
    Before,
    Context,
    Default,
    Edited,
    Escalation,
    EventTimedOut,
    InputExpired,
    InputWithdrawn,
    Quorum,
    Rejected,
    Reminder,
    Retry,
    StepFailed,
)

app = App()


def work(number: int = 0) -> int:
    """Be a step; in these tests nobody runs it."""
    return number


@app.workflow
async def sequence(ctx: Context, size: int) -> int:
    first = await ctx.step("first", work, size)
    second = await ctx.step("second", work, first)
    return await ctx.step("third", work, second)


@app.workflow
async def loop(ctx: Context, size: int) -> list[int]:
    return [await ctx.step("turn", work, number) for number in range(size + 3)]


@app.workflow
async def gather(ctx: Context, size: int) -> list[int]:
    found = await asyncio.gather(
        *(ctx.step("part", work, number) for number in range(size + 2)), ctx.step("last", work)
    )
    return [*found, await ctx.step("sum", work, sum(found))]


@app.workflow
async def first(ctx: Context, size: int) -> int:
    racing = [ctx.step("racer", work, number) for number in range(size + 2)]
    done, pending = await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
    for loser in pending:
        loser.cancel()
    return await ctx.step("won", work, len(done))


@app.workflow
async def as_they_come(ctx: Context, size: int) -> list[int]:
    found = []
    for future in asyncio.as_completed([ctx.step("part", work, number) for number in range(size + 2)], timeout=5):
        try:
            found.append(await future)
        except TimeoutError:
            found.append(-1)
    return found


@app.workflow
async def nested_groups(ctx: Context, size: int) -> int:
    async def branch(number: int) -> int:
        async with asyncio.TaskGroup() as inner:
            left = inner.create_task(ctx.step("left", work, number))
            right = inner.create_task(ctx.step("right", work, number))
        return left.result() + right.result()

    async with asyncio.TaskGroup() as outer:
        branches = [outer.create_task(branch(number)) for number in range(size + 2)]
    return sum(task.result() for task in branches)


@app.workflow
async def failing_group(ctx: Context, size: int) -> str:
    ended = "done"
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(size + 2):
                group.create_task(ctx.step("part", work, number))
    except* StepFailed as failed:
        await ctx.step("undo", work, len(failed.exceptions))
        ended = "undone"
    return ended


@app.workflow
async def timeout_around_input(ctx: Context, size: int) -> str:
    for _ in range(size + 1):
        try:
            async with asyncio.timeout(60):
                answer = await ctx.await_input("approve", bool, title="Approve?", to=["group:finance"])
        except TimeoutError:
            await ctx.step("remind", work)
            continue
        return "yes" if answer.value else "no"
    return "nobody"


@app.workflow
async def form(ctx: Context, size: int) -> str:
    request = ctx.await_input("amount", int, title="How much?", to=["user:alice"], deadline="1h", show={"n": 0})
    hint = await ctx.step("hint", work, size)
    await request.revise(show={"n": hint}, title="How much now?")
    try:
        answer = await request
    except InputExpired:
        return "late"
    except InputWithdrawn:
        return "withdrawn"
    return f"{answer.action} {answer.value} {(await request).by.id}"


def note(reminder: Reminder) -> int:
    return len(reminder.to)


@app.workflow
async def reminded(ctx: Context, size: int) -> str:
    request = ctx.await_input(
        "approve",
        bool,
        title="Approve?",
        to=["group:finance"],
        deadline=lambda asked_at: asked_at + timedelta(days=4),
        remind=["10s", "1h", Before("1h")],
        escalate=[Escalation("30m", ["group:directors"]), Escalation("2h", ["user:chief"], keep=False)],
        default=Default("submit", value=False),
        on_remind=note,
    )
    await ctx.step("hint", work, size)
    await request.revise(title="Approve now?", deadline="3d")
    answer = await request
    return f"{answer.value} {answer.by.kind}"


@app.workflow
async def actions_apart(ctx: Context, size: int) -> str:
    confirmed = Action(int, label="Another", confirm="Sure?")
    request = ctx.await_input("tool", actions={"submit": bool, "edit": confirmed, "reject": None}, title="Which?")
    await ctx.step("hint", work, size)
    await request.revise(actions=["submit", "reject"])
    answer = await request
    return f"{answer.action} {answer.value}"


@app.workflow
async def two_people(ctx: Context, size: int) -> str:
    left = ctx.await_input("left", bool, title="Left?", to=["user:alice"])
    right = ctx.await_input("right", bool, title="Right?", to=["user:bob"])
    waiting = {asyncio.ensure_future(left): right, asyncio.ensure_future(right): left}
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return f"{len(done)} {left.pending} {right.pending}"


@app.workflow
async def sleeps(ctx: Context, size: int) -> float:
    before = ctx.now()
    await asyncio.gather(ctx.sleep("2s"), ctx.sleep(0.5), asyncio.sleep(size + 1))
    await ctx.step("after", work)
    await asyncio.sleep(0)
    return (ctx.now() - before).total_seconds()


@app.workflow
async def step_against_clock(ctx: Context, size: int) -> Any:
    try:
        return await asyncio.wait_for(ctx.step("slow", work), timeout=size + 1)
    except TimeoutError:
        return await ctx.step("fallback", work)


@app.workflow
async def events(ctx: Context, size: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(size + 2):
        try:
            found.append(await ctx.await_event("paid", type=int, timeout="10s"))
        except EventTimedOut:
            found.append(None)
    return found


@app.workflow
async def events_by_key(ctx: Context, size: int) -> list[Any]:
    waits = [ctx.await_event("paid", key="eur"), ctx.await_event("paid"), ctx.await_event("paid", key="usd")]
    done, pending = await asyncio.wait(waits, timeout=5)
    for wait in pending:
        wait.cancel()
    return [len(done), await ctx.await_event("paid", timeout=5) if size else None]


@app.workflow
async def retry(ctx: Context, size: int) -> str:
    try:
        await ctx.options(retry=Retry(attempts=3)).step("flaky", work, size)
    except StepFailed as failed:
        await ctx.step("report", work, failed.extra["attempts"])
        return "failed"
    return "worked"


@app.workflow
async def cleanup(ctx: Context, size: int) -> int:
    booked = await ctx.step("book", work, size)
    try:
        await ctx.await_input("confirm", bool, title="Confirm?", to=["user:alice"])
    except asyncio.CancelledError:
        await ctx.step("unbook", work, booked)
        raise
    finally:
        await ctx.step("tidy", work)
    return booked


@app.workflow
async def publishing(ctx: Context, size: int) -> None:
    for number in range(size + 2):
        ctx.progress(number / (size + 2), f"part {number}")
        ctx.publish("part", f"p{number % 2}", {"result": await ctx.step("part", work, number)})
    ctx.publish("part", "p0", None)
    ctx.progress(1.0)


@app.workflow
async def primitives(ctx: Context, size: int) -> list[int]:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
    ready, lock, few = asyncio.Event(), asyncio.Lock(), asyncio.Semaphore(2)
    found: list[int] = []

    async def produce(number: int) -> None:
        async with few:
            await queue.put(await ctx.step("make", work, number))
        ready.set()

    async def consume() -> None:
        await ready.wait()
        for _ in range(size + 2):
            made = await queue.get()
            async with lock:
                found.append(await ctx.step("use", work, made))

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
        for number in range(size + 2):
            group.create_task(produce(number))
    return found


@app.workflow
async def chance(ctx: Context, size: int) -> list[str]:
    seen = [str(ctx.uuid()), str(ctx.random().randrange(1000))]
    if ctx.random().random() < 0.5:
        seen.append(str(await ctx.step("heads", work, size)))
    else:
        seen.append(str(await ctx.step("tails", work, size)))
    return [*seen, str(ctx.uuid()), ctx.now().isoformat()]


@app.workflow
async def patches(ctx: Context, size: int) -> int:
    total = await ctx.step("old", work, size)
    if ctx.patched("more"):
        total += await ctx.step("new", work, size)
    return total + await ctx.step("end", work, 1 if ctx.patched("more") else 0)


@app.workflow
async def shielded(ctx: Context, size: int) -> int:
    step = ctx.step("kept", work, size)
    try:
        async with asyncio.timeout(1):
            await asyncio.shield(step)
    except TimeoutError:
        ctx.publish("note", "slow", {"text": "still waiting"})
    return await step


@app.workflow
async def background(ctx: Context, size: int) -> int:
    async def ticking() -> None:
        while True:
            await ctx.sleep(1)
            ctx.publish("tick", "t", {"at": ctx.now()})

    ticker = asyncio.create_task(ticking())
    found = await ctx.step("work", work, size)
    ticker.cancel()
    return found


@app.workflow
async def generators(ctx: Context, size: int) -> list[int]:
    async def parts() -> Any:
        try:
            for number in range(size + 2):
                yield await ctx.step("part", work, number)
        finally:
            await ctx.step("close", work)

    found = []
    async for part in parts():
        found.append(part)
        if len(found) == size + 1:
            break
    return found


@app.workflow
async def condition(ctx: Context, size: int) -> int:
    changed, stock = asyncio.Condition(), 0

    async def take() -> int:
        nonlocal stock
        async with changed:
            await changed.wait_for(lambda: stock > 0)
            stock -= 1
        return await ctx.step("take", work)

    async def fill() -> None:
        nonlocal stock
        for _ in range(size + 2):
            await ctx.step("fill", work)
            async with changed:
                stock += 1
                changed.notify()

    results = await asyncio.gather(fill(), *(take() for _ in range(size + 2)))
    return len(results)


# -- what asyncio does differently in other Pythons, or in an order of its own -----------------------------------------


@app.workflow
async def waiting_for_coroutines(ctx: Context, size: int) -> list[Any]:
    async def part(name: str) -> int:
        return await ctx.step(name, work, size)

    async def in_time(number: int) -> Any:
        try:
            return await asyncio.wait_for(part(f"timed{number}"), number)
        except TimeoutError:
            return await ctx.step("late", work)

    return await asyncio.gather(
        *(in_time(number) for number in range(size + 2)), part("plain"), asyncio.wait_for(part("any"), None)
    )


@app.workflow
async def coroutines_as_they_come(ctx: Context, size: int) -> list[int]:
    async def job(number: int) -> int:
        return await ctx.step(f"job{number}", work, number)

    found = []
    for first in asyncio.as_completed([job(number) for number in range(size + 4)]):
        try:
            found.append(await first)
        except StepFailed:
            found.append(await ctx.step("instead", work))
    return found


@app.workflow
async def what_is_done_already(ctx: Context, size: int) -> list[Any]:
    ready = [ctx.step("ready", work, number) for number in range(size + 2)]
    await asyncio.wait(ready)

    async def other() -> int:
        await asyncio.sleep(0)
        return await ctx.step("other", work)

    async def gathered() -> int:
        found = await asyncio.gather(*ready, return_exceptions=True)
        return await ctx.step("gathered", work, len(found))

    async def in_turn() -> int:
        count = 0
        for one in asyncio.as_completed(ready):
            try:
                await one
            except StepFailed:
                count += 1
        return await ctx.step("in_turn", work, count)

    return [*await asyncio.gather(gathered(), other(), in_turn(), gathered(), other(), return_exceptions=True)]


@app.workflow
async def cancelled_while_failing(ctx: Context, size: int) -> str:
    async def inner() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(size + 2):
                    group.create_task(ctx.step("part", work, number))
        except* StepFailed:
            await ctx.step("undo", work)

    try:
        async with asyncio.timeout(1), asyncio.TaskGroup() as outer:
            outer.create_task(inner())
            outer.create_task(ctx.step("beside", work))
            outer.create_task(inner())
    except* TimeoutError:
        ctx.publish("note", "late", {"ended": "late"})
    except* StepFailed:
        ctx.publish("note", "broken", {"code": await ctx.step("broken", work)})
    return "done"


@app.workflow
async def places_handed_on(ctx: Context, size: int) -> list[Any]:
    few, changed, free = asyncio.Semaphore(2), asyncio.Condition(), 0

    async def impatient(number: int) -> int:
        try:
            async with asyncio.timeout(number % 3 + 1), few:
                return await ctx.step("held", work, number)
        except TimeoutError:
            return -1

    async def take(number: int) -> int:
        nonlocal free
        try:
            async with asyncio.timeout(number + 1), changed:
                await changed.wait_for(lambda: free > 0)
                free -= 1
                return await ctx.step("taken", work, number)
        except TimeoutError:
            return -1

    async def give() -> None:
        nonlocal free
        for _ in range(size + 1):
            await ctx.sleep(1)
            async with changed:
                free += 1
                changed.notify(2)

    waiting = [*(impatient(number) for number in range(size + 4)), *(take(number) for number in range(size + 2))]
    return await asyncio.gather(give(), *waiting, return_exceptions=True)


@app.workflow
async def generators_let_go(ctx: Context, size: int) -> list[int]:
    async def pages(name: str) -> Any:
        try:
            for number in range(size + 3):
                yield await ctx.step(name, work, number)
        finally:
            await ctx.step(f"close_{name}", work)

    @contextlib.asynccontextmanager
    async def resource() -> Any:
        try:
            yield await ctx.step("open", work)
        finally:
            await ctx.step("shut", work)

    found = []
    async for page in pages("first"):
        found.append(page)
        break
    async with resource() as opened:
        found.append(opened)
        kept = pages("kept")
        found.append(await anext(kept))
    async for page in pages("last"):
        return [*found, page]
    return found


@app.workflow
async def groups_of_anyio(ctx: Context, size: int) -> list[Any]:
    ready = anyio.Event()
    found: list[Any] = []

    async def part(number: int) -> None:
        with anyio.move_on_after(number + 1) as scope:
            found.append(await ctx.step("part", work, number))
        if scope.cancelled_caught:
            found.append(await ctx.step("late", work, number))
        if number == size:
            ready.set()

    async def nested(number: int) -> None:
        async with anyio.create_task_group() as inner:
            inner.start_soon(part, number)
            inner.start_soon(anyio.sleep, 2)

    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep_forever)
        for number in range(size + 2):
            group.start_soon(nested, number)
        with anyio.move_on_after(5):
            await ready.wait()
        group.cancel_scope.cancel()
    await anyio.sleep(0.5)
    return found


@app.workflow
async def decided_together(ctx: Context, size: int) -> list[Any]:
    checked = ctx.await_input(
        "check", bool, title="Right?", to=["group:accounts"], claim="30s", forbid=[ctx.started_by]
    )
    board = ctx.await_input(
        "board", bool, title="Pay?", to=["group:board"], quorum=Quorum(2), forbid=[checked], deadline="5m", claim="1m"
    )
    try:
        answers = await asyncio.gather(checked, board)
    except (InputExpired, InputWithdrawn) as error:
        return [error.code, await ctx.step("after", work, size)]
    again = await ctx.await_input("again", bool, title="Sure?", to=["group:board"], forbid=answers, claim_required=True)
    return [[answer.value, [vote.value for vote in answer.votes]] for answer in (*answers, again)]


@app.workflow
async def tools(ctx: Context, size: int) -> list[Any]:
    async def call(tool: str, number: int) -> Any:
        policy = None if tool == "read" else lambda _tool, _args: None  # nobody runs it
        args = {"n": number}
        match await ctx.approve_tool(tool, args, to=["user:alice"], policy=policy, output=f"turn-{number}"):
            case Approved(args) | Edited(args):
                return await ctx.step("call", work, args["n"])
            case Rejected(reason):
                return reason
            case responded:
                return responded.text

    found = await asyncio.gather(*(call(tool, 0) for tool in ("read", "write", "write")))
    await ctx.step("think", work, size)
    return [*found, await call("write", 1)]
