"""The head of a stream moves with an append, and nothing else about it changes."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields

from signoff.streams.stream import MOVED, Fork, Head, ProducerMark, StreamProperties

MEMBERS = (*(member.name for member in fields(StreamProperties)), *MOVED)

FULL = Head.of(
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
    bare = Head.of("", "", 0, 0, "")
    assert [name for name in MEMBERS if getattr(FULL, name) == getattr(bare, name)] == []


def test_an_append_moves_version_tail_and_time_alone() -> None:
    assert FULL.moved(3, 99, 40) == FULL.changed(version=FULL.next_version(40), tail=8, touched_at=99)
    assert FULL.moved(3, 99, 40, seq="b") == FULL.changed(
        version=FULL.next_version(40), tail=8, touched_at=99, last_seq="b"
    )


def test_the_properties_are_all_that_an_append_leaves_as_it_is() -> None:
    moved = FULL.moved(3, 99, 40, seq="b")
    assert moved.properties == FULL.properties
    for name in MEMBERS:
        other = FULL.changed(**{name: getattr(Head.of("", "", 0, 0, ""), name)})
        assert (other.properties == FULL.properties) == (getattr(moved, name) != getattr(FULL, name)), name


def test_a_head_is_copied_as_it_is() -> None:
    for same in (copy.copy(FULL), copy.deepcopy(FULL), pickle.loads(pickle.dumps(FULL))):
        assert isinstance(same, Head)
        assert same == FULL
