"""Queries that say what there is not: the answer names the parameter."""

from __future__ import annotations

from tests.server.hosting import hosting, problem
from tests.server.requests import stage

QUERIES = [
    ("/v1/runs?limit=0", "limit"),
    ("/v1/runs?limit=501", "limit"),
    ("/v1/runs?limit=ten", "limit"),
    ("/v1/runs?limit=%D9%A3", "limit"),
    ("/v1/runs?limit=1&limit=2", "more than once"),
    ("/v1/runs?status=done", "status"),
    ("/v1/runs?workflow=a%20b", "workflow"),
    ("/v1/runs?tag=%00", "tag"),
    ("/v1/runs?cursor=%ff", "UTF-8"),
    ("/v1/runs?cursor=x", "cursor"),
    ("/v1/runs?colour=red", "colour"),
    ("/v1/runs/r1?x=1", "'x'"),
    ("/v1/runs/r1/history?x=1", "'x'"),
    ("/v1/runs/r1/inputs/approve:0?x=1", "'x'"),
    ("/v1/inputs?status=lost", "status"),
    ("/v1/inputs?audience=user:a&audience=user:b", "more than once"),
    ("/v1/inputs?cursor=x", "cursor"),
    ("/v1/inputs?limit=-1", "limit"),
    ("/health?x=1", "'x'"),
]


async def test_queries() -> None:
    async with hosting() as host:
        await stage(host)
        for path, word in QUERIES:
            assert word in problem(await host.http.get(path), 400, "bad_request")["detail"], path
