"""Names of keys, and how names and numbers are written so that Redis sorts them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from signoff.stores.change import Name

NONE: Final = bytes(8)
"""No number: it sorts before all of them."""

_MIDDLE: Final = 1 << 63
_number: Final = struct.Struct(">Q")
_length: Final = struct.Struct(">I")

SHARED: Final = ("agenda", "index", "marks", "meta", "paths", "ends", "far", "doomed", "outbox", "moved")
"""The keys of a shard that every commit names, in the order in which `commit.lua` takes them."""


def ordered(number: int) -> bytes:
    """Write an integer of 64 bits as 8 bytes that sort as the numbers do; -2^63 is taken for `NONE`."""
    return _number.pack(number + _MIDDLE)


def ordered_or_none(number: int | None) -> bytes:
    """Write an integer, or that there is none."""
    return NONE if number is None else _number.pack(number + _MIDDLE)


def number_of(text: bytes) -> int:
    """Read what `ordered` wrote."""
    return int(_number.unpack(text)[0]) - _MIDDLE


def number_or_none(text: bytes) -> int | None:
    """Read what `ordered_or_none` wrote."""
    return None if text == NONE else int(_number.unpack(text)[0]) - _MIDDLE


def position(number: int) -> bytes:
    """Write a position in a stream, which scripts reckon with."""
    return _number.pack(number)


def sized(text: bytes) -> bytes:
    """Write a text behind its length, so that nothing that follows can be taken for a part of it."""
    return _length.pack(len(text)) + text


def sizes(text: bytes, start: int = 0) -> Iterable[bytes]:
    """Read texts that `sized` wrote one after the other."""
    while start < len(text):
        end = start + 4 + _length.unpack_from(text, start)[0]
        yield text[start + 4 : end]
        start = end


def ref(name: Name) -> bytes:
    """Write the name of a subject as one text."""
    kind = name.kind.encode()
    return b"%d:%b:%b" % (len(kind), kind, name.id.encode())


def name_of(text: bytes) -> Name:
    """Read what `ref` wrote."""
    size, _, rest = text.partition(b":")
    end = int(size)
    return Name(rest[:end].decode(), rest[end + 1 :].decode())


class KeyNames:
    """The names of the keys of one shard, which are all in one slot.

    Args:
        tag: what decides the slot, e.g. `{signoff}`.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag.encode()
        self.shared = tuple(self.named(one) for one in SHARED)
        self.agenda, self.index, self.marks, self.meta, self.paths = self.shared[:5]
        self.ends, self.far, self.doomed, self.outbox, self.moved = self.shared[5:]
        self.schema = self.named("schema")
        self._subject, self._part = self.named("s:"), self.named("p:")
        self._head, self._list = self.named("h:"), self.named("b:")
        self._rows, self._producers, self._old = self.named("r:"), self.named("d:"), self.named("x:")

    def named(self, rest: str) -> bytes:
        """Return a key by its last part."""
        return self.tag + b":" + rest.encode()

    def subject(self, ref: bytes) -> bytes:
        """Return the hash of a subject."""
        return self._subject + ref

    def parts(self, ref: bytes, kind: bytes) -> bytes:
        """Return the hash of a subject's parts of one kind."""
        return self._part + b"%d:%b:%b" % (len(kind), kind, ref)

    def stream(self, path: bytes) -> tuple[bytes, bytes]:
        """Return a stream's head and the list of its batches."""
        return self._head + path, self._list + path

    def all_of_stream(self, path: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """Return a stream's head, batches, live rows and producers."""
        return self._head + path, self._list + path, self._rows + path, self._producers + path

    def doomed_parts(self, ident: bytes) -> bytes:
        """Return what a deleted subject's parts of one kind are renamed to."""
        return self._old + ident + b":p"

    def doomed_stream(self, ident: bytes) -> tuple[bytes, bytes, bytes]:
        """Return what a deleted stream's batches, live rows and producers are renamed to."""
        return self._old + ident + b":b", self._old + ident + b":r", self._old + ident + b":d"
