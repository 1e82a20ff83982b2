"""Markup in which text is text: whatever a row says is escaped where it is put, and nowhere else."""

from __future__ import annotations

import json
from html import escape
from typing import Any, Final

_COLUMNS: Final = 4
"""Columns that a table has at most, on a phone too; what has more is shown below one another."""


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: object) -> Html:
    """Return a text as markup that shows it; markup stays as it is."""
    return value if isinstance(value, Html) else Html(escape(str(value).replace("\0", "\ufffd")))


def tag(element: str, /, *inner: object, **attributes: object) -> Html:
    """Return an element; attributes that are None or False are left out, `class_` and `for_` are `class` and `for`.

    Example:
        >>> tag("p", "a < b", class_="x")
        '<p class="x">a &lt; b</p>'
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if element in {"input", "meta", "br"}:
        return Html(f"<{element}{written}>")
    return Html(f"<{element}{written}>{joined(*inner)}</{element}>")


def joined(*parts: object) -> Html:
    """Return parts one after the other; what is None is nothing."""
    return Html("".join(text(part) for part in parts if part is not None))


def paragraphs(words: str) -> Html:
    """Return a text of several paragraphs, shown as it was written."""
    return joined(*(tag("p", part.strip(), class_="lines") for part in words.split("\n\n") if part.strip()))


def _flat(one: dict[str, Any], first: dict[str, Any]) -> bool:
    """Return True if an object fits a table's row: it has the members of the first, few of them, and none nested."""
    few = len(first) <= _COLUMNS and one.keys() == first.keys()
    return few and not any(isinstance(member, dict | list) for member in one.values())


def table(value: Any, depth: int = 0) -> Html:  # noqa: PLR0911 - one return per kind
    """Return any JSON as something to read: members as rows, items as a list."""
    if depth > 6 and isinstance(value, dict | list):
        return tag("pre", json.dumps(value, ensure_ascii=False))
    match value:
        case dict():
            rows = (
                tag("tr", tag("th", str(key), scope="row"), tag("td", table(one, depth + 1)))
                for key, one in value.items()
            )
            return tag("table", *rows)
        case [dict() as first, *_] if first and all(isinstance(one, dict) and _flat(one, first) for one in value):
            head = tag("tr", *(tag("th", str(key), scope="col") for key in first))
            rows = (tag("tr", *(tag("td", table(one[key], depth + 1)) for key in first)) for one in value)
            return tag("table", tag("thead", head), tag("tbody", *rows), class_="many")
        case list():
            return tag("ul", *(tag("li", table(one, depth + 1)) for one in value))
        case None:
            return text("—")
        case bool():
            return text("Yes" if value else "No")
        case str():
            return tag("span", value, class_="lines")
    return text(json.dumps(value))
