"""Many act on few runs by way of two servers, over connections that break: what they saw is one history of each run."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import httpx
import pytest

from signoff.testing.histories import RecordedCall, check
from tests.histories.run_model import ASKED, VERBS, AnswerGiven, RunModel
from tests.histories.scene import Site, judge, serving
from tests.testing.histories.faulty import DoubledAppend, FaultyStore, LostWrite, StaleLoad

CLIENTS, OPERATIONS, RUNS = 6, 30, 3
LINES = ("input.answered", "run.paused", "run.resumed", "run.cancel_requested", "run.terminated", "run.rewound")


class Operator:
    """Somebody who does to runs whatever may be done, and answers what they ask."""

    def __init__(self, name: str, http: httpx.AsyncClient, site: Site, runs: dict[str, str]) -> None:
        self.name = name
        self._http = http
        self._site = site
        self._runs = runs
        self._sent: list[tuple[str, AnswerGiven]] = []

    async def play(self, chance: Random, operations: int) -> None:
        """Do so many things."""
        rare = ["terminate", "delete", "start", "rewind", "cancel", "retry"]
        often = ["pause", "resume", "answer", "answer", "look", "history"]
        for number in range(operations):
            run = chance.choice(list(self._runs))
            name = chance.choice([*rare, *often, *often])
            given: object = None
            if name == "answer":
                given = AnswerGiven(f"{self.name}-{number}", chance.random() < 0.5)
                if self._sent and chance.random() < 0.4:  # as who got no reply does
                    run, given = chance.choice(self._sent)
                self._sent.append((run, given))
            await self.do(run, name, given)

    async def do(self, run: str, name: str, given: object = None) -> object:
        """Do one thing, and record it."""
        return await self._site.recorder.record(self.name, run, name, given, lambda: self._call(run, name, given))

    async def _call(self, run: str, name: str, given: object) -> object:
        match name:
            case "start":
                body = {"workflow": "expense", "input": {"amount": 120}, "run_id": run}
                return "started" if (await self._post("/v1/runs", body)).status_code == 201 else "known"
            case "look":
                return _status(await self._http.get(f"/v1/runs/{run}"))
            case "history":
                return _journal(await self._http.get(f"/v1/runs/{run}/history"))
            case "answer":
                assert isinstance(given, AnswerGiven)
                return _outcome(await self._answer(run, given))
        body = {"to": "approve:0"} if name == "rewind" else {}
        return _status(await self._post(f"/v1/runs/{run}/{name}", body))

    async def _answer(self, run: str, given: AnswerGiven) -> httpx.Response:
        body = {
            "submission_id": given.submission,
            "action": "submit",
            "value": {"approved": given.value},
            "seen_offset": self._runs[run],
        }
        return await self._post(f"/v1/runs/{run}/inputs/approve:0/answer", body)

    async def _post(self, path: str, body: object) -> httpx.Response:
        return await self._http.post(path, json=body)


def _status(reply: httpx.Response) -> str:
    document = reply.json()
    return str(document["run"]["status"] if reply.is_success else document["code"])


def _journal(reply: httpx.Response) -> object:
    document = reply.json()
    if not reply.is_success:
        return document["code"]
    entries = [entry for entry in document["entries"] if entry["type"] in LINES]
    return tuple(
        " ".join([entry["type"], *([entry["submission_id"]] if "submission_id" in entry else [])]) for entry in entries
    )


def _outcome(reply: httpx.Response) -> str:
    document = reply.json()
    if not reply.is_success:
        return str(document["code"])
    return "replayed" if reply.headers.get("idempotency-replayed") == "true" else str(document["outcome"])


async def play(site: Site, begin: Callable[[], None] = lambda: None) -> None:
    """Have runs ask, and all act on them at once; look at each in the end.

    Args:
        begin: called when all have asked.
    """
    runs = {f"r{number}": str((await site.hosts[0].ask(f"r{number}"))["revised"]) for number in range(RUNS)}
    begin()

    async def client(number: int) -> None:
        async with site.client(number) as http:
            await Operator(f"c{number}", http, site, runs).play(site.chance(number), OPERATIONS)

    async with site.troubled():
        await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    async with site.direct() as http:
        last = Operator("last", http, site, runs)
        for run in runs:
            await last.do(run, "history")
            await last.do(run, "look")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_what_all_saw_of_a_run_could_have_been_one_after_the_other(
    store_url: str, tmp_path: Path, seed: int
) -> None:
    async with serving(store_url, seed) as site:
        await play(site)
        calls = judge(site, tmp_path, RunModel(ASKED))
    assert len(calls) == CLIENTS * OPERATIONS + 2 * RUNS
    assert 0 < sum(one.unknown for one in calls) < len(calls) / 3, "connections broke, and most replies came"
    _check_answers(calls)


def _check_answers(calls: Sequence[RecordedCall]) -> None:
    """One answer counts for a request, whatever the model says."""
    counted = Counter(one.subject for one in calls if one.result == "accepted")
    assert set(counted.values()) <= {1}


async def test_everything_that_can_come_of_it_has_come_of_it(tmp_path: Path) -> None:
    """So the search has looked at something."""
    seen: set[tuple[str, object]] = set()
    for seed in range(4):
        async with serving("memory:", seed) as site:
            await play(site)
            seen |= {(one.name, one.result) for one in judge(site, tmp_path, RunModel(ASKED))}
    wanted = {
        *(("answer", result) for result in ("accepted", "replayed", "already_decided", "withdrawn", "input_not_found")),
        *((verb, "run_closed") for verb in VERBS if verb != "retry"),
        ("pause", "paused"),
        ("resume", "not_paused"),
        ("cancel", "running"),
        ("terminate", "cancelled"),
        ("rewind", "unknown_command"),
        ("delete", "cancelled"),
        ("delete", "not_ended"),
        ("start", "started"),
        ("look", "run_not_found"),
    }
    assert wanted - seen == set()


@pytest.mark.parametrize("kind", [DoubledAppend, LostWrite, StaleLoad], ids=lambda kind: kind.__name__)
async def test_a_store_that_is_wrong_now_and_then_is_found_out_through_http(kind: type[FaultyStore]) -> None:
    found = 0
    for seed in range(3):
        store = kind(seed)
        store.faulty = False
        async with serving(store, seed) as site:
            await play(site, lambda store=store: setattr(store, "faulty", True))  # type: ignore[misc]
            store.faulty = False
        found += check(site.recorder.operations, RunModel(ASKED)) is not None
    assert found
