"""Whatever nonsense arrives, the answer says precisely what is wrong, and nothing is stored."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.server.hosting import Host, hosting, problem

ROUTES = {
    "start": "/v1/runs",
    "cancel": "/v1/runs/r1/cancel",
    "answer": "/v1/runs/r1/inputs/approve:0/answer",
    "send": "/v1/runs/r1/events/paid",
    "emit": "/v1/events/paid",
}
GOOD: dict[str, dict[str, Any]] = {
    "start": {"workflow": "expense"},
    "cancel": {},
    "answer": {"submission_id": "s", "action": "submit", "value": {"approved": True}, "seen_offset": "-1"},
    "send": {"id": "e1"},
    "emit": {"id": "e1"},
}
JSON = {"content-type": "application/json"}

RAW: dict[str, tuple[bytes, dict[str, str], int, str, str]] = {
    "empty": (b"", JSON, 400, "bad_request", "empty"),
    "malformed": (b'{"a": 1,\n "b" }', JSON, 400, "bad_request", "line 2"),
    "cut off": (b'{"workflow": "expe', JSON, 400, "bad_request", "not JSON"),
    "not utf-8": (b'{"workflow": "\xff\xfe"}', JSON, 400, "bad_request", "UTF-8: byte 14"),
    "lone surrogate": (b'{"workflow": "\\ud800"}', JSON, 400, "bad_request", "not JSON"),
    "lone surrogate in a name": (b'{"\\udc00": 1}', JSON, 400, "bad_request", "not JSON"),
    "nan": (b'{"input": NaN}', JSON, 400, "bad_request", "not JSON"),
    "infinity": (b'{"input": -Infinity}', JSON, 400, "bad_request", "not JSON"),
    "a number beyond all": (b'{"input": 1e999}', JSON, 400, "bad_request", "1e999 is too large"),
    "control character": (b'{"input": "\x01"}', JSON, 400, "bad_request", "line 1, column 12"),
    "array": (b"[]", JSON, 400, "bad_request", "object"),
    "null": (b"null", JSON, 400, "bad_request", "object"),
    "deep": (b'{"x":' + b"[" * 70 + b"]" * 70 + b"}", JSON, 400, "bad_request", "deeper than 64"),
    "very deep": (b"[" * 100_000, JSON, 400, "bad_request", "not JSON"),
    "repeated member": (b'{"workflow": "a", "workflow": "b"}', JSON, 400, "bad_request", "'workflow' stands twice"),
    "huge integer": (b'{"workflow": 123456789012345678901}', JSON, 400, "bad_request", "beyond 64 bits"),
    "too large": (b'{"x": "' + b"a" * (1 << 20) + b'"}', JSON, 413, "payload_too_large", "1048576 bytes"),
    "no type": (b"{}", {"content-type": ""}, 415, "unsupported_media_type", "application/json"),
    "text": (b"{}", {"content-type": "text/plain"}, 415, "unsupported_media_type", "application/json"),
    "form": (b"a=1", {"content-type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type", "json"),
    "latin": (b"{}", {"content-type": "application/json; charset=latin-1"}, 415, "unsupported_media_type", "UTF-8"),
    "gzip": (b"{}", {**JSON, "content-encoding": "gzip"}, 415, "unsupported_media_type", "Content-Encoding"),
    "unknown member": (b'{"surprise": 1}', JSON, 400, "bad_request", ""),
}


async def stage(host: Host) -> Any:
    await host.ask("r1")
    return await host.everything()


@pytest.mark.parametrize("route", ROUTES)
async def test_bodies(route: str, store: str) -> None:
    async with hosting(store) as host:
        before = await stage(host)
        for name, (body, headers, status, code, word) in RAW.items():
            reply = await host.http.post(ROUTES[route], content=body, headers=headers)
            assert word in problem(reply, status, code)["detail"], name
        many = await host.http.post(ROUTES[route], content=chunks(), headers=JSON)
        problem(many, 413, "payload_too_large")
        asked = await host.http.post(f"{ROUTES[route]}?dry=1", json=GOOD[route])
        assert "'dry'" in problem(asked, 400, "bad_request")["detail"]
        assert await host.everything() == before


async def chunks() -> Any:
    for _ in range(20):
        yield b" " * 100_000


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


ANSWERS: list[tuple[dict[str, Any], str]] = [
    ({"submission_id": ""}, "submission_id"),
    ({"submission_id": 1}, "submission_id"),
    ({"submission_id": "x" * 1000}, "submission_id"),
    ({"action": None}, "action"),
    ({"seen_offset": 5}, "seen_offset"),
    ({"seen_offset": "yesterday"}, "seen_offset"),
    ({"seen_offset": "-2"}, "seen_offset"),
    ({"by": "alice"}, "by"),
]


async def test_answers_are_checked_member_by_member() -> None:
    async with hosting() as host:
        before = await stage(host)
        for change, word in ANSWERS:
            reply = await host.post(ROUTES["answer"], {**GOOD["answer"], **change})
            assert word in problem(reply, 400, "bad_request")["detail"]
        for member in GOOD["answer"]:
            lacking = {name: value for name, value in GOOD["answer"].items() if name != member}
            assert member in problem(await host.post(ROUTES["answer"], lacking), 400, "bad_request")["detail"]
        assert await host.everything() == before


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
