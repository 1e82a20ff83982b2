"""What may be done to a request for input beside answering it: by whom, what with, and that it is told."""

from __future__ import annotations

from pathlib import Path

import orjson

from signoff.server.api.input_verbs import listed
from tests.server.hosting import KEYED, bearer, hosting, problem

WITHDRAW = "/v1/runs/r1/inputs/approve:0/withdraw"
WHY = {"reason": "asked by mistake"}


def test_they_are_listed_for_clients() -> None:
    """What clients are made from is what the server has."""
    path = Path(__file__).parents[3] / "protocol" / "input-verbs.json"
    assert orjson.loads(path.read_bytes()) == listed()


async def test_a_request_is_taken_back_for_a_reason_that_is_told(store: str) -> None:
    async with hosting(store) as host:
        await host.ask()
        reply = await host.post(WITHDRAW, WHY)
        assert reply.status_code == 200, reply.text
        row = reply.json()["input"]
        assert (row["status"], row["reason"]) == ("withdrawn", "asked by mistake")
        assert row["decided_by"] == {"kind": "operator", "id": "local"}
        again = problem(await host.post(WITHDRAW, WHY), 409, "withdrawn")
        assert again["row"] == row
        assert [entry["type"] for entry in await host.engine.runs.history("r1")][-1] == "input.recalled"


async def test_only_operators_take_back_and_strangers_learn_nothing(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask()
        for path in (WITHDRAW, WITHDRAW.replace("approve", "other"), WITHDRAW.replace("r1", "r2")):
            problem(await host.post(path, WHY, **bearer("mallory")), 403, "forbidden")
        boss = bearer("boss", "operator")
        problem(await host.post(WITHDRAW, {}, **boss), 400, "bad_request")
        problem(await host.post(WITHDRAW.replace("approve", "other"), WHY, **boss), 404, "input_not_found")
