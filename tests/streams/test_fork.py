"""The rules of forks, one fact a test (Durable Streams §4.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from signoff.errors import BadRequest, InvalidOffset, StreamConflict, StreamDeleted, StreamNotFound
from signoff.streams import fork, offset
from signoff.streams.decide import decide
from signoff.streams.stream import (
    Append,
    Branch,
    Close,
    Create,
    Delete,
    Fork,
    Head,
    Lookup,
    Payload,
    ProducerMark,
    Remove,
    StreamCommand,
    Touch,
    Unchanged,
    Write,
)

NOW = 1_000_000
SOURCE = Head.of("s", "s1", version=7, tail=10, content_type="text/plain", last_seq="z", touched_at=1)
FORK = Head.of("f", "f1", version=3, tail=12, content_type="text/plain", fork=Fork("s", "s1", 10))
NOTHING = Payload("text/plain", b"", 0)
ENDS = "2030-01-01T00:00:00Z"
LATER = "2031-01-01T00:00:00Z"


def create(at: int | None = None, **more: object) -> Create:
    return replace(Create("f", "new", NOTHING, version=99, fork=Branch("s", at)), **more)  # type: ignore[arg-type]


def made(command: Create, source: Head = SOURCE) -> Head:
    decision = decide(None, command, None, NOW, {"s": source})
    assert isinstance(decision, Write)
    assert decision.also == (
        Write(source.changed(version=source.version + 1, refs=source.refs + 1), source.version, source.tail),
    )
    return decision.head


@pytest.mark.parametrize(
    ("token", "sub_offset", "at"),
    [
        (None, None, None),
        (None, "0", None),
        ("-1", None, 0),
        ("0000000000000000_0000000000000000", "3", 3),
        (offset.encode(4), "0", 4),
        (offset.encode(4), "9999999999999999", 4 + 9999999999999999),
    ],
)
def test_offset_and_sub_offset_name_one_position(token: str | None, sub_offset: str | None, at: int | None) -> None:
    assert fork.branch("s", token, sub_offset) == Branch("s", at)


@pytest.mark.parametrize("token", ["", "now", "5", "0000000000000001_0000000000000000", "9" * 16 + "_" + "9" * 16])
def test_a_malformed_offset_is_refused(token: str) -> None:
    with pytest.raises(InvalidOffset):
        fork.branch("s", token, None)


@pytest.mark.parametrize("sub_offset", ["", "-1", "abc", "1.5", "05", "+1", " 1", "1 ", "\u0661", "1" * 17])
def test_a_malformed_sub_offset_is_refused(sub_offset: str) -> None:
    with pytest.raises(BadRequest):
        fork.branch("s", "-1", sub_offset)


def test_a_sub_offset_needs_an_offset_to_start_from() -> None:
    with pytest.raises(BadRequest):
        fork.branch("s", None, "1")


def test_a_fork_is_a_fresh_stream_from_its_position_on() -> None:
    closed = SOURCE.changed(closed=True, closed_by=ProducerMark("p", 0, 0), engine=True)
    head = made(create(), closed)
    assert head == Head.of(
        "f", "new", 99, 10, "text/plain", created_at=NOW, touched_at=NOW, fork=Fork("s", "s1", 10, depth=1)
    )


def test_the_first_content_follows_what_is_inherited() -> None:
    decision = decide(None, create(4, payload=Payload("text/plain", b"xy", 2)), None, NOW, {"s": SOURCE})
    assert isinstance(decision, Write)
    assert (decision.start, decision.data, decision.head.tail, decision.head.own) == (4, b"xy", 6, 4)


@pytest.mark.parametrize(
    ("source", "request_", "gets"),
    [
        ((None, None), (None, None), (None, None)),
        ((None, None), (5, None), (5, None)),
        ((None, None), (None, ENDS), (None, ENDS)),
        ((9, None), (None, None), (9, None)),
        ((9, None), (5, None), (5, None)),
        ((9, None), (None, ENDS), (None, ENDS)),
        ((None, ENDS), (None, None), (None, ENDS)),
        ((None, ENDS), (5, None), (5, None)),
        ((None, ENDS), (None, LATER), (None, LATER)),
    ],
)
def test_how_long_a_fork_lives(
    source: tuple[int | None, str | None], request_: tuple[int | None, str | None], gets: tuple[int | None, str | None]
) -> None:
    head = made(
        create(ttl_s=request_[0], expires_at=request_[1]), SOURCE.changed(ttl_s=source[0], expires_at=source[1])
    )
    assert (head.ttl_s, head.expires_at) == gets
    again = create(ttl_s=request_[0], expires_at=request_[1])
    counted = SOURCE.changed(ttl_s=source[0], expires_at=source[1], refs=1, deleted=True)
    assert decide(head, again, None, NOW, {"s": counted}) == Unchanged(head)


@pytest.mark.parametrize(
    ("source", "command", "refusal"),
    [
        (None, create(), StreamNotFound),
        (SOURCE.changed(deleted=True, refs=1), create(), StreamConflict),
        (SOURCE, create(11), InvalidOffset),
        (SOURCE, create(payload=Payload("application/json", b"", 0)), StreamConflict),
        (SOURCE.changed(base=1), create(), StreamConflict),
        (SOURCE.changed(fork=Fork("r", "r1", 1, fork.DEEPEST)), create(), StreamConflict),
    ],
)
def test_what_cannot_be_forked(source: Head | None, command: Create, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        decide(None, command, None, NOW, {"s": source})


def test_a_chain_knows_how_deep_it_is() -> None:
    last_but_one = SOURCE.changed(fork=Fork("r", "r1", 1, fork.DEEPEST - 1))
    assert made(create(), last_but_one).fork == Fork("s", "s1", 10, fork.DEEPEST)


@pytest.mark.parametrize("at", [None, 10])
def test_asking_again_for_a_fork_is_known(at: int | None) -> None:
    longer = SOURCE.changed(tail=50, refs=1)
    assert decide(FORK, create(at), None, NOW, {"s": longer}) == Unchanged(FORK)


@pytest.mark.parametrize(
    ("head", "command"),
    [
        (FORK, create(9)),
        (FORK, replace(create(), fork=None)),
        (FORK.changed(fork=None), create()),
        (FORK.changed(fork=Fork("r", "r1", 10)), create()),
        (FORK.changed(closed=True), create()),
        (FORK.changed(ttl_s=4), create()),
        (FORK.changed(deleted=True, refs=1), create()),
        (FORK.changed(deleted=True, refs=1), replace(create(), fork=None)),
    ],
)
def test_a_path_in_use_for_something_else_is_left_alone(head: Head, command: Create) -> None:
    with pytest.raises(StreamConflict):
        decide(head, command, None, NOW, {"s": SOURCE})


def test_the_source_must_be_known_first() -> None:
    assert decide(None, create(), None, NOW) == Lookup("s")
    assert decide(FORK, create(), None, NOW) == Lookup("s")
    assert decide(FORK, Delete(), None, NOW) == Lookup("s")


@pytest.mark.parametrize("command", [Append(Payload("text/plain", b"x", 1)), Close(), Delete(), Touch()])
def test_a_deleted_stream_is_gone(command: StreamCommand) -> None:
    with pytest.raises(StreamDeleted):
        decide(SOURCE.changed(deleted=True, refs=1), command, None, NOW)


def test_a_source_is_kept_for_its_forks() -> None:
    source = SOURCE.changed(refs=2)
    assert decide(source, Delete(), None, NOW) == Write(source.changed(version=8, deleted=True), 7, 10)


def test_a_fork_lets_go_of_its_source() -> None:
    source = SOURCE.changed(refs=1)
    assert decide(FORK, Delete(), None, NOW, {"s": source}) == Remove(FORK, (Write(SOURCE.changed(version=8), 7, 10),))


def test_a_deleted_source_stays_for_its_other_forks() -> None:
    source = SOURCE.changed(refs=2, deleted=True)
    left = source.changed(version=8, refs=1)
    assert decide(FORK, Delete(), None, NOW, {"s": source}) == Remove(FORK, (Write(left, 7, 10),))


def test_the_last_fork_takes_deleted_sources_along_up_to_one_that_is_alive() -> None:
    root = SOURCE.changed(refs=1)
    middle = FORK.changed(refs=1, deleted=True)
    last = Head.of("l", "l1", 1, 12, "text/plain", fork=Fork("f", "f1", 12, 2))
    assert decide(last, Delete(), None, NOW, {"f": middle}) == Lookup("s")
    along = (Remove(middle), Write(root.changed(version=8, refs=0), 7, 10))
    assert decide(last, Delete(), None, NOW, {"f": middle, "s": root}) == Remove(last, along)
    gone = root.changed(deleted=True)
    assert decide(last, Delete(), None, NOW, {"f": middle, "s": gone}) == Remove(last, (Remove(middle), Remove(gone)))


def test_what_took_a_lost_source_s_place_is_not_touched() -> None:
    assert decide(FORK, Delete(), None, NOW, {"s": None}) == Remove(FORK)
    assert decide(FORK, Delete(), None, NOW, {"s": SOURCE.changed(incarnation="s2", refs=1)}) == Remove(FORK)
