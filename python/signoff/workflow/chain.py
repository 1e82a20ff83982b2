"""How the entries of a journal are chained by hashes, so that an altered one can be named.

The hash of an entry is SHA-256 over the hash of the entry before it, as 64 hexadecimal digits, and the entry's bytes as
they are stored; it is stored as the last member of the entry's message. The first that has one follows `start`.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

_MEMBER: Final = b',"chain":"'
_END: Final = b'"}'
_DIGITS: Final = 64
_LENGTH: Final = len(_MEMBER) + _DIGITS + len(_END)


def start(run_id: str, n: int) -> str:
    """Return what the first entry that has a hash follows: it says of which run the journal is, and where it begins.

    Example:
        >>> start("r", 0)[:8]
        '1de7c1b1'
    """
    return sha256(f"signoff-journal-1\n{run_id}\n{n}\n".encode()).hexdigest()


def link(before: str, entry: bytes) -> str:
    """Return the hash of an entry.

    Args:
        before: the hash of the entry before it.
        entry: the entry as it is stored, without its hash.
    """
    return sha256(before.encode() + entry).hexdigest()


def chained(entries: Iterable[bytes], before: str) -> tuple[bytes, str]:
    """Return entries as they are stored, joined by commas, and the hash of the last.

    Args:
        entries: each as a JSON object with at least one member.
        before: the hash that the first of them follows.
    """
    stored = []
    for entry in entries:
        before = link(before, entry)
        stored.append(with_head(entry, before))
    return b",".join(stored), before


def with_head(written: bytes, head: str) -> bytes:
    """Write a hash as the last member of a JSON object."""
    return b"".join((written[:-1], _MEMBER, head.encode(), _END))


def head_of(written: bytes) -> str | None:
    """Return what `with_head` has written into an object; None: it has not.

    Example:
        >>> head_of(with_head(b'{"v":1}', "0" * 64)) == "0" * 64, head_of(b'{"v":1}')
        (True, None)
    """
    if written[-_LENGTH : -_LENGTH + len(_MEMBER)] != _MEMBER or not written.endswith(_END):
        return None
    return written[-_DIGITS - len(_END) : -len(_END)].decode()
