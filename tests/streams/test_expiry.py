"""How long a stream lives (Durable Streams §5.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.errors import BadRequest
from signoff.streams import expiry
from signoff.streams.stream import Head

HEAD = Head.of("s", "i", 3, 0, "text/plain", touched_at=10_000)
AT = "2030-01-01T00:00:00Z"


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("1", 1), ("3600", 3600), ("999999999999", 999999999999)])
def test_times_to_live(text: str, seconds: int) -> None:
    assert expiry.parse_ttl(text) == seconds


@pytest.mark.parametrize("text", ["", " 1", "01", "+1", "-1", "1.0", "1e3", "abc", "0x10", "²", "9" * 13, "1\n"])
def test_malformed_times_to_live(text: str) -> None:
    with pytest.raises(BadRequest):
        expiry.parse_ttl(text)


@pytest.mark.parametrize(
    "text",
    [AT, "2030-01-01T01:00:00+01:00", "2030-01-01t00:00:00.000z", "2029-12-31T23:30:00.000000000-00:30"],
)
def test_one_instant_in_many_forms(text: str) -> None:
    assert expiry.check_expires_at(text) == text
    assert expiry.instant(text) == 1_893_456_000_000
    assert expiry.same_end(text, AT)


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2030-01-01", "2030-01-01T00:00:00", "2030-13-01T00:00:00Z", "2030-02-30T00:00:00Z",
     "2030-01-01 00:00:00Z", "2030-01-01T25:00:00Z", "1893456000", "2030-01-01T00:00:00+0100", "²030-01-01T00:00:00Z"],
)  # fmt: skip
def test_malformed_ends(text: str) -> None:
    with pytest.raises(BadRequest):
        expiry.check_expires_at(text)


def test_absent_ends_are_alike_and_differ_from_any_other() -> None:
    assert expiry.same_end(None, None)
    assert not expiry.same_end(None, AT)


def test_a_fixed_end_is_not_moved_by_anything() -> None:
    head = HEAD.changed(expires_at=AT)
    assert not expiry.is_expired(head, expiry.instant(AT) - 1)
    assert expiry.is_expired(head, expiry.instant(AT))
    assert expiry.renew(head, expiry.instant(AT) - 1) is None


def test_streams_without_either_live_for_ever() -> None:
    assert not expiry.is_expired(HEAD, 2**60)
    assert expiry.renew(HEAD, 2**60) is None


@given(ttl=st.integers(0, 10**6), reads=st.lists(st.integers(0, 10**6), max_size=20))
def test_a_stream_lives_at_least_its_time_after_every_read(ttl: int, reads: list[int]) -> None:
    head, now = HEAD.changed(ttl_s=ttl), HEAD.touched_at
    for wait in reads:
        now += wait
        if expiry.is_expired(head, now):
            assert wait >= ttl * 1000
            return
        head = expiry.renew(head, now) or head
        if ttl:
            assert not expiry.is_expired(head, now + ttl * 1000 - 1)
        assert expiry.is_expired(head, now + ttl * 1000 + ttl * 1000 // expiry.GRACE + 1)


def test_reads_that_follow_closely_do_not_write() -> None:
    head = HEAD.changed(ttl_s=160)
    assert expiry.renew(head, HEAD.touched_at + 10_000) is None
    renewed = expiry.renew(head, HEAD.touched_at + 10_001)
    assert renewed == head.changed(version=4, touched_at=HEAD.touched_at + 10_001)
