"""What was filled in, read back from a form's fields into a value, which the schema then judges.

Fields are named by their path: the names on the way, each escaped, with `/` between. What cannot be read as what its
kind is stays the text that was written, so that it comes back as it was and the schema says what is wrong with it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from signoff.workflow.input.scalar_fields import FormField, typed

ABSENT: Final[Any] = object()
"""In place of a value: there is none, and the member is left out."""

_TEXTS: Final = frozenset({"text", "textarea", "password"})

MOST_ROWS: Final = 200
"""Rows of a list that a form shows and reads."""

_MOST_DIGITS: Final = 5
_DEEPEST: Final = 256
_END: Final = re.compile(r"/|@|\?k|$")
"""Behind each of the paths on the way to a field."""


class Filled(Mapping[str, Sequence[str]]):
    """What a form sent, by field; each is looked at once to know which rows of which lists are filled in.

    Args:
        sent: the values of each field.
    """

    def __init__(self, sent: Mapping[str, Sequence[str]]) -> None:
        self._sent = sent
        found: dict[str, set[int]] = {}
        for name in (name for name, values in sent.items() if any(values) and "?n" not in name):
            for end in islice(_END.finditer(name), _DEEPEST):
                path, _, last = name[: end.start()].rpartition("/")
                if (index := number(last, MOST_ROWS)) is not None and last == str(index):
                    found.setdefault(path, set()).add(index)
        self._rows = {path: sorted(rows) for path, rows in found.items()}

    def __getitem__(self, name: str) -> Sequence[str]:
        return self._sent[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sent)

    def __len__(self) -> int:
        return len(self._sent)

    def rows(self, path: str) -> list[int]:
        """Return the rows of a list that the page had shown, and in which something was filled in."""
        shown = number(_one(f"{path}?n", self), 10**_MOST_DIGITS) or 0
        found = self._rows.get(path, [])
        return found[: bisect_left(found, shown)]


def number(text: str, below: int) -> int | None:
    """Return the number that a text is; None: it is none, or is not below another."""
    found = int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else below
    return found if found < below else None


def step(path: str, name: str | int) -> str:
    """Return the path of what is called so below a path."""
    return f"{path}/{quote(str(name), safe='')}"


def read_form(form: Sequence[FormField], sent: Mapping[str, Sequence[str]]) -> Any:
    """Return the value of a whole form."""
    filled = Filled(sent)
    if len(form) == 1 and form[0]["pointer"] == "":
        value = read(form[0], "v", filled)
        return None if value is ABSENT else value
    return _members(form, "v", filled)


def _members(fields: Sequence[FormField], path: str, filled: Filled) -> dict[str, Any]:
    values = ((field["name"], read(field, step(path, field["name"]), filled)) for field in fields)
    return {name: value for name, value in values if value is not ABSENT}


def read(field: FormField, path: str, filled: Filled) -> Any:
    """Return the value of one field; `ABSENT` where it is left out."""
    value = _value(field, path, filled)
    return field.get("blank", ABSENT) if value is ABSENT else value


def _value(field: FormField, path: str, filled: Filled) -> Any:  # noqa: PLR0911 - one return per kind
    match field["kind"]:
        case "hidden":
            return field["value"]
        case "checkbox":
            return path in filled
        case "radios" | "select":
            return _chosen(field, _one(path, filled))
        case "fieldset" | "tuple" if not field["required"] and f"{path}?on" not in filled:
            return ABSENT
        case "fieldset":
            return _members(field["fields"], path, filled)
        case "tuple":
            items = (read(item, step(path, index), filled) for index, item in enumerate(field["fields"]))
            return [None if item is ABSENT else item for item in items]
        case "union":
            return _variant(field, path, filled)
        case "attachment":
            return next(reversed(_references(path, filled)), ABSENT)  # what was chosen last takes the place
        case "list":
            return _rows(field, path, filled)
        case "map":
            return _entries(field, path, filled)
    return _line(field, _one(path, filled))


def _references(path: str, filled: Filled) -> list[Any]:
    """Return the attachments that a page has kept, each as the JSON it was given."""
    found: list[Any] = []
    for written in filled.get(path, ()):
        try:
            found.append(typed("json", written))
        except ValueError:
            found.append(written)  # the schema says what is wrong with it
    return found


def _one(path: str, filled: Filled) -> str:
    return (filled.get(path) or [""])[0]


def _chosen(field: FormField, index: str) -> Any:
    chosen = number(index, len(field["options"]))
    return ABSENT if chosen is None else field["options"][chosen]["value"]


def _line(field: FormField, written: str) -> Any:
    kind = field["kind"]
    if kind == "textarea":
        written = written.replace("\r\n", "\n")
    if written == "":
        # Left out, a text that was cleared would come back as the default.
        return "" if kind in _TEXTS and (field["required"] or field.get("default")) and "blank" not in field else ABSENT
    try:
        value = typed(kind, written)
        if kind == "datetime" and field.get("zone"):
            moment = datetime.fromisoformat(written)
            return written if moment.tzinfo else f"{written if len(written) > 16 else written + ':00'}Z"
    except ValueError:
        return written
    return f"{written}:00" if kind in {"datetime", "time"} and written.count(":") == 1 else value


def _variant(field: FormField, path: str, filled: Filled) -> Any:
    index = number(_one(path, filled), len(field["variants"]))
    if index is None:
        return ABSENT
    variant = field["variants"][index]
    return {field["tag"]: variant["value"], **_members(variant["fields"], f"{path}@{index}", filled)}


def multiple(field: FormField) -> bool:
    """Return True if a list field offers options, of which each may be chosen once."""
    return bool(field.get("unique")) and field["item"]["kind"] in {"radios", "select"}


def _rows(field: FormField, path: str, filled: Filled) -> Any:
    item = field["item"]
    if item["kind"] == "attachment":
        rows: list[Any] = _references(path, filled)
    elif multiple(field):
        values = [_chosen(item, index) for index in filled.get(path, ())]
        rows = [value for value in values if value is not ABSENT]
    else:
        read_ = [read(item, step(path, index), filled) for index in filled.rows(path)]
        rows = [None if value is ABSENT else value for value in read_]
    return rows if rows or field["required"] or "default" in field else ABSENT


def _entries(field: FormField, path: str, filled: Filled) -> Any:
    found: dict[str, Any] = {}
    key = {"required": True, **field["key"]}
    for one in (step(path, index) for index in filled.rows(path)):
        name = read(key, f"{one}?k", filled)
        if name is ABSENT:
            continue
        value = read(field["value"], one, filled)
        found[str(name)] = None if value is ABSENT else value
    return found if found or field["required"] or "default" in field else ABSENT
