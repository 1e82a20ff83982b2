"""Whatever nonsense a body is, the answer says precisely what is wrong, and nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.hosting import hosting, problem
from tests.server.requests import GOOD, JSON, ROUTES, stage

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
