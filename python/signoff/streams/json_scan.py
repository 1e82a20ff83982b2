"""Finding one's way in JSON text without making objects of it.

The text is what stands between the brackets of an array: values parted by commas. What has brackets in brackets is not
regular, but nearly all values that occur are shallow, and those are matched many at a time by one regular expression
in C. Where one is too deep or too long for that, the walk goes on inside of it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import orjson

from signoff.streams.slices import SLICE_BYTES, Sliced

BLANK: Final = b" \t\r\n"
DEEPEST: Final = 1024
"""Brackets in brackets at most; the parser has the same limit."""

_RUN: Final = 64
_SHALLOW: Final = 8
_STEPS: Final = 256

_STRING: Final = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN: Final = re.compile(rb"[\[\]{},]|" + _STRING, re.DOTALL)
_BARE: Final = re.compile(rb'[^"\[\]{}]*')
_OPENING: Final = re.compile(rb"[\[{]+")
_CLOSING: Final = re.compile(rb"[\]}]+")


def _values() -> tuple[bytes, bytes]:
    """Return what matches values and what is between them: without what is in brackets, and with it if shallow.

    All quantifiers are possessive: nothing is ever tried twice, so time is linear in what is looked at.
    """
    string = rb'"(?:[^"\\]++|\\.)*+"'
    shallow = rb'[\[{](?:[^"\[\]{}]++|' + string + rb")*+[\]}]"
    for _ in range(_SHALLOW - 1):
        shallow = rb'[\[{](?:[^"\[\]{}]++|' + string + rb"|" + shallow + rb")*+[\]}]"
    flat = rb'[^"\[\]{},]++|' + string
    return rb"(?:" + flat + rb")*+", rb"(?:" + flat + rb"|" + shallow + rb")*+"


_flat, _shallow = _values()
_FLAT: Final = re.compile(_flat, re.DOTALL)
_PART: Final = re.compile(_shallow, re.DOTALL)
_ONE: Final = re.compile(_shallow + rb",", re.DOTALL)
_MANY: Final = re.compile(rb"(?:" + _shallow + rb",){%d}+" % _RUN, re.DOTALL)


class Stop(NamedTuple):
    """A place behind a comma.

    Attributes:
        position: behind it.
        passed: top-level commas up to here.
        brackets: those that are open here.
        pause: much was looked at since the last stop that said so.
    """

    position: int
    passed: int
    brackets: bytes
    pause: bool


Walk = Iterator[Stop]


def by_value(text: bytes, most: int = sys.maxsize, *, each: bool = False) -> Walk:
    """Walk over the text, and stop behind commas.

    Args:
        most: top-level commas after which to stop for good; none of the stops before has more behind it.
        each: stop behind every top-level comma, and not only now and then.

    Raises:
        ValueError: the brackets or quotes do not match. What matches need not be JSON.
    """
    position = count = singly = steps = pause = 0
    brackets = b""
    while position < len(text) and count < most:
        limit = position + SLICE_BYTES
        steps += 1
        before = position
        passed = 0
        if not (each or singly):
            position, passed = _many(text, position, limit, sys.maxsize if brackets else most - count)
            singly = 0 if passed else _RUN
        if not passed and (one := _ONE.match(text, position, limit)):
            position, passed = one.end(), 1
            singly -= 1
        if passed:
            count += 0 if brackets else passed
            slice_over = steps >= _STEPS or position >= pause + SLICE_BYTES
            yield Stop(position, count, brackets, slice_over)
            if slice_over:
                steps, pause = 0, position
            continue
        outside = len(brackets)
        position, brackets = _inside(text, before, limit, brackets)
        if len(brackets) > outside:
            singly = 0


def _many(text: bytes, position: int, limit: int, most: int) -> tuple[int, int]:
    """Pass many commas at once, but no more than `most`; return where that ends, and how many they were."""
    bare = _BARE.match(text, position, limit)
    end = position if bare is None else bare.end()
    passed = text.count(b",", position, end)
    if _RUN <= passed <= most:
        return text.rfind(b",", position, end) + 1, passed
    many = _MANY.match(text, position, limit) if most >= _RUN else None
    return (position, 0) if many is None else (many.end(), _RUN)


def _inside(text: bytes, position: int, limit: int, brackets: bytes) -> tuple[int, bytes]:
    """Go on by one piece of a value that cannot be passed as a whole; return where it ends, and what is open there."""
    for part in (_PART.match(text, position, limit), _FLAT.match(text, position)):
        if part is not None and part.end() > position:
            return part.end(), brackets
    if run := _OPENING.match(text, position):
        if len(brackets) + len(run[0]) >= DEEPEST:
            raise ValueError("it is nested too deep")
        return run.end(), brackets + run[0]
    if run := _CLOSING.match(text, position):
        if len(run[0]) > len(brackets):
            raise ValueError("a bracket is closed that was not opened")
        return run.end(), brackets[: len(brackets) - len(run[0])]
    raise ValueError("a string has no end")


def by_token(text: bytes, most: int = sys.maxsize, *, each: bool = False) -> Walk:
    """Walk as `by_value` does, one token after another and some ten times slower."""
    count = steps = pause = 0
    brackets = bytearray()
    for token in _TOKEN.finditer(text):
        steps += 1
        match text[token.start()]:
            case 0x5B | 0x7B as opening:
                brackets.append(opening)
                if len(brackets) >= DEEPEST:
                    raise ValueError("it is nested too deep")
            case 0x5D | 0x7D:
                if not brackets:
                    raise ValueError("a bracket is closed that was not opened")
                brackets.pop()
            case 0x2C if not brackets or not each:
                count += not brackets
                slice_over = steps >= 16 * _STEPS or token.end() >= pause + SLICE_BYTES
                if slice_over or not brackets:
                    yield Stop(token.end(), count, bytes(brackets), slice_over)
                if slice_over:
                    steps, pause = 0, token.end()
                if count == most:
                    return


# Before 3.11.5 a possessive group that fails in its middle is not undone (python/cpython#106052).
commas: Callable[..., Walk] = by_value if re.findall(rb"(?:ab?c)++", b"aca") == [b"ac"] else by_token


def check(text: bytes, cuts: list[tuple[int, int]]) -> Sliced[int]:
    """Make sure that the text, in brackets, is a JSON array; return how many values it has, at least one.

    Args:
        cuts: gets where the text may be parted, about every `SLICE_BYTES`: the values before, and the position behind
            the comma.

    It is parsed in slices, each put into the brackets that are open around it: a slice begins behind a comma and ends
    before one, so what is true of the slices is true of the whole.

    Raises:
        ValueError: it is not.
    """
    start = count = cut = 0
    around = b""
    for stop in commas(text):
        count = stop.passed
        if not stop.brackets and stop.position - cut >= SLICE_BYTES:
            cut = stop.position
            cuts.append((count, cut))
        if stop.pause:
            _parse(text, start, stop.position - 1, around, stop.brackets)
            start, around = stop.position, stop.brackets
            yield
    _parse(text, start, len(text), around, b"")
    return count + 1


def _parse(text: bytes, start: int, end: int, opened: bytes, closed: bytes) -> None:
    inside = text[start:end].strip(BLANK)
    # Where the whole has a comma, an array that is about to begin or to end would be one with nothing there.
    if not inside or inside[0] in b"]}" or inside[-1] in b"[{":
        raise ValueError(f"a value is missing near byte {start}")
    before = opened.replace(b"{", b'{"":')
    if opened[-1:] == b"{":
        before = before[:-3]
    after = bytes(reversed(closed)).translate(_OTHER)
    try:
        orjson.loads(b"[%b%b%b]" % (before, inside, after))
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{error.msg.split(':')[0]} near byte {start}") from error


_OTHER: Final = bytes.maketrans(b"[{", b"]}")
