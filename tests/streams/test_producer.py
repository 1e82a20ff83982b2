"""Idempotent producers: the table of §5.2.1, their headers, and a model of a sender that retries."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.errors import BadRequest, ProducerFenced, ProducerGap, SignoffError
from signoff.streams import producer
from signoff.streams.decide import decide
from signoff.streams.stream import Append, Close, Head, Payload, ProducerMark, Unchanged, Write


def mark(epoch: int, seq: int) -> ProducerMark:
    return ProducerMark("p", epoch, seq)


@pytest.mark.parametrize(
    ("last", "given_mark", "new"),
    [
        (None, mark(0, 0), True),
        (None, mark(5, 0), True),
        (mark(1, 3), mark(2, 0), True),
        (mark(1, 3), mark(9, 0), True),
        (mark(1, 3), mark(1, 4), True),
        (mark(1, 3), mark(1, 3), False),
        (mark(1, 3), mark(1, 0), False),
    ],
)
def test_what_is_new_and_what_a_retry(last: ProducerMark | None, given_mark: ProducerMark, new: bool) -> None:
    assert producer.is_new(last, given_mark) is new


@pytest.mark.parametrize(
    ("last", "given_mark", "refusal", "extra"),
    [
        (None, mark(0, 1), ProducerGap, {"expected": 0, "received": 1}),
        (mark(1, 3), mark(1, 5), ProducerGap, {"expected": 4, "received": 5}),
        (mark(1, 3), mark(0, 4), ProducerFenced, {"epoch": 1}),
        (mark(1, 3), mark(0, 0), ProducerFenced, {"epoch": 1}),
        (mark(1, 3), mark(2, 1), BadRequest, {}),
    ],
)
def test_what_is_refused(
    last: ProducerMark | None, given_mark: ProducerMark, refusal: type[SignoffError], extra: dict[str, int]
) -> None:
    with pytest.raises(refusal) as caught:
        producer.is_new(last, given_mark)
    assert caught.value.extra == extra


def test_headers_come_together_or_not_at_all() -> None:
    assert producer.parse(None, None, None) is None
    assert producer.parse("p", "0", "7") == mark(0, 7)
    assert producer.parse("p", str(producer.MOST), "0") == mark(producer.MOST, 0)


@pytest.mark.parametrize(
    ("name", "epoch", "seq"),
    [
        ("p", "0", None), ("p", None, "0"), (None, "0", "0"), ("p", None, None), (None, None, "0"),
        ("", "0", "0"), ("x" * 257, "0", "0"), ("p", "", "0"), ("p", "-1", "0"), ("p", "1e3", "0"), ("p", "1.0", "0"),
        ("p", " 1", "0"), ("p", "+1", "0"), ("p", "0x1", "0"), ("p", "1_0", "0"), ("p", "²", "0"), ("p", "0", "1abc"),
        ("p", str(2**53), "0"), ("p", "0", str(2**53)), ("p", "9" * 5000, "0"),
    ],
)  # fmt: skip
def test_malformed_headers(name: str | None, epoch: str | None, seq: str | None) -> None:
    with pytest.raises(BadRequest):
        producer.parse(name, epoch, seq)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from("pq"), st.integers(0, 2), st.integers(0, 4)),
        st.tuples(st.just("close"), st.sampled_from("pq"), st.integers(0, 2), st.integers(0, 4)),
        st.tuples(st.just("plain"), st.just(""), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@given(steps)
def test_a_model_of_producers_and_closure(script: list[tuple[str, str, int, int]]) -> None:
    """Whatever is sent: every accepted append is there once, in order, and nothing follows the end."""
    head = Head.of("s", "i", 1, 0, "text/plain")
    marks: dict[str, ProducerMark] = {}
    stored: list[tuple[str, int, int]] = []
    for kind, name, epoch, seq in script:
        producer_mark = ProducerMark(name, epoch, seq) if name else None
        payload = Payload("text/plain", b"x", 1)
        command = Close(producer_mark) if kind == "close" else Append(payload, producer=producer_mark)
        was_closed, tail = head.closed, head.tail
        try:
            decision = decide(head, command, marks.get(name), 1)
        except SignoffError:
            continue
        if isinstance(decision, Unchanged):
            assert was_closed or (epoch, seq) <= (marks[name].epoch, marks[name].seq)
            continue
        assert isinstance(decision, Write)
        assert not was_closed
        assert decision.head.version == head.version + 1
        head = decision.head
        assert head.tail == tail + len(decision.data)
        assert head.closed == (kind == "close")
        if decision.producer is not None:
            marks[name] = decision.producer
        stored.append((name, epoch, seq))
    named = [entry for entry in stored if entry[0]]
    assert len(set(named)) == len(named)
    for name in "pq":
        own = [(epoch, seq) for who, epoch, seq in named if who == name]
        assert own == sorted(own)
        for (epoch, seq), (next_epoch, next_seq) in pairwise(own):
            assert (next_epoch, next_seq) == (epoch, seq + 1) or (next_epoch > epoch and next_seq == 0)
