"""Addresses: which there are, and what is said of those there are not."""

from __future__ import annotations

import httpx

from tests.server.hosting import hosting, problem
from tests.server.requests import JSON, stage

PATHS = [
    ("GET", "/v1/runs/a%20b", 400, "invalid_name"),
    ("GET", "/v1/runs/%00", 400, "invalid_name"),
    ("GET", "/v1/runs/%ff", 400, "invalid_name"),
    ("GET", "/v1/runs/r1%0d%0ax-evil:1", 400, "invalid_name"),
    ("GET", "/v1/runs/%2e%2e", 400, "invalid_name"),
    ("GET", "/v1/runs/" + "x" * 129, 400, "invalid_name"),
    ("GET", "/v1/runs/r1/inputs/approve", 400, "invalid_name"),
    ("GET", "/v1/runs/r1/inputs/approve:-1", 400, "invalid_name"),
    ("GET", "/v1/runs/r1/inputs/approve:01", 400, "invalid_name"),
    ("GET", "/v1/runs/r1/inputs/:0", 400, "invalid_name"),
    ("GET", "/v1/runs/r1/inputs/approve:9", 404, "input_not_found"),
    ("POST", "/v1/runs/a%20b/cancel", 400, "invalid_name"),
    ("POST", "/v1/runs/r1/events/a%20b", 400, "invalid_name"),
    ("POST", "/v1/events/a%20b", 400, "invalid_name"),
    ("POST", "/v1/runs/a%20b/inputs/approve:0/answer", 400, "invalid_name"),
    ("POST", "/v1/runs/r1/inputs/approve:x/answer", 400, "invalid_name"),
    ("GET", "/v1/runs/r1%2fhistory", 400, "invalid_name"),
    ("POST", "/v1/runs%2fr1%2fcancel", 400, "invalid_name"),
    ("GET", "/v1/runs/..%2f..%2fhealth", 400, "invalid_name"),
    ("GET", "/V1/runs", 404, "not_found"),
    ("GET", "/v1//runs", 404, "not_found"),
    ("PUT", "/v1/runs/r1", 405, "method_not_allowed"),
    ("PATCH", "/health", 405, "method_not_allowed"),
    ("PROPFIND", "/v1/runs", 405, "method_not_allowed"),
]


async def test_paths() -> None:
    async with hosting() as host:
        before = await stage(host)
        for method, path, status, code in PATHS:
            # As it stands: httpx would tidy a path given to a client with a base.
            url = httpx.URL(host.url).copy_with(raw_path=path.encode())
            request = httpx.Request(method, url, headers=JSON, content=b"{}" if method == "POST" else b"")
            problem(await host.http.send(request), status, code)
        assert await host.everything() == before
