"""The order of what streams hold, as readers and writers saw it.

These rules follow from linearizability, and are checked besides: they need no search, so histories may be long, and
what they say when one is broken needs no thought.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AppendCall:
    """An append of one message that is like no other.

    Attributes:
        message: what was appended.
        called: when.
        returned: when it was acknowledged; None: it was not, so it may have been written.
        refused: it was answered, and not written.
        end: the position after it, if the reply told.
    """

    message: Hashable
    called: int
    returned: int | None
    refused: bool = False
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader was given, in the order in which it came, from a position on.

    Attributes:
        reader: who.
        start: the position it began at.
        messages: what it was given.
        ends: for pieces with an offset: how many messages there had been, and the position that was told.
        called: when it began.
    """

    reader: str
    start: int
    messages: tuple[Hashable, ...]
    ends: tuple[tuple[int, int], ...] = ()
    called: int = 0


def faults(appends: Sequence[AppendCall], final: Sequence[Hashable], readings: Iterable[Reading] = ()) -> list[str]:
    """Return what is wrong with the order of a stream, in words; empty: nothing.

    Args:
        appends: all that anybody appended.
        final: what the stream holds after the last of them.
        readings: what readers were given meanwhile.
    """
    place = {message: number for number, message in enumerate(final)}
    return [
        *_content(appends, final),
        *_acknowledged(appends, place),
        *_times(appends, place),
        *(fault for reading in readings for fault in _reading(reading, final)),
    ]


def _content(appends: Sequence[AppendCall], final: Sequence[Hashable]) -> Iterable[str]:
    for message, count in Counter(final).items():
        if count > 1:
            yield f"{message!r} is there {count} times"
    known = {one.message: one for one in appends}
    for message in final:
        if message not in known:
            yield f"{message!r} is there, and nobody appended it"
        elif known[message].refused:
            yield f"{message!r} is there, and was refused"


def _acknowledged(appends: Sequence[AppendCall], place: dict[Hashable, int]) -> Iterable[str]:
    for one in appends:
        if one.returned is None or one.refused:
            continue
        if one.message not in place:
            yield f"{one.message!r} was acknowledged, and is not there"
        elif one.end is not None and place[one.message] + 1 != one.end:
            yield f"{one.message!r} was said to end at {one.end}, and ends at {place[one.message] + 1}"


def _times(appends: Sequence[AppendCall], place: dict[Hashable, int]) -> Iterable[str]:
    """Find appends that were acknowledged before another one was called, and come after it."""
    there = sorted((one for one in appends if one.message in place), key=lambda one: place[one.message])
    # From the end: none may have been called after the acknowledgement of one that comes later.
    earliest: AppendCall | None = None
    for one in reversed(there):
        if earliest is not None and earliest.returned is not None and earliest.returned < one.called:
            yield f"{earliest.message!r} was acknowledged before {one.message!r} was called, and comes after it"
        if one.returned is not None and (earliest is None or one.returned < (earliest.returned or 0)):
            earliest = one


def _reading(reading: Reading, final: Sequence[Hashable]) -> Iterable[str]:
    found = reading.messages
    there = tuple(final[reading.start : reading.start + len(found)])
    if there != found:
        wrong = next((n for n, pair in enumerate(zip(found, there, strict=False)) if pair[0] != pair[1]), len(there))
        yield (
            f"{reading.reader} was given {found[wrong : wrong + 3]!r} at {reading.start + wrong}, "
            f"and the stream has {there[wrong : wrong + 3]!r} there"
        )
    told = reading.start
    for count, position in reading.ends:
        if position != reading.start + count:
            yield f"{reading.reader} was told {position} after {count} messages from {reading.start}"
        if position < told:
            yield f"{reading.reader} was told {position} after {told}: offsets go back"
        told = position


def missed(reading: Reading, appends: Sequence[AppendCall], final: Sequence[Hashable]) -> list[str]:
    """Return what a read of all there is should have had: acknowledged before it began, and not in it."""
    seen = len(reading.messages) + reading.start
    place = {message: number for number, message in enumerate(final)}
    return [
        f"{reading.reader} read to {seen} after {one.message!r}, at {place[one.message]}, was acknowledged"
        for one in appends
        if one.returned is not None
        and not one.refused
        and one.returned < reading.called
        and place.get(one.message, -1) >= seen
    ]
