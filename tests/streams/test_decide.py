"""The rules of writing, one fact a test (Durable Streams §5.1 to §5.4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from signoff.errors import (
    BadRequest,
    ProducerFenced,
    ProducerGap,
    SignoffError,
    StreamClosed,
    StreamConflict,
    StreamNotFound,
)
from signoff.streams.decide import decide
from signoff.streams.stream import (
    Append,
    Close,
    Create,
    Delete,
    Head,
    Payload,
    ProducerMark,
    Remove,
    StreamCommand,
    Touch,
    Unchanged,
    Write,
)

NOW = 1_000_000
OPEN = Head.of("chat/1", "a1", version=7, tail=10, content_type="text/plain", created_at=1, last_seq="b", touched_at=1)
MARK = ProducerMark("p", 0, 0)
CLOSED = OPEN.changed(closed=True, closed_by=MARK)
HELLO = Payload("text/plain", b"hello", 5)
NOTHING = Payload("text/plain", b"", 0)
OTHER = Payload("application/json", b"1", 1)


def create(**more: object) -> Create:
    return replace(Create("chat/1", "new", NOTHING, version=99), **more)  # type: ignore[arg-type]


def test_a_new_stream_has_what_was_asked_for() -> None:
    decision = decide(None, create(payload=HELLO, closed=True, ttl_s=60), None, NOW)
    head = Head.of("chat/1", "new", 99, 5, "text/plain", closed=True, created_at=NOW, ttl_s=60, touched_at=NOW)
    assert decision == Write(head, 0, 0, b"hello")


@pytest.mark.parametrize("command", [Append(HELLO), Close(), Delete(), Touch()])
def test_nothing_else_works_where_no_stream_is(command: StreamCommand) -> None:
    with pytest.raises(StreamNotFound):
        decide(None, command, None, NOW)


@pytest.mark.parametrize(
    ("head", "command"),
    [
        (OPEN, create()),
        (OPEN, create(payload=Payload("TEXT/PLAIN; charset=utf-8", b"x", 1))),
        (CLOSED, create(closed=True)),
        (OPEN.changed(ttl_s=5), create(ttl_s=5)),
        (OPEN.changed(expires_at="2030-01-01T00:00:00Z"), create(expires_at="2030-01-01T01:00:00+01:00")),
    ],
)
def test_creating_again_alike_is_known_and_writes_nothing(head: Head, command: Create) -> None:
    assert decide(head, command, None, NOW) == Unchanged(head)


@pytest.mark.parametrize(
    ("head", "command", "what"),
    [
        (OPEN, create(payload=OTHER), "content type"),
        (OPEN, create(closed=True), "closure"),
        (CLOSED, create(), "closure"),
        (OPEN, create(ttl_s=5), "time to live"),
        (OPEN.changed(ttl_s=5), create(ttl_s=6), "time to live"),
        (OPEN, create(expires_at="2030-01-01T00:00:00Z"), "expiry"),
        (OPEN.changed(expires_at="2030-01-01T00:00:00Z"), create(expires_at="2030-01-01T00:00:01Z"), "expiry"),
    ],
)
def test_creating_again_otherwise_conflicts(head: Head, command: Create, what: str) -> None:
    with pytest.raises(StreamConflict, match=what):
        decide(head, command, None, NOW)


def test_an_append_moves_tail_and_version_and_renews() -> None:
    expected = OPEN.changed(version=8, tail=15, touched_at=NOW)
    assert decide(OPEN, Append(HELLO), None, NOW) == Write(expected, 7, 10, b"hello")


def test_an_append_can_be_the_last_one() -> None:
    decision = decide(OPEN, Append(HELLO, close=True, seq="c", producer=MARK), None, NOW)
    expected = OPEN.changed(version=8, tail=15, closed=True, closed_by=MARK, last_seq="c", touched_at=NOW)
    assert decision == Write(expected, 7, 10, b"hello", MARK)


@pytest.mark.parametrize(
    ("head", "command", "last", "refusal"),
    [
        # closed comes first …
        (CLOSED, Append(OTHER, seq="a", producer=ProducerMark("q", 0, 9)), None, StreamClosed),
        (CLOSED, Append(HELLO, producer=ProducerMark("p", 0, 1)), MARK, StreamClosed),
        (CLOSED, Append(HELLO, close=True), None, StreamClosed),
        # … then the content type, then emptiness, then the producer, then Stream-Seq
        (OPEN, Append(OTHER, seq="a", producer=ProducerMark("p", 0, 9)), None, StreamConflict),
        (OPEN, Append(NOTHING, seq="a", producer=ProducerMark("p", 0, 9)), None, BadRequest),
        (OPEN, Append(HELLO, seq="a", producer=ProducerMark("p", 0, 9)), None, ProducerGap),
        (OPEN, Append(HELLO, seq="a", producer=MARK), ProducerMark("p", 1, 0), ProducerFenced),
        (OPEN, Append(HELLO, seq="b"), None, StreamConflict),
        (OPEN, Append(HELLO, seq="B"), None, StreamConflict),
    ],
)
def test_the_order_of_refusals(
    head: Head, command: Append, last: ProducerMark | None, refusal: type[SignoffError]
) -> None:
    with pytest.raises(refusal):
        decide(head, command, last, NOW)


def test_a_closed_stream_says_where_it_ended() -> None:
    with pytest.raises(StreamClosed) as caught:
        decide(CLOSED, Append(HELLO), None, NOW)
    assert caught.value.extra["offset"] == "0000000000000010"


def test_a_retry_is_recognised_before_its_sequence_is_looked_at() -> None:
    last = ProducerMark("p", 0, 4)
    assert decide(OPEN, Append(HELLO, seq="a", producer=MARK), last, NOW) == Unchanged(OPEN, last)


def test_the_retry_of_the_closing_append_is_recognised_whatever_it_carries() -> None:
    assert decide(CLOSED, Append(OTHER, close=True, producer=MARK), MARK, NOW) == Unchanged(CLOSED, MARK)


def test_closing_is_idempotent_for_everybody() -> None:
    assert decide(OPEN, Close(), None, NOW) == Write(OPEN.changed(version=8, closed=True, touched_at=NOW), 7, 10)
    assert decide(CLOSED, Close(), None, NOW) == Unchanged(CLOSED)
    assert decide(CLOSED, Close(ProducerMark("q", 3, 3)), None, NOW) == Unchanged(CLOSED)


def test_a_producer_can_close_without_appending() -> None:
    mark = ProducerMark("p", 0, 1)
    decision = decide(OPEN, Close(mark), MARK, NOW)
    assert decision == Write(OPEN.changed(version=8, closed=True, closed_by=mark, touched_at=NOW), 7, 10, b"", mark)
    with pytest.raises(ProducerGap):
        decide(OPEN, Close(ProducerMark("p", 0, 2)), MARK, NOW)


def test_a_fenced_producer_cannot_close() -> None:
    with pytest.raises(ProducerFenced):
        decide(OPEN, Close(MARK), ProducerMark("p", 1, 0), NOW)


def test_delete_and_touch() -> None:
    assert decide(OPEN, Delete(), None, NOW) == Remove(OPEN)
    assert decide(OPEN, Touch(), None, NOW) == Unchanged(OPEN)
    mortal = OPEN.changed(ttl_s=1)
    assert decide(mortal, Touch(), None, NOW) == Write(mortal.changed(version=8, touched_at=NOW), 7, 10)


@pytest.mark.parametrize("head", [OPEN, CLOSED, OPEN.changed(deleted=True)])
@pytest.mark.parametrize("command", [Append(HELLO, of="a0"), Close(of="a0"), Delete("a0")])
def test_what_has_taken_the_place_of_the_stream_that_is_meant_is_left_alone(head: Head, command: StreamCommand) -> None:
    with pytest.raises(StreamNotFound, match="another has taken its place"):
        decide(head, command, None, NOW)


@pytest.mark.parametrize("command", [Append(HELLO), Close(), Delete()])
def test_the_stream_that_is_meant_is_written_like_any(command: Append | Close | Delete) -> None:
    meant = command._replace(of="a1") if isinstance(command, Append) else replace(command, of="a1")
    assert decide(OPEN, meant, None, NOW) == decide(OPEN, command, None, NOW)
