"""What is found in the source of a workflow, with file and line."""

# ruff: noqa: PLW0108, PERF402
from __future__ import annotations

import asyncio
import os
import os.path
import random as dice
import secrets
import socket
import time
import warnings
from collections.abc import Callable
from datetime import date, datetime
from datetime import datetime as moment
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from signoff import App, Context, DeterminismWarning, NotAllowedInWorkflow, step
from signoff.workflow.source import findings
from tests.workflow import corpus
from tests.workflow.drive import work


@step
async def fetch(number: int = 0) -> int:
    return number


def rolls() -> int:
    return dice.randint(1, 6)


def calls_rolls() -> int:
    return rolls()


async def reads_clocks(ctx: Context) -> list[Any]:
    return [
        datetime.now(),  # noqa: DTZ005  # found
        moment.utcnow(),  # noqa: DTZ003  # found
        datetime.today(),  # noqa: DTZ002  # found
        date.today(),  # noqa: DTZ011  # found
        time.time(),  # found
        time.localtime(),  # found
        time.localtime(0),
        datetime(2020, 1, 1),  # noqa: DTZ001
    ]


async def throws_dice(ctx: Context) -> list[Any]:
    from uuid import uuid1  # noqa: PLC0415

    return [
        dice.random(),  # found
        dice.Random(),  # found
        dice.Random(7),
        uuid4(),  # found
        uuid1(),  # found
        secrets.token_hex(),  # found
        os.urandom(8),  # found
        ctx.random().random(),
        ctx.uuid(),
        await ctx.step("roll", work, dice.choice([1, 2])),  # found
        list(map(dice.expovariate, [1.0])),  # found
    ]


async def looks_around(ctx: Context) -> list[Any]:
    return [
        os.environ.get("HOME"),  # found
        os.getenv("HOME"),  # found
        os.path.exists("x"),  # noqa: PTH110  # found
        Path.cwd(),  # found
        socket.gethostname(),  # found
        id(ctx),  # found
        hash("text"),  # found
        input("?"),  # found
        open("x"),  # noqa: PTH123  # found
        Thread(target=print),  # found
        asyncio.to_thread(print),  # found
    ]


async def does_it_in_steps(ctx: Context) -> list[Any]:
    def inside() -> float:
        return time.time()

    return [
        await ctx.step("a", lambda: time.time()),
        await ctx.step("b", inside),
        await ctx.step("c", rolls),
        await ctx.options(timeout="1s").step("d", uuid4),
        await ctx.step("e", fetch),
        await ctx.await_input("f", int, title="F?", validate=inside, decide=rolls),
        await ctx.await_input("g", int, title="G?", remind=["1h"], on_remind=reminds),
    ]


def reminds(reminder: object) -> None:
    time.sleep(1)
    os.environ.get("HOME")


async def asks_by_other_names(ctx: Context) -> list[Any]:
    options: Any = {"validate": rolls, "on_remind": reminds}
    others: Any = dict(decide=rolls)  # noqa: C408
    pages = ctx.wizard()
    return [
        await pages.ask("a", int, title="A?", validate=rolls, decide=calls_rolls, on_remind=reminds),
        await ask_boss(ctx, validate=rolls),
        await ctx.await_input("c", int, title="C?", **options),
        await ctx.await_input("d", int, title="D?", **others),
        await ctx.await_input("e", int, title="E?", deadline=lambda at: datetime.now()),  # noqa: DTZ005  # found
    ]


async def ask_boss(ctx: Context, validate: Callable[..., Any]) -> int:
    return (await ctx.await_input("b", int, title="B?", validate=validate)).value


async def does_it_elsewhere(ctx: Context) -> list[Any]:
    def inside() -> float:
        return time.time()  # found

    async def task() -> None:
        time.sleep(1)  # found

    await asyncio.gather(task())
    return [inside(), calls_rolls()]


async def calls_a_step(ctx: Context) -> int:
    return await fetch(1)  # found


async def walks_sets(ctx: Context, names: list[str]) -> list[Any]:
    some = {"a", *names}
    more = some | set(names)
    found = [name for name in more]  # noqa: C416  # found
    for name in frozenset(names):  # found
        found.append(name)
    found += [*some]  # found
    found.append(some.pop())  # found
    found += list(more)  # found
    found.append(",".join(set(names)))  # found
    for name in sorted(some):
        found.append(name)
    for number in {1, 2, 3}:  # noqa: PLC0208
        found.append(str(number))
    steps = {ctx.step(name, work) for name in names}
    done, _ = await asyncio.wait(steps)
    await asyncio.gather(*steps, *done)
    await asyncio.gather(*{fetcher(name) for name in names})  # found
    return [*found, len(some), "a" in more]


async def fetcher(name: str) -> str:
    return name


async def has_names_of_its_own(ctx: Context, time: Any) -> list[Any]:
    random = ctx.random()
    return [time.time(), random.random(), [dice for dice in range(3)]]  # noqa: C416


async def forgets_to_wait(ctx: Context) -> None:
    ctx.step("a", work)  # found
    ctx.options(timeout="1s").step("b", work)  # found
    ctx.sleep("1h")  # found
    later = ctx.step("c", work)
    ctx.await_input("d", bool, title="Left open until the end?")
    ctx.publish("note", "n", {})
    await later


async def is_no_way_of_all_pythons(ctx: Context) -> None:
    queue: Any = asyncio.Queue()
    queue.shutdown()  # found


async def was_looked_at(ctx: Context) -> list[Any]:
    return [time.time(), date.today()]  # noqa: DTZ011  # signoff: deterministic


@pytest.mark.parametrize(
    "fn",
    [
        reads_clocks,
        throws_dice,
        looks_around,
        does_it_in_steps,
        asks_by_other_names,
        does_it_elsewhere,
        calls_a_step,
        walks_sets,
        has_names_of_its_own,
        forgets_to_wait,
        is_no_way_of_all_pythons,
        was_looked_at,
    ],
)
def test_the_lines_that_are_found(fn: Callable[..., Any]) -> None:
    start = fn.__code__.co_firstlineno
    lines = Path(__file__).read_text().splitlines()
    end = next(number for number in range(start, len(lines)) if lines[number].startswith(("async def", "def", "@")))
    marked = [number for number in range(start, end) if lines[number - 1].endswith("# found")]
    found = [one for one in findings(fn) if one.line != rolls.__code__.co_firstlineno + 1]
    assert [one.line for one in found] == marked
    assert {one.filename for one in found} <= {__file__}
    assert all(one.unawaited == (fn is forgets_to_wait) for one in found)


def test_functions_of_the_module_are_read_as_far_as_they_are_called() -> None:
    assert rolls.__code__.co_firstlineno + 1 in [one.line for one in findings(does_it_elsewhere)]
    assert findings(does_it_in_steps) == []


def test_a_finding_says_what_to_do() -> None:
    texts = " ".join(str(one) for one in findings(reads_clocks))
    assert "datetime.datetime.now reads the clock; use ctx.now()" in texts
    assert f"{__file__}:{reads_clocks.__code__.co_firstlineno + 2}: " in texts
    assert "await ctx.step" in str(findings(looks_around)[0])
    assert "sorted" in str(findings(walks_sets)[0])


def test_good_workflows_have_nothing_to_find() -> None:
    assert [findings(corpus.app.get(name).fn) for name in corpus.app.names()] == [[]] * len(corpus.app.names())


def test_code_without_source_is_passed_over() -> None:
    names: dict[str, Any] = {}
    exec("async def flow(ctx):\n    import time\n    time.time()\n", names)
    assert findings(names["flow"]) == []
    assert findings(print) == []


def test_registering_warns_with_file_and_line() -> None:
    app = App()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        app.workflow(reads_clocks)
        app.workflow(forgets_to_wait)
    assert {one.filename for one in told} == {__file__}
    assert told[0].lineno == reads_clocks.__code__.co_firstlineno + 2
    assert told[0].category is DeterminismWarning
    assert str(told[0].message) == "datetime.datetime.now reads the clock; use ctx.now() (workflow reads_clocks)"
    assert told[-1].category is RuntimeWarning
    assert "ctx.sleep(...) is never awaited" in str(told[-1].message)
    assert app.names() == ("reads_clocks", "forgets_to_wait")


def test_a_strict_application_refuses() -> None:
    app = App(strict=True)
    with pytest.raises(NotAllowedInWorkflow, match=r"test_source.py:\d+: random.randint") as refused:
        app.workflow(does_it_elsewhere)
    assert "signoff: deterministic" in str(refused.value)
    with pytest.raises(NotAllowedInWorkflow, match="shutdown of a queue"):
        app.workflow(is_no_way_of_all_pythons)
    with pytest.raises(NotAllowedInWorkflow, match="never awaited"):
        app.workflow(forgets_to_wait)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        app.workflow(was_looked_at)
        app.workflow(does_it_in_steps)
    assert app.names() == ("was_looked_at", "does_it_in_steps")
