"""A worker issues, names and times commands, takes events, draws numbers and names errors as the vectors say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from signoff import Context, PublicError
from signoff.workflow import codec, journal
from signoff.workflow.definition import define
from signoff.workflow.entry import Command, Entry
from signoff.workflow.failure import error_of
from signoff.workflow.machine import Machine
from signoff.workflow.run.cut import effective, is_cut
from signoff.workflow.run.entries import RunStarted
from signoff.workflow.step.entries import StepCompleted
from tests.protocol.material import cases, complaints

RUNS = cases("worker.json")


def _work() -> Any:
    """Be a step; nobody runs it here."""


def _ask(ctx: Context, asked: dict[str, Any]) -> Any:
    match asked:
        case {"sleep": ms}:
            return ctx.sleep(ms / 1000)
        case {"timer": ms}:
            return asyncio.ensure_future(asyncio.sleep(ms / 1000))
        case {"step": name}:
            return ctx.step(name, _work)
        case {"event": topic}:
            return ctx.await_event(topic, key=asked.get("key"))
        case {"input": name}:
            return ctx.await_input(name, bool, title="Approve?", to=["user:alice"])
    raise AssertionError(asked)


class Played:
    """A machine that runs a case's code, and what became of each thing it asked for."""

    def __init__(self, code: Sequence[dict[str, Any]]) -> None:
        self.got: dict[str, Any] = {}

        async def flow(ctx: Context) -> None:
            asked: dict[str, Any] = {}
            for line in code:
                match line:
                    case {"await": name}:
                        self.got[name] = await asked[name]
                    case {"give_up": name}:
                        asked[name].cancel()
                    case {"end": True}:
                        return
                    case {"publish": key}:
                        ctx.publish("line", key, {"text": key})
                    case {"patched": name}:
                        self.got[name] = ctx.patched(name)
                    case {"as": name}:
                        asked[name] = _ask(ctx, line)
                        await asyncio.sleep(0)
                    case _:
                        raise AssertionError(line)
            for name, future in asked.items():
                if not isinstance(future, asyncio.Future) or not future.cancelled():
                    self.got[name] = await future

        self.machine = Machine(define(flow, "flow"))

    @property
    def open(self) -> dict[str, int | None]:
        """What is open, and when it is due."""
        machine = self.machine
        steps = dict.fromkeys(machine.open_steps)
        return steps | machine.open_timers | machine.open_events | machine.open_inputs


def _entries(case: dict[str, Any]) -> list[Entry]:
    return [journal.from_json(entry) for entry in case["journal"]]


def _commands(entries: Sequence[Entry]) -> list[Command]:
    return [entry for entry in entries if isinstance(entry, Command) and not isinstance(entry, RunStarted)]


@pytest.mark.parametrize("case", RUNS)
def test_the_journal_speaks_the_protocol(case: dict[str, Any]) -> None:
    for entry in case["journal"]:
        assert complaints("journal-entry.json", entry) == []


@pytest.mark.parametrize("case", [case for case in RUNS if "replay_only" not in case.values[0]])
def test_the_code_issues_the_commands_of_the_journal(case: dict[str, Any]) -> None:
    entries = _entries(case)
    played = Played(case["code"])
    issued: list[Command] = []
    for entry in entries:
        if entry not in _commands(entries):
            issued += played.machine.advance([entry])
    assert [journal.to_json(command) for command in issued] == [journal.to_json(one) for one in _commands(entries)]
    assert played.open == case["open"]
    assert played.got == case["got"]


@pytest.mark.parametrize("case", RUNS)
def test_replay_comes_to_the_same_and_issues_nothing_new(case: dict[str, Any]) -> None:
    played = Played(case["code"])
    assert played.machine.advance(_entries(case)) == []
    assert played.open == case["open"]
    assert played.got == case["got"]


@pytest.mark.parametrize("case", [case for case in RUNS if "effective" in case.values[0]])
def test_what_is_left_of_a_journal_that_is_cut(case: dict[str, Any]) -> None:
    entries = _entries(case)
    left = effective(entries)
    assert [journal.to_json(entry) for entry in left] == case["effective"]
    for entry in case["effective"]:
        assert complaints("journal-entry.json", entry) == []
    played = Played(case["code"])
    assert played.machine.advance(left) == []
    assert (played.open, played.got) == (case["open"], case["got"])


@pytest.mark.parametrize("case", [case for case in RUNS if "effective" in case.values[0]])
def test_the_code_goes_on_behind_a_cut(case: dict[str, Any]) -> None:
    entries = _entries(case)
    after = 1 + max(n for n, entry in enumerate(entries) if is_cut(entry))
    assert Played(case["code"]).machine.advance(entries[:after]) == entries[after:]


@pytest.mark.parametrize("case", cases("chance.json"))
def test_what_a_seed_gives(case: dict[str, Any]) -> None:
    drawn: dict[str, list[Any]] = {"numbers": [], "uuids": []}

    async def flow(ctx: Context) -> None:
        for _ in range(3):  # in turns: neither moves the other on
            drawn["numbers"].append(ctx.random().random())
            drawn["uuids"].append(str(ctx.uuid()))

    Machine(define(flow, "flow")).advance([RunStarted(0, "r1", "flow", "1", None, case["seed"], "")])
    assert drawn == {"numbers": case["numbers"], "uuids": case["uuids"]}


def _exception(described: dict[str, Any]) -> BaseException:
    if "group" in described:
        inner = [_exception(one) for one in described["group"]]
        return BaseExceptionGroup("several", inner)
    members = {"code": described["code"]} if "code" in described else {}
    bases = (PublicError,) if described.get("public") else (Exception,)
    return type(described["class"], bases, members)("why")  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", cases("errors.json"))
def test_the_code_of_an_error(case: dict[str, Any]) -> None:
    error = error_of(_exception(case["raised"]))
    assert error.code == case["code"]
    assert error.public == case["public"]


@pytest.mark.parametrize("case", cases("digest.json", "floats"))
def test_a_float_as_it_is_written(case: dict[str, Any]) -> None:
    assert float(case["written"]) == float(case["value"])
    assert journal.dumps([StepCompleted(0, "a:0", 1, float(case["value"]))]).endswith(
        f'"result":{case["written"]}}}'.encode()
    )
    assert codec.digest(float(case["value"])) == case["digest"]
