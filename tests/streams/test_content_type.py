"""Content types: what one may be, and which are the same."""

from __future__ import annotations

import pytest

from signoff.errors import BadRequest
from signoff.streams import content_type


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("text/plain", "TEXT/Plain"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/plain;charset=UTF8", 'text/plain; charset="utf-8"'),
        ("application/json", "application/json; profile=x"),
    ],
)
def test_the_same_content_type(a: str, b: str) -> None:
    assert content_type.same(a, b)
    assert content_type.same(b, a)


@pytest.mark.parametrize(
    ("a", "b"), [("text/plain", "text/html"), ("text/plain; charset=utf-8", "text/plain; charset=latin-1")]
)
def test_other_content_types(a: str, b: str) -> None:
    assert not content_type.same(a, b)


@pytest.mark.parametrize(
    "text", [" text/plain ", "application/vnd.a+json", 'a/b; c="d; e"', "x/y;", "text/plain ; a=b"]
)
def test_well_formed_content_types(text: str) -> None:
    assert content_type.check(text) == text.strip()


@pytest.mark.parametrize(
    "text", ["", "text", "/", "text/", "a b/c", "text/plain\x00", "text/plän", "t/p; \x01", "a/" + "b" * 255]
)
def test_malformed_content_types(text: str) -> None:
    with pytest.raises(BadRequest):
        content_type.check(text)
