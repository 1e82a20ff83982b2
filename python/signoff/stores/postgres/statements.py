"""Load SQL from the .sql files beside this module, for the schema that a URL names."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

_NAME: Final = re.compile(r"^-- name: (\w+)\n((?:--.*\n)*)", re.MULTILINE)
_SCHEMA: Final = re.compile(r"\bsignoff\.")
_NUMBERED: Final = re.compile(r"(\d{4})_(\w+)\.sql")


class Migration(NamedTuple):
    """A numbered file of `migrations/`.

    Attributes:
        number: from 1 on, without gaps.
        name: what it is about.
        text: its statements.
        breaking: an older release cannot go on with what it leaves.
        concurrent: its statements run one by one, outside a transaction, as indexes that are built beside writers must.
    """

    number: int
    name: str
    text: str
    breaking: bool
    concurrent: bool


class Statements:
    """The statements of one .sql file, by name, for one schema.

    Args:
        file: its name.
        schema: whose tables they are about.

    Example:
        >>> Statements("read.sql", "signoff")["head"].startswith("SELECT")
        True
    """

    def __init__(self, file: str, schema: str) -> None:
        parts = _NAME.split(for_schema(_text(file), schema))
        self._texts = {name: text.strip() for name, text in zip(parts[1::3], parts[3::3], strict=True)}

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all statements, in the order of the file."""
        return tuple(self._texts)

    def __getitem__(self, name: str) -> str:
        """Return a statement."""
        return self._texts[name]


def quoted(name: str) -> str:
    """Write a name as an identifier.

    Example:
        >>> quoted('a"b')
        '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def for_schema(text: str, schema: str) -> str:
    """Write statements about the schema `signoff` for another one."""
    return _SCHEMA.sub(lambda _: f"{quoted(schema)}.", text)


@lru_cache(maxsize=1)
def migrations() -> tuple[Migration, ...]:
    """Return all migrations, in order."""
    found = []
    for file in files(__package__).joinpath("migrations").iterdir():
        if match := _NUMBERED.fullmatch(file.name):
            text = file.read_text(encoding="utf-8")
            words = text.splitlines()[0].split()
            found.append(Migration(int(match[1]), match[2], text, "(breaking)" in words, "(concurrent)" in words))
    return tuple(sorted(found))


def _text(file: str) -> str:
    return files(__package__).joinpath(file).read_text(encoding="utf-8")
