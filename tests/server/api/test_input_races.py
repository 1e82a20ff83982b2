"""People at one request at the same instant, over HTTP, again and again: one outcome, of which all tell the same.

A thousand times on the store in memory, which is the fastest; the others lose races by the same rule, and show it in
fewer.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx

from signoff import App, Context
from signoff.runtime.worker import Worker
from signoff.service.kinds import PartKind, run_name
from signoff.stores.base import PartsWanted
from signoff.workflow.input.state import InputState
from signoff.workflow.vote.quorum import Quorum
from tests.server.hosting import KEYED, Host, bearer, hosting

EACH = 5
"""Requests of a run."""

AT_ONCE = 25
PEOPLE = ("alice", "bora", "cara")
HEADERS = {name: bearer(name, groups=("board",)) for name in PEOPLE}

Row = dict[str, Any]


@asynccontextmanager
async def asked(
    store: str, each: int = EACH, times: int | None = None, **options: Any
) -> AsyncIterator[tuple[Host, list[Row]]]:
    """Serve many requests of some runs, and a worker that has them."""
    app = App()

    @app.workflow
    async def many(ctx: Context) -> None:
        requests = (ctx.await_input("ok", bool, title="Fine?", to=["group:board"], **options) for _ in range(each))
        await asyncio.gather(*requests, return_exceptions=True)  # one that is withdrawn is no reason to end

    times = times or (1_000 if store.startswith("memory") else 100)
    async with hosting(store, KEYED) as host:
        worker = Worker(app, host.engine)
        working = asyncio.create_task(worker.run())
        rows: list[Row] = []
        async with asyncio.timeout(30):
            for run in [(await host.engine.runs.start("many")).run["id"] for _ in range(times // each)]:
                while len(pending := await host.engine.inputs.pending(run)) < each:
                    await asyncio.sleep(0.01)
                rows += pending
        try:
            yield host, rows
        finally:
            await worker.drain()
            await working


async def each(rows: list[Row], do: Callable[[int, Row], Awaitable[Any]]) -> list[Any]:
    """Do something about each request, about several at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(n: int, row: Row) -> Any:
        async with room:
            return await do(n, row)

    return await asyncio.gather(*(one(n, row) for n, row in enumerate(rows)))


def where(row: Row, verb: str) -> str:
    return f"/v1/runs/{row['run_id']}/inputs/{row['id']}/{verb}"


async def answer(host: Host, row: Row, who: str) -> httpx.Response:
    body = {"submission_id": f"{row['id']}-{who}", "action": "submit", "value": True, "seen_offset": row["revised"]}
    return await host.post(where(row, "answer"), body, **HEADERS[who])


async def recorded(host: Host, rows: list[Row]) -> tuple[dict[Any, Row], dict[Any, list[Row]]]:
    """Return the requests as they are, and what the journals say of them but who was refused, by run and key."""
    states: dict[Any, Row] = {}
    entries: dict[Any, list[Row]] = defaultdict(list)
    for run in dict.fromkeys(row["run_id"] for row in rows):
        stored = await host.engine.store.load(run_name(run), PartsWanted(PartKind.INPUT))
        assert stored is not None
        states |= {(run, part.key): InputState.loads(part.state).row for part in stored.parts}
        for entry in await host.engine.runs.history(run):
            if entry["type"] == "input.denied":
                continue
            entries[run, entry.get("id")].append(entry)
    return states, entries


async def test_of_three_votes_at_once_two_decide(store: str) -> None:
    async with asked(store, quorum=Quorum(2)) as (host, rows):

        async def vote(_: int, row: Row) -> list[httpx.Response]:
            return list(await asyncio.gather(*(answer(host, row, who) for who in PEOPLE)))

        replies = await each(rows, vote)
        states, entries = await recorded(host, rows)
        for row, three in zip(rows, replies, strict=True):
            told = {who: reply.json() for who, reply in zip(PEOPLE, three, strict=True)}
            outcomes = {who: one.get("outcome") or one["code"] for who, one in told.items()}
            assert sorted(outcomes.values()) == ["accepted", "already_decided", "voted"]
            by = {outcome: f"user:{who}" for who, outcome in outcomes.items()}
            now, written = states[row["run_id"], row["id"]], entries[row["run_id"], row["id"]]
            assert now["decided_by"]["id"] == by["accepted"]
            assert [vote["by"]["id"] for vote in now["votes"]] == [by["voted"], by["accepted"]]
            assert [one["by"]["id"] for one in written[1:]] == [by["voted"], by["accepted"], by["accepted"]]
            assert [one["type"] for one in written[1:]] == ["input.voted", "input.voted", "input.answered"]
            last = next(one for who, one in told.items() if outcomes[who] == "already_decided")
            assert last["row"] == now


async def test_answers_while_somebody_else_has_a_claim(store: str) -> None:
    async with asked(store, claim="1h", times=50) as (host, rows):

        async def claimed(_: int, row: Row) -> httpx.Response:
            assert (await host.post(where(row, "claim"), {}, **HEADERS["alice"])).status_code == 200
            return await answer(host, row, "bora")

        replies = await each(rows, claimed)
        assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {(409, "claimed")}
        states, _ = await recorded(host, rows)
        assert {state["status"] for state in states.values()} == {"pending"}


async def test_an_answer_at_the_end_of_a_claim(store: str) -> None:
    """Bora answers about when Alice's claim ends, of which the worker tells: refused before, accepted from then on."""
    async with asked(store, claim="1s") as (host, rows):

        async def claim(_: int, row: Row) -> float:
            claimed = await host.post(where(row, "claim"), {}, **HEADERS["alice"])
            assert claimed.status_code == 200, claimed.text
            return datetime.fromisoformat(claimed.json()["input"]["claim"]["until"]).timestamp() * 1000

        async def at_the_end(n: int, row: Row) -> tuple[float, httpx.Response]:
            until = ends[n]
            await asyncio.sleep((until - host.engine.clock.now_ms()) / 1000 - 0.02 + n % 10 * 0.004)
            return until, await answer(host, row, "bora")

        replies: list[tuple[float, httpx.Response]] = []
        waves = [rows[n : n + AT_ONCE * 8] for n in range(0, len(rows), AT_ONCE * 8)]
        for wave in waves:
            ends = await each(wave, claim)
            replies += await asyncio.gather(*(at_the_end(n, row) for n, row in enumerate(wave)))
        states, entries = await recorded(host, rows)
        found = Counter(reply.status_code for _, reply in replies)
        assert found[200] > 0
        assert found.keys() <= {200, 409}
        for row, (until, reply) in zip(rows, replies, strict=True):
            now, written = states[row["run_id"], row["id"]], entries[row["run_id"], row["id"]]
            answered = [one for one in written if one["type"] == "input.answered"]
            if reply.status_code == 200:
                assert [one["at"] >= until for one in answered] == [True]
                assert now == reply.json()["row"]
                assert now["claim"] is None
            else:
                assert reply.json()["code"] == "claimed"
                assert answered == []
                assert now["status"] == "pending"
            released = [one for one in written if one["type"] == "input.released"]
            assert all(one["at"] >= until for one in released)


async def test_an_answer_and_a_withdrawal_at_once(store: str) -> None:
    boss = bearer("boss", "operator")
    async with asked(store) as (host, rows):

        async def both(n: int, row: Row) -> list[httpx.Response]:
            withdrawn = host.post(where(row, "withdraw"), {"reason": "moot"}, **boss)
            sent = [answer(host, row, "alice"), withdrawn]
            return list(await asyncio.gather(*(sent if n % 2 else reversed(sent))))[:: 1 if n % 2 else -1]

        replies = await each(rows, both)
        states, entries = await recorded(host, rows)
        for row, (answered, withdrawn) in zip(rows, replies, strict=True):
            assert sorted([answered.status_code, withdrawn.status_code]) == [200, 409]
            now = states[row["run_id"], row["id"]]
            [end] = [one["type"] for one in entries[row["run_id"], row["id"]][1:]]
            if answered.status_code == 200:
                assert (end, now["status"], withdrawn.json()["code"]) == (
                    "input.answered",
                    "answered",
                    "already_decided",
                )
            else:
                assert (end, now["status"], answered.json()["code"]) == ("input.recalled", "withdrawn", "withdrawn")
            assert answered.json()["row"] == now


async def test_an_answer_and_a_rewind_at_once(store: str) -> None:
    """Either the answer is undone, or it comes to a request that is not what was seen."""
    boss = bearer("boss", "operator")
    async with asked(store, each=1) as (host, rows):

        async def both(_: int, row: Row) -> list[httpx.Response]:
            rewound = host.post(f"/v1/runs/{row['run_id']}/rewind", {"to": row["id"]}, **boss)
            return list(await asyncio.gather(answer(host, row, "alice"), rewound))

        replies = await each(rows, both)
        async with asyncio.timeout(30):
            for row in rows:
                while not await host.engine.inputs.pending(row["run_id"]):
                    if (await host.engine.runs.get(row["run_id"]))["status"] == "completed":
                        break
                    await asyncio.sleep(0.01)
        for row, (answered, rewound) in zip(rows, replies, strict=True):
            kinds = [one["type"] for one in await host.engine.runs.history(row["run_id"])]
            assert kinds.count("input.answered") == (answered.status_code == 200)
            if rewound.status_code != 200:  # the answer had ended the run
                assert (answered.status_code, rewound.json()["code"]) == (200, "run_closed")
                continue
            assert kinds.count("run.rewound") == 1
            [again] = await host.engine.inputs.pending(row["run_id"])
            assert again["revised"] > row["revised"]
            if answered.status_code == 200:
                assert kinds.index("input.answered") < kinds.index("run.rewound")
            else:
                assert answered.status_code == 409
                assert answered.json()["code"] in {"withdrawn", "stale"}
