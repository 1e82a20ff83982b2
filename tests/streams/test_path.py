"""Paths of streams: what is allowed, and what belongs to the engine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.errors import BadRequest
from signoff.names import LONGEST_PATH
from signoff.streams import path


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        (b"chat/1", "chat/1"),
        (b"a%20b", "a b"),
        (b"%C3%A9t%C3%A9", "été"),
        ("日本".encode(), "日本"),
        (b"100%25", "100%"),
        (b"a/b/c.d-e_f~g", "a/b/c.d-e_f~g"),
        (b"...", "..."),
        (b"a%3Fb%23c", "a?b#c"),
        (b"group:finance", "group:finance"),
        (b"x" * 1024, "x" * 1024),
    ],
)
def test_allowed_paths(raw: bytes, decoded: str) -> None:
    assert path.from_url(raw) == decoded


@pytest.mark.parametrize(
    "raw",
    [b"", b"/", b"a//b", b"/a", b"a/", b".", b"..", b"a/../b", b"a/./b", b"%2e%2e/a", b"a/%2E%2e", b"a%2fb", b"a%5cb",
     b"a\\b", b"a%00b", b"a%0d%0ab", b"a%1fb", b"a%7fb", b"a%c2%80b", b"%ff", b"%c3", b"%252e%252e", b"a%252fb",
     b"%ed%a0%80", b"x" * 1025, "é".encode() * 513, b"a\nb"],
)  # fmt: skip
def test_refused_paths(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        path.from_url(raw)


@given(st.text(max_size=1500))
def test_checking_never_fails_otherwise(text: str) -> None:
    try:
        allowed = path.check(text)
    except BadRequest:
        return
    assert allowed == text
    assert 0 < len(text.encode()) <= LONGEST_PATH


def test_what_the_engine_owns() -> None:
    assert all(map(path.engine_owned, ["runs/r1", "runs/r1/journal", "inbox/user:a", "workflows/w", "runs"]))
    assert not any(map(path.engine_owned, ["runsx/1", "a/runs", "Runs/1", "inboxes"]))
    assert path.reserved("__ds/subscriptions/1")
    assert not path.reserved("a/__ds")
