"""Where a cluster keeps which key: hash slots, and the nodes that have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from signoff.stores.redis.options import NodeAddress, Options

SLOTS: Final = 16_384


def _table() -> list[int]:
    table = []
    for number in range(256):
        crc = number << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
        table.append(crc & 0xFFFF)
    return table


_TABLE: Final = _table()


def slot_of(tag: bytes) -> int:
    """Return the slot of all keys that begin with `tag`, which has braces (CRC-16/XMODEM of what is in them)."""
    crc = 0
    for byte in tag[tag.index(b"{") + 1 : tag.index(b"}")]:
        crc = ((crc << 8) & 0xFFFF) ^ _TABLE[(crc >> 8) ^ byte]
    return crc % SLOTS


def slots_of(answer: Sequence[Any], asked: NodeAddress, options: Options) -> list[tuple[int, int, NodeAddress]]:
    """Read `CLUSTER SLOTS`: first and last slot of each range, and the node that has it.

    Args:
        answer: of the server.
        asked: the node that answered; it may not know the name by which others reach it.
        options: what the URL says.
    """
    found = []
    for first, last, node, *_ in answer:
        host = node[0].decode() if node[0] else asked.host or options.address.host
        found.append((first, last, NodeAddress(host, node[1])))
    return found
