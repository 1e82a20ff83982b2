"""Servers and workers are killed and frozen, connections break, people answer: nothing that was said is taken back."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from signoff.service.engine import Engine
from signoff.stores.open import open_store
from signoff.testing.histories import RecordedCall, Recorder, check, write
from signoff.testing.histories.order import faults
from tests.histories.chaos import Answer, Theatre, Trouble, answer_all, ended, serving_again, start, storm, theatre
from tests.histories.test_streams import LIVE, LiveReader, Writer, appends_of

ONCE = ("run.started", "step.completed", "input.requested", "input.answered", "timer.fired", "run.completed")
RUNS, PEOPLE, WRITERS = 48, 4, 2
EVERY_S = 0.25
ALL_END_S = 40
"""Seconds after the last trouble in which everything has ended; a tenth of it on an idle machine."""


class AnswerModel:
    """A request that many answer: the state is what counted, None as long as nothing has.

    `answer` results in `accepted`, `replayed` or a refusal, `journal` in the submissions that the journal has.
    """

    initial: Answer | None = None

    def step(self, state: Answer | None, call: RecordedCall) -> Iterable[Answer | None]:
        """Return the states an operation may lead to."""
        if call.name == "journal":
            return [state] if call.result == (() if state is None else (state,)) else []
        if call.unknown:
            return [call.given] if state is None else []
        after, result = state, "already_decided"
        if state is None:
            after, result = call.given, "accepted"
        elif state == call.given:
            result = "replayed"
        return [after] if result == call.result else []


@pytest.mark.parametrize("seed", [1])
async def test_what_was_acknowledged_stands_once_and_every_run_ends(shared_url: str, tmp_path: Path, seed: int) -> None:
    await play(shared_url, tmp_path, seed)


async def play(url: str, folder: Path, seed: int, more: Sequence[Trouble] = ()) -> None:
    """Have it all happen, and look what has come of it.

    Args:
        more: what is done besides, such as to the server of a database.
    """
    with theatre(folder, url, seed) as on:
        readers = await _use(on, more)
        found = await _look(on, url, readers)
        code, _ = on.server.stop()
    calls = on.recorder.operations
    answers = [one for one in calls if one.subject in on.runs]
    violation = check(answers, AnswerModel())
    if found or violation:
        why = "\n".join([*([str(violation)] if violation else []), *found])
        file = write(folder / "history.txt", calls, seed=seed, why=why)
        raise AssertionError(f"seed {seed}, history in {file}:\n{why}")
    assert Counter(one.result for one in answers)["accepted"] > RUNS / 2
    assert any(one.unknown for one in calls)
    assert on.workers.died >= 2
    assert code == 0


async def _use(on: Theatre, more: Sequence[Trouble]) -> list[LiveReader]:
    """Start runs, have people answer and writers append while there is trouble; end when all runs have ended."""
    troubles = [*on.troubles, *more]
    on.chance.shuffle(troubles)
    amounts = itertools.count(1_000)
    async with on.client() as http:
        tasks = [asyncio.create_task(answer_all(on, http, f"p{number}", amounts)) for number in range(PEOPLE)]
        for path in LIVE:
            await Writer("first", http, on).until_known(path, "create")
        readers = [
            LiveReader(f"{path} {live}", path, on.recorder.now()) for path in LIVE for live in ("sse", "long-poll")
        ]
        reading = [asyncio.create_task(one.run(http, one.name.split()[1])) for one in readers]
        writers = [Writer(f"w{number}", http, on) for number in range(WRITERS)]
        writing = [asyncio.create_task(one.produce_for_ever(LIVE)) for one in writers]
        starting = asyncio.create_task(start(on, http, range(RUNS), EVERY_S / 2))
        await storm(on, troubles, EVERY_S)
        await starting
        await _end(writing)
        await serving_again(on)
        await ended(on, http, ALL_END_S)
        await _end(tasks)
        for path in LIVE:
            await Writer("last", http, on).until_known(path, "close")
        async with asyncio.timeout(ALL_END_S):
            await asyncio.gather(*reading)
    return readers


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """End tasks that go on for ever; what has failed fails here."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result


async def _look(on: Theatre, url: str, readers: list[LiveReader]) -> list[str]:
    """Look into the store: at each journal, and at the streams."""
    engine = await Engine.open(open_store(url))
    try:
        found = []
        for run, number in on.runs.items():
            row = await engine.runs.get(run)
            found += _journal(on.recorder, run, number, row.get("output"), await engine.runs.history(run))
        for path in LIVE:
            stored = await engine.store.read(path, 0, 1 << 30)
            assert stored is not None
            final = [message for batch in stored[1] for message in _messages(batch.data)]
            calls = [one for one in on.recorder.operations if (one.subject, one.name) == (path, "append")]
            found += faults(appends_of(calls), final, [one.reading for one in readers if one.path == path])
    finally:
        await engine.close()
    return found


def _messages(data: bytes) -> list[str]:
    return [part.strip('"') for part in data.decode().split(",")]


def _journal(recorder: Recorder, run: str, number: int, output: object, entries: Sequence[dict[str, Any]]) -> list[str]:
    """Say what is wrong with a run's journal; record what it says of answers."""
    found = []
    for (type_, id_), count in Counter((entry["type"], entry.get("id")) for entry in entries).items():
        if count > 1 and type_ in (
            "step.completed",
            "input.requested",
            "input.answered",
            "timer.fired",
            "run.completed",
        ):
            found.append(f"{run}: {type_} {id_} is in the journal {count} times")
    kinds = Counter(entry["type"] for entry in entries)
    if (kinds["step.completed"], kinds["run.completed"]) != (2, 1):
        found.append(f"{run}: {dict(kinds)}")
    answered = [entry for entry in entries if entry["type"] == "input.answered"]
    told = tuple(Answer(entry["submission_id"], entry["value"]["amount"]) for entry in answered)
    with recorder.calling("journal", run, "journal", None) as returned:
        returned(told)
    if [output] != [[number + 1, one.amount + 1] for one in told]:
        found.append(f"{run}: the output is {output}, and the answers are {told}")
    return found
