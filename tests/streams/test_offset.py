"""Offsets: tokens that sort as positions do, and nothing else (Durable Streams §8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.errors import InvalidOffset
from signoff.streams import offset

positions = st.integers(min_value=0, max_value=offset.LAST)


@given(positions)
def test_a_token_reads_back_as_its_position(position: int) -> None:
    assert offset.decode(offset.encode(position)) == position


@given(positions, positions)
def test_tokens_sort_as_positions_do(a: int, b: int) -> None:
    assert (offset.encode(a) < offset.encode(b)) == (a < b)


def test_the_reserved_words() -> None:
    assert offset.decode("-1") == 0
    assert offset.resolve("now", 7) == 7
    assert offset.resolve("-1", 7) == 0
    assert offset.resolve(offset.encode(3), 7) == 3


@pytest.mark.parametrize(
    "token",
    [
        "", " ", "0", "42", "-2", "--1", "-1 ", "+000000000000001", "000000000000001", "00000000000000001",
        "000000000000000a", "0000000000000_01", "0000000000000001\n", "0x00000000000001", "..", "../../etc/passwd",
        "0000000000000001-", "0000000000000001-a-b", "0000000000000001_a", "000000000000001a-b", "1-a", "-1-a", "-a",
        "NOW", "Now", "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦", "²²²²²²²²²²²²²²²²", "-1,-1", "a&b", "0000000000000\x00\x00\x00", "null",
    ],
)  # fmt: skip
def test_anything_else_is_refused(token: str) -> None:
    with pytest.raises(InvalidOffset):
        offset.decode(token)


@given(positions, positions)
def test_tokens_that_name_their_stream_are_positions_and_sort_as_those_do(a: int, b: int) -> None:
    token = offset.marked(a, "5f0c")
    assert (offset.decode(token), offset.mark(token)) == (a, "5f0c")
    assert offset.mark(offset.encode(a)) is None
    assert (token < offset.marked(b, "5f0c")) == (a < b)
    assert (offset.encode(b) <= token) == (b <= a)


def test_now_is_no_position() -> None:
    with pytest.raises(InvalidOffset):
        offset.decode("now")


@pytest.mark.parametrize("position", [-1, offset.LAST + 1])
def test_positions_without_a_token(position: int) -> None:
    with pytest.raises(ValueError, match="has no offset"):
        offset.encode(position)


@given(st.text())
def test_decode_never_fails_otherwise(text: str) -> None:
    try:
        position = offset.decode(text)
    except InvalidOffset:
        return
    assert text == "-1" or offset.encode(position) == text.partition("-")[0]
