"""Members of a body that are wrong are named by their pointers, all of them at once."""

from __future__ import annotations

from typing import Any

from tests.server.hosting import hosting, problem
from tests.server.requests import ROUTES, stage

MEMBERS: list[tuple[str, Any, str]] = [
    ("start", {}, "/workflow"),
    ("start", {"workflow": 7}, "/workflow"),
    ("start", {"workflow": None}, "/workflow"),
    ("start", {"workflow": ""}, "/workflow"),
    ("start", {"workflow": "a b"}, "/workflow"),
    ("start", {"workflow": "a/b"}, "/workflow"),
    ("start", {"workflow": ".."}, "/workflow"),
    ("start", {"workflow": "x" * 129}, "/workflow"),
    ("start", {"workflow": "expense\n"}, "/workflow"),
    ("start", {"workflow": "expense", "run_id": "../r1"}, "/run_id"),
    ("start", {"workflow": "expense", "run_id": 5}, "/run_id"),
    ("start", {"workflow": "expense", "tags": "eu"}, "/tags"),
    ("start", {"workflow": "expense", "tags": ["eu", 1]}, "/tags/1"),
    ("start", {"workflow": "expense", "tags": ["a"] * 33}, "/tags"),
    ("start", {"workflow": "expense", "tags": ["a\x00b"]}, "/tags/0"),
    ("start", {"workflow": "expense", "start_at": "tomorrow"}, "/start_at"),
    ("start", {"workflow": "expense", "start_at": "2026-02-30T00:00:00Z"}, "/start_at"),
    ("start", {"workflow": "expense", "start_at": 1}, "/start_at"),
    ("start", {"workflow": "expense", "a/b~c": 1}, "/a~1b~0c"),
    ("cancel", {"reason": 1}, "/reason"),
    ("cancel", {"reason": "x" * 1001}, "/reason"),
    ("send", {}, "/id"),
    ("send", {"id": 1}, "/id"),
    ("send", {"id": ""}, "/id"),
    ("send", {"id": "x" * 201}, "/id"),
    ("send", {"id": "e", "key": 1}, "/key"),
    ("emit", {}, "/id"),
    ("emit", {"id": ["e"]}, "/id"),
    ("emit", {"id": "e", "key": "\x1b"}, "/key"),
]


async def test_members_are_named_by_pointer() -> None:
    async with hosting() as host:
        before = await stage(host)
        for route, body, pointer in MEMBERS:
            document = problem(await host.post(ROUTES[route], body), 400, "bad_request")
            assert pointer in [error["pointer"] for error in document["errors"]], (body, document)
            assert pointer in document["detail"]
        both = problem(await host.post("/v1/runs", {"tags": 1, "x": 2}), 400, "bad_request")
        assert {error["pointer"] for error in both["errors"]} == {"/workflow", "/tags", "/x"}
        assert await host.everything() == before
