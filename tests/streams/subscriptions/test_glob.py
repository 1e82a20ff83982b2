"""Globs over the paths of streams."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.errors import BadRequest
from signoff.streams.subscriptions.glob import Glob, check

MATCHES = [
    ("events/*", "events/a", True),
    ("events/*", "events/a/b", False),
    ("events/*", "events", False),
    ("events/*", "eventsx/a", False),
    ("events/**", "events/a/b/c", True),
    ("events/**", "events", True),
    ("events/**", "events2", False),
    ("a/**/z", "a/z", True),
    ("a/**/z", "a/b/c/z", True),
    ("a/**/z", "a/b/c", False),
    ("**/z", "z", True),
    ("**/z", "a/b/z", True),
    ("**", "a", True),
    ("**", "a/b", True),
    ("*", "a", True),
    ("*", "a/b", False),
    ("*/b", "a/b", True),
    ("user-*/in", "user-7/in", True),
    ("user-*/in", "user-/in", True),
    ("user-*/in", "user/in", False),
    ("a.c", "abc", False),
    ("a/[b]", "a/[b]", True),
    ("a", "a", True),
    ("**", "runs/r1", False),
    ("*/r1", "runs/r1", False),
    ("runs/*", "runs/r1", True),
    ("runs/*", "runs/r1/journal", False),
    ("r*/r1", "runs/r1", False),
    ("**", "__ds/subscriptions/a", False),
]


@pytest.mark.parametrize(("pattern", "path", "expected"), MATCHES)
def test_a_glob_matches(pattern: str, path: str, expected: bool) -> None:
    assert Glob(check(pattern)).matches(path) is expected


@given(
    st.lists(st.sampled_from(["a", "b", "*", "**", "a*", "*b*"]), min_size=1, max_size=6),
    st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=7),
)
def test_what_matches_begins_with_the_prefix(pattern: list[str], path: list[str]) -> None:
    glob = Glob("/".join(pattern))
    if glob.matches("/".join(path)):
        assert "/".join(path).startswith(glob.prefix)
    plain = Glob("/".join(path))
    assert plain.matches("/".join(path))
    assert Glob("**").matches("/".join(path))


def test_a_glob_of_many_wildcards_is_matched_at_once() -> None:
    assert not Glob("/".join(["**", "a"] * 100)).matches("/".join(["a"] * 500) + "/b")
    assert not Glob("x/" + "*a" * 200 + "b").matches("x/" + "a" * 900)


@pytest.mark.parametrize("pattern", ["", "/", "a//b", "a/**b", "***", "a/../*", "__ds/*", "a\x00*", "x" * 2000])
def test_a_pattern_that_could_match_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(BadRequest):
        check(pattern)
