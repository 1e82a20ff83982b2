"""The kinds of values that JSON cannot say, each an object with the key `$signoff`, which names the kind, and `v`.

    int         "9007199254740993"        text, beyond 2^53 in either direction
    bytes       "AAE="                    base64; bytearray alike
    datetime    "2026-01-02T03:04:05+01:00"   date, time alike; `zone`: the key of its ZoneInfo, `fold`: 1 if it is
    timedelta   [days, seconds, microseconds]
    decimal     "1.10"                    uuid, fraction, complex alike
    ip          "10.0.0.1"                `class`: IPv4Address, …; url and path alike
    pattern     "a+"                      `flags`
    secret      the value itself          `class`; never shown to people
    tuple       [...]                     set, frozenset alike, in canonical order; deque, with `maxlen`
    map         [[key, value], ...]       a dictionary with other keys than text
    escape      {...}                     a dictionary that has the key `$signoff` itself
    object      {name: member}            a model or dataclass: `class`, and what else it holds in `extra`, `private`
    namedtuple  [...]                     `class`
    enum        its value                 `class`, `name`
    exact       ...                       at the top only: what is in it is read as it is, without pydantic

The last four are written only where the declared type alone would bring another value back. Here are the kinds that
hold no other values.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pathlib import Path, PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from signoff.workflow.entry import Encoded

TAG = "$signoff"


class NotEncodable(Exception):
    """A value that cannot be kept, on the way up to where its place is known; it becomes UnsupportedValue."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.place: list[str] = []

    @property
    def where(self) -> str:
        """Return the path to the member, `$` being the value itself."""
        return "$" + "".join(reversed(self.place))


def class_name(kind: type) -> str:
    """Return a class's name for people."""
    return f"{kind.__module__}.{kind.__qualname__}"


# -- time --------------------------------------------------------------------------------------------------------------


def offset_of(zone: Any) -> timedelta | None:
    """Return the offset of a zone that has the same one at all times; None: it has not."""
    try:
        found = zone.utcoffset(None)
    except Exception:
        return None
    return found if isinstance(found, timedelta) else None


def _clock(kind: str, text: str, value: datetime | time) -> Encoded:
    written: dict[str, Any] = {TAG: kind, "v": text}
    zone = value.tzinfo
    if isinstance(zone, ZoneInfo):
        if zone.key is None:
            raise NotEncodable("its time zone has no name")
        written["zone"] = zone.key
    elif zone is not None and type(zone) is not timezone and offset_of(zone) is None:
        raise NotEncodable(f"its time zone is a {class_name(type(zone))}, which cannot be kept (use zoneinfo.ZoneInfo)")
    if value.fold:
        written["fold"] = 1
    return written


def _read_clock(kind: Any) -> Callable[[Mapping[str, Any]], Any]:
    def read(written: Mapping[str, Any]) -> Any:
        value = kind.fromisoformat(written["v"])
        if "zone" in written:
            value = value.replace(tzinfo=ZoneInfo(written["zone"]))
        return value.replace(fold=1) if written.get("fold") else value

    return read


# -- what is written -------------------------------------------------------------------------------------------------


def _tagged(kind: str, write: Callable[[Any], Any]) -> Callable[[Any], Encoded]:
    return lambda value: {TAG: kind, "v": write(value)}


def _classed(kind: str, cls: type) -> Callable[[Any], Encoded]:
    return lambda value: {TAG: kind, "class": cls.__name__, "v": str(value)}


def _base64(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode()


def _pattern(value: re.Pattern[Any]) -> Encoded:
    text = value.pattern
    return {TAG: "pattern", "v": text if isinstance(text, str) else WRITERS[bytes](text), "flags": value.flags}


_ADDRESSES: tuple[type, ...] = (
    ipaddress.IPv4Address,
    ipaddress.IPv4Interface,
    ipaddress.IPv4Network,
    ipaddress.IPv6Address,
    ipaddress.IPv6Interface,
    ipaddress.IPv6Network,
)
_PATHS: dict[type, type] = {
    PosixPath: Path,
    WindowsPath: Path,
    PurePosixPath: PurePosixPath,
    PureWindowsPath: PureWindowsPath,
}

WRITERS: dict[type, Callable[[Any], Encoded]] = {
    datetime: lambda value: _clock("datetime", datetime.isoformat(value), value),
    date: _tagged("date", date.isoformat),
    time: lambda value: _clock("time", time.isoformat(value), value),
    timedelta: _tagged("timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
    Decimal: _tagged("decimal", str),
    UUID: _tagged("uuid", str),
    Fraction: _tagged("fraction", str),
    complex: _tagged("complex", str),
    bytes: _tagged("bytes", _base64),
    bytearray: _tagged("bytearray", _base64),
    re.Pattern: _pattern,
    **{cls: _classed("ip", cls) for cls in _ADDRESSES},
    **{cls: _classed("path", base) for cls, base in _PATHS.items()},
}
"""How values of exactly these classes are written; URLs beside them, see `url_writer`."""


@lru_cache(maxsize=1)
def _urls() -> dict[str, type]:
    """Return pydantic's classes of URLs by name; its module is loaded by who has a URL, not by everybody."""
    from pydantic import networks  # noqa: PLC0415

    return {
        name: found
        for name, found in vars(networks).items()
        if not name.startswith("_") and isinstance(found, type) and hasattr(found, "unicode_string")
    }


def url_writer(kind: type) -> Callable[[Any], Encoded] | None:
    """Return how values of exactly this class of URLs are written; None: it is no such class."""
    known = kind.__module__ == "pydantic.networks" and _urls().get(kind.__name__) is kind
    return _classed("url", kind) if known else None


def is_url(value: Any) -> bool:
    """Tell whether a value is a URL of pydantic's, or of a class that derives from one."""
    return "pydantic.networks" in sys.modules and isinstance(value, _url_bases())


@lru_cache(maxsize=1)
def _url_bases() -> tuple[type, ...]:
    return tuple({base for url in _urls().values() for base in url.__mro__[-2:-1]})


# -- what is read ----------------------------------------------------------------------------------------------------


def _read_classed(classes: Any) -> Callable[[Mapping[str, Any]], Any]:
    named = {cls.__name__: cls for cls in classes}
    return lambda written: named[written["class"]](written["v"])


def _value(read: Callable[[Any], Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda written: read(written["v"])


def _read_pattern(written: Mapping[str, Any]) -> re.Pattern[Any]:
    text = written["v"]
    return re.compile(text if isinstance(text, str) else READERS["bytes"](text), written["flags"])


READERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "int": _value(int),
    "bytes": _value(base64.b64decode),
    "bytearray": lambda written: bytearray(base64.b64decode(written["v"])),
    "datetime": _read_clock(datetime),
    "date": _value(date.fromisoformat),
    "time": _read_clock(time),
    "timedelta": lambda written: timedelta(*written["v"]),
    "decimal": _value(Decimal),
    "uuid": _value(UUID),
    "fraction": _value(Fraction),
    "complex": _value(complex),
    "pattern": _read_pattern,
    "ip": _read_classed(_ADDRESSES),
    "url": lambda written: _urls()[written["class"]](written["v"]),
    "path": _read_classed((Path, PurePosixPath, PureWindowsPath)),
}
"""How a written value of a kind is read back."""
