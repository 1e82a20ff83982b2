"""The head of a stream moves with an append, and nothing else about it changes."""

from __future__ import annotations

from dataclasses import fields, replace

from signoff.streams.stream import Fork, Head, ProducerMark

FULL = Head(
    path="s",
    incarnation="i",
    version=7,
    tail=5,
    content_type="text/plain",
    closed=True,
    engine=True,
    created_at=1,
    base=2,
    closed_by=ProducerMark("p", 3, 4),
    last_seq="a",
    ttl_s=9,
    expires_at="2030-01-01T00:00:00Z",
    touched_at=8,
    fork=Fork("source", "incarnation", 1),
    refs=3,
    deleted=True,
    compacted=True,
    rows_at=4,
)


def test_the_example_has_no_member_at_its_default() -> None:
    bare = Head("", "", 0, 0, "")
    assert [one.name for one in fields(Head) if getattr(FULL, one.name) == getattr(bare, one.name)] == []


def test_an_append_moves_version_tail_and_time_alone() -> None:
    assert FULL.moved(3, 99, 40) == replace(FULL, version=FULL.after(40), tail=8, touched_at=99)
    assert FULL.moved(3, 99, 40, seq="b") == replace(FULL, version=FULL.after(40), tail=8, touched_at=99, last_seq="b")
