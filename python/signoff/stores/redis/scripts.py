"""The Lua scripts, by name: each is loaded once, and called by the digest of its text."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from typing import Final

_WITH_COMMON: Final = frozenset(
    {"commit", "claim", "renew", "release", "tails", "read", "place", "purge", "restore", "heads"}
)


@dataclass(frozen=True, slots=True)
class LuaScript:
    """A script: its text, and the digest a server knows it by."""

    name: str
    text: bytes
    digest: bytes


def load(name: str) -> LuaScript:
    """Load a script from the file beside this module; what all share is put before it."""
    text = _text(name)
    if name in _WITH_COMMON:
        text = _text("common") + text
    return LuaScript(name, text, sha1(text, usedforsecurity=False).hexdigest().encode())


def _text(name: str) -> bytes:
    return (files(__package__) / "lua" / f"{name}.lua").read_bytes()


COMMIT: Final = load("commit")
STEP: Final = load("step")
CLAIM: Final = load("claim")
RENEW: Final = load("renew")
RELEASE: Final = load("release")
LOAD: Final = load("load")
RANGES: Final = load("ranges")
TAILS: Final = load("tails")
READ: Final = load("read")
PURGE: Final = load("purge")
PLACE: Final = load("place")
PLACED: Final = load("placed")
MOVE: Final = load("move")
NOTE: Final = load("note")
FIND: Final = load("find")
RESTORE: Final = load("restore")
HEADS: Final = load("heads")

ALL: Final = (
    COMMIT,
    STEP,
    CLAIM,
    RENEW,
    RELEASE,
    LOAD,
    RANGES,
    TAILS,
    READ,
    PURGE,
    PLACE,
    PLACED,
    MOVE,
    NOTE,
    FIND,
    RESTORE,
    HEADS,
)
