"""The journal as it is stored: the codec over the entries of all nouns.

What is stored is JSON; see `entry.py` for what a journal is, and `nouns.py` for where its entries stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any, get_type_hints

import orjson

from signoff.errors import WorkflowError
from signoff.workflow import nouns
from signoff.workflow.entry import DecidedBy, Entry, Error, StackFrame
from signoff.workflow.run.entries import ForkedFrom

VERSION = 1

_CLASSES = nouns.entries()


def error_from_json(value: Mapping[str, Any]) -> Error:
    """Read an error as an entry has it."""
    if "frames" in value:
        value = {**value, "frames": tuple(StackFrame(**frame) for frame in value["frames"])}
    return Error(**value)


_READ: dict[Any, Callable[[Any], Any]] = {
    Error: error_from_json,
    Error | None: lambda value: value and error_from_json(value),
    DecidedBy: lambda value: DecidedBy(**value),
    DecidedBy | None: lambda value: value and DecidedBy(**value),
    ForkedFrom | None: lambda value: value and ForkedFrom(**value),
    tuple[str, ...]: tuple,
    tuple[str, ...] | None: lambda value: None if value is None else tuple(value),
}
"""How members are read that are not what JSON makes of them, by their types."""

_READERS: dict[type[Entry], tuple[tuple[str, Callable[[Any], Any]], ...]] = {
    cls: tuple((name, _READ[hint]) for name, hint in get_type_hints(cls).items() if hint in _READ)
    for cls in _CLASSES.values()
}
_MEMBERS: dict[type[Entry], tuple[tuple[str, object, bool], ...]] = {
    cls: tuple((one.name, one.default, one.name in dict(_READERS[cls])) for one in fields(cls))
    for cls in _CLASSES.values()
}
"""Names and defaults, and which members are not what JSON makes of them."""

_FORKED = ("run_id", "keep", "at")
_RECORDS: dict[type, tuple[str, ...]] = {
    Error: ("code", "message", "type", "public"),
    DecidedBy: ("kind", "id"),
    ForkedFrom: _FORKED,
}


def to_json(entry: Entry) -> dict[str, Any]:
    """Write an entry as JSON. Optional members that have their default are left out.

    Example:
        >>> to_json(TimerFired(5, "sleep:0"))
        {'v': 1, 'type': 'timer.fired', 'at': 5, 'id': 'sleep:0'}
    """
    written: dict[str, Any] = {"v": VERSION, "type": entry.type}
    for name, default, special in _MEMBERS[type(entry)]:
        value = getattr(entry, name)
        if default is MISSING or value != default:
            written[name] = _member(value) if special else value
    return written


def _member(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    record = _RECORDS.get(type(value))
    if record is None:
        return value
    written = {part: getattr(value, part) for part in record}
    if record is _FORKED:
        written |= {part: said for part in ("n", "hash") if (said := getattr(value, part)) is not None}
    if frames := getattr(value, "frames", ()):
        written["frames"] = [asdict(frame) for frame in frames]
    return written


def from_json(written: Mapping[str, Any]) -> Entry:
    """Read an entry.

    Raises:
        WorkflowError: the version or the type is not known here, or members are missing or unknown; it names them.
    """
    return _read(dict(written))


def _read(members: Any) -> Entry:
    """Read an entry from an object that nobody else needs."""
    if not isinstance(members, dict):
        raise WorkflowError(f"The journal has an entry that is no object: {members!r:.100}.")
    members.pop("chain", None)  # the hash, which entries of earlier releases lack
    version = members.pop("v", None)
    if version != VERSION:
        raise WorkflowError(f"The journal has an entry of version {version!r}; this release reads version {VERSION}.")
    kind = members.pop("type", None)
    cls = _CLASSES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise WorkflowError(f"The journal has an entry of the type {kind!r}, unknown to this release.")
    try:
        for name, read in _READERS[cls]:
            if name in members:
                members[name] = read(members[name])
        return cls(**members)
    except TypeError as error:
        raise WorkflowError(f"The journal has a malformed {kind} entry: {error}.") from error


def dumps(entries: Iterable[Entry]) -> bytes:
    """Write entries as JSON messages joined by commas, without brackets."""
    return b",".join(messages(entries))


def messages(entries: Iterable[Entry]) -> list[bytes]:
    """Write entries as JSON messages, each for itself; stored they have their hashes beside (`chain.py`)."""
    return [orjson.dumps(to_json(entry)) for entry in entries]


def loads(data: bytes) -> list[Entry]:
    """Read entries as `dumps` wrote them.

    Raises:
        WorkflowError: the data is not JSON, or has entries this release cannot read.
    """
    try:
        found = orjson.loads(b"[" + data + b"]")
    except orjson.JSONDecodeError as error:
        raise WorkflowError(f"The journal is not JSON: {error}.") from error
    return [_read(message) for message in found]
