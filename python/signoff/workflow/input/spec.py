"""What a request for input may say, and how large it may be."""

from __future__ import annotations

from typing import Any

import orjson

from signoff.errors import UnsupportedValue
from signoff.names import ID_RULE, check_texts, is_principal

MOST_PRINCIPALS = 100
"""Principals in `to` and `forbid` together: each of those asked gets a row in an inbox of their own."""

MOST_BYTES = 256 << 10
"""Bytes of a request as JSON: all that a person is shown, in each inbox."""

MOST_ACTIONS = 20
_LONGEST = {"title": 500, "description": 20_000, "actions": 128}
"""Characters at most, of each action."""


_EXAMPLES = {
    "actions": 'actions=["approve", "reject"]',
    "to": 'to=["group:finance"]',
    "forbid": "forbid=[ctx.started_by]",
}


def check_spec(spec: dict[str, Any]) -> None:
    """Refuse a request that could not be shown, or is larger than a request may be.

    Raises:
        TypeError, ValueError: naming the argument.
    """
    for name, value in spec.items():
        if name == "title" and not (isinstance(value, str) and value):
            raise TypeError("The title of a request is a text that is not empty.")
        if name == "description" and not isinstance(value, str | None):
            raise TypeError("The description of a request is Markdown text or None.")
        if name == "ui" and not isinstance(value, dict | None):
            raise TypeError("The ui hints of a request are a dictionary or None.")
        if name in {"actions", "to", "forbid"}:
            _check_texts(name, value)
        if name in {"title", "description"} and value is not None and len(value) > _LONGEST[name]:
            raise ValueError(f"The {name} of a request has {_LONGEST[name]} characters at most, not {len(value)}.")
    if not 1 <= len(spec.get("actions", ("",))) <= MOST_ACTIONS:
        raise ValueError(f"A request needs at least one action, and takes {MOST_ACTIONS} at most.")
    asked = len(spec.get("to", ())) + len(spec.get("forbid", ()))
    if asked > MOST_PRINCIPALS:
        raise ValueError(
            f"`to` and `forbid` of a request name {asked} principals, and take {MOST_PRINCIPALS} at most: "
            "ask a group, such as group:finance."
        )
    try:
        size = len(orjson.dumps(spec))
    except TypeError as error:
        raise UnsupportedValue(f"The request cannot be written as JSON: {error}.") from error
    if size > MOST_BYTES:
        raise ValueError(
            f"A request has {MOST_BYTES} bytes as JSON at most, not {size}: show less, or a link to the rest."
        )


def check_list(name: str, value: Any) -> None:
    """Refuse one text for `actions`, `to` or `forbid` of a request, as it was given.

    Raises:
        TypeError: saying how it is written.
    """
    check_texts(value, f"`{name}` of a request", _EXAMPLES[name])


def _check_texts(name: str, value: Any) -> None:
    check_list(name, value)
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise TypeError(f"`{name}` of a request is a list of texts, e.g. {_EXAMPLES[name]}, not {value!r:.100}.")
    for item in value if name == "actions" else ():
        if len(item) > _LONGEST[name] or not item.isprintable():
            raise ValueError(f"An action has {_LONGEST[name]} printable characters at most: {item!r:.100}.")
    if len(set(value)) != len(value):
        raise ValueError(f"`{name}` of a request names {value!r:.100} twice.")
    if name != "actions":
        for principal in value:
            if not is_principal(principal):
                raise ValueError(
                    f"{principal!r:.100} is no principal, so no token could ever answer as it: write user:alice or "
                    f"group:finance, an id of {ID_RULE}."
                )
