"""Load SQL from the .sql files beside this module: one name a statement, its comment kept with it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

_NAME = re.compile(r"^-- name: (\w+)(?: \(rows\))?\n((?:--.*\n)*)", re.MULTILINE)
_GROUP = re.compile(r"(?<=VALUES )\([^()]*\)")
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Statements:
    """The statements of one .sql file, by name.

    Example:
        >>> Statements("read.sql")["head"].startswith("SELECT")
        True
    """

    def __init__(self, file: str) -> None:
        parts = _NAME.split(_text(file))
        self._texts = {name: text.strip() for name, text in zip(parts[1::3], parts[3::3], strict=True)}

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all statements, in the order of the file."""
        return tuple(self._texts)

    def __getitem__(self, name: str) -> str:
        """Return a statement for one row."""
        return self._texts[name]

    def rows(self, name: str, count: int) -> str:
        """Return a statement for `count` rows: the group of values, or the `?` of `IN (?)`, repeated."""
        return _repeated(self._texts[name], count)


def write_rows(connection: sqlite3.Connection, texts: Statements, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows with few statements, one for many."""
    start = 0
    for size in chunks(len(rows)):
        if size == 1:
            connection.execute(texts[name], rows[start])
        else:
            flat = [value for row in rows[start : start + size] for value in row]
            connection.execute(texts.rows(name, size), flat)
        start += size


def chunks(total: int) -> list[int]:
    """Cut `total` rows into few different sizes, so that every statement stays prepared.

    Example:
        >>> chunks(70)
        [64, 4, 2]
    """
    sizes = []
    for size in reversed(_SIZES):
        while total >= size:
            sizes.append(size)
            total -= size
    return sizes


@lru_cache(maxsize=256)
def _repeated(text: str, count: int) -> str:
    if " IN (?)" in text:
        return text.replace(" IN (?)", f" IN ({', '.join('?' * count)})")
    return _GROUP.sub(lambda match: ", ".join([match[0]] * count), text, count=1)


def _text(file: str) -> str:
    return files(__package__).joinpath(file).read_text(encoding="utf-8")


def migrations() -> list[str]:
    """Return the migrations in order; the n-th leads to schema version n + 1."""
    return [one.read_text(encoding="utf-8") for one in _migrations()]


def migration_names() -> list[str]:
    """Return the names of the migrations in order, e.g. `0001_initial`."""
    return [one.name.removesuffix(".sql") for one in _migrations()]


def _migrations() -> list[Traversable]:
    found = [one for one in files(__package__).joinpath("migrations").iterdir() if one.name.endswith(".sql")]
    return sorted(found, key=lambda one: one.name)


def schema() -> str:
    """Return the schema as it is today."""
    return _text("schema.sql")
