"""What is told of an error, and what of a defect."""

from __future__ import annotations

import json

import pytest

from tests.server.hosting import hosting, problem
from tests.server.requests import JSON


async def test_what_a_caller_sent_can_always_be_told_back() -> None:
    async with hosting() as host:
        odd = json.dumps({"\u202e\x1b[31m": 1, "workflow": "x"}).encode()
        document = problem(await host.http.post("/v1/runs", content=odd, headers=JSON), 400, "bad_request")
        assert document["errors"][0]["pointer"] == "/\u202e\x1b[31m"


async def test_a_defect_of_ours_is_told_by_reference_only(caplog: pytest.LogCaptureFixture) -> None:
    async with hosting() as host:
        # The store closes behind the server's back: nothing in the tree of errors is raised for that by a dict.
        object.__setattr__(host.engine, "runs", None)
        document = problem(await host.http.get("/v1/runs/r1"), 500, "error")
        assert "NoneType" not in json.dumps(document)
    assert str(document["reference"]) in caplog.text
    assert "NoneType" in caplog.text
