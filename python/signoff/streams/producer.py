"""Idempotent producers: which append is new, which is a retry, which is refused (Durable Streams §5.2.1).

| the producer's epoch is | its sequence number is | then                                           |
|-------------------------|------------------------|------------------------------------------------|
| unknown (a new one)     | 0                      | new                                            |
| unknown (a new one)     | more                   | a gap: 0 is expected                           |
| lower                   | any                    | fenced: a newer session took over              |
| higher                  | 0                      | new: this session takes over                   |
| higher                  | more                   | malformed: a session starts at 0               |
| the same                | at most the last       | a retry: nothing is written                    |
| the same                | the next               | new                                            |
| the same                | more                   | a gap: the next is expected                    |
"""

from __future__ import annotations

import re
from typing import Final

from signoff.errors import BadRequest, ProducerFenced, ProducerGap
from signoff.streams.stream import ProducerMark

MOST: Final = 2**53 - 1
"""The greatest epoch or sequence number: what a JavaScript number holds exactly."""

LONGEST_ID: Final = 256

_NATURAL: Final = re.compile(r"[0-9]{1,16}", re.ASCII)


def parse(producer_id: str | None, epoch: str | None, seq: str | None) -> ProducerMark | None:
    """Read the three producer headers; None if there are none.

    Raises:
        BadRequest: some are missing, the id is empty or too long, or a number is not a natural number below 2^53.
    """
    if producer_id is None and epoch is None and seq is None:
        return None
    if producer_id is None or epoch is None or seq is None:
        raise BadRequest("Producer-Id, Producer-Epoch and Producer-Seq come together. Nothing was stored.")
    if not 1 <= len(producer_id) <= LONGEST_ID:
        raise BadRequest(f"Producer-Id has 1 to {LONGEST_ID} characters. Nothing was stored.")
    return ProducerMark(producer_id, _natural("Producer-Epoch", epoch), _natural("Producer-Seq", seq))


def is_new(last: ProducerMark | None, mark: ProducerMark) -> bool:
    """Tell whether an append is new; False for a retry of one that was accepted.

    Args:
        last: the highest append of this producer that was accepted, if any.
        mark: the append in question.

    Raises:
        ProducerFenced: a newer epoch exists; `extra["epoch"]` is the current one.
        ProducerGap: a sequence number is missing; `extra` has `expected` and `received`.
        BadRequest: a new epoch does not start at 0.
    """
    if last is None or mark.epoch == last.epoch:
        expected = 0 if last is None else last.seq + 1
        if mark.seq > expected:
            raise ProducerGap(
                f"Sequence number {expected} of this producer has not arrived; {mark.seq} was not stored.",
                expected=expected,
                received=mark.seq,
            )
        return mark.seq == expected
    if mark.epoch < last.epoch:
        raise ProducerFenced(
            f"Epoch {last.epoch} of this producer took over from {mark.epoch}. Nothing was stored.", epoch=last.epoch
        )
    if mark.seq != 0:
        raise BadRequest("A new Producer-Epoch starts with Producer-Seq 0. Nothing was stored.")
    return True


def _natural(name: str, text: str) -> int:
    if not _NATURAL.fullmatch(text) or int(text) > MOST:
        raise BadRequest(f"{name} must be a whole number from 0 to {MOST}. Nothing was stored.")
    return int(text)
