"""A form, filled in at a terminal, field by field; and mended where the server says that something does not fit.

The fields are those of the row (protocol, section 5.6). Only what a field's kind needs is checked here, such as that a
number is one; the server judges.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from signoff.cli.attaching import named_file
from signoff.cli.dialogue import NONE, agreed, chosen, read, read_lines, say
from signoff.pointers import escaped
from signoff.workflow.input.attachment import shown_size
from signoff.workflow.input.scalar_fields import FormField, typed

FieldErrors = Sequence[dict[str, str]]

ABSENT: Final[Any] = object()
"""In place of a value: there is none, and the member is left out."""

_TYPES: Final[dict[str, Any]] = {
    "integer": int,
    "number": int | float,
    "decimal": str | int | float,
    "fieldset": dict,
    "union": dict,
    "map": dict,
    "list": list,
    "tuple": list,
    "attachment": dict,
}
"""What the value of a kind is; others are text."""

_OF_ANY_TYPE: Final = {"radios", "select", "json"}
_HINTS: Final = {"date": "YYYY-MM-DD", "time": "HH:MM", "datetime": "YYYY-MM-DDTHH:MM", "json": "JSON"}


def fill(form: Sequence[FormField], initial: Any = None) -> Any:
    """Ask for every field; return the value.

    Args:
        form: of the row, or of one of its choices.
        initial: what the fields start with, before their own defaults.
    """
    if _is_whole(form):
        value = _ask(form[0], ABSENT if initial is None else initial)
        return None if value is ABSENT else value
    return _members(form, initial if isinstance(initial, dict) else {})


def mend(form: Sequence[FormField], value: Any, faults: FieldErrors) -> Any:
    """Say what does not fit, at its field, and ask for these fields again; return the value.

    Args:
        form: that was filled in.
        value: as it was sent.
        faults: what the server says: `pointer` into the value, `message`.
    """
    mending = _Mending(faults)
    if _is_whole(form):
        mended = mending.field(form[0], value, "")
    else:
        mended = mending.members(form, value if isinstance(value, dict) else {}, "")
    if mending.asked:
        mending.say_rest()
        return None if mended is ABSENT else mended
    # Nothing of it is about a field that could be asked for: all are, and start as they were.
    mending.say_rest()
    return fill(form, value)


def _is_whole(form: Sequence[FormField]) -> bool:
    return len(form) == 1 and form[0]["pointer"] == ""


# -- asking ------------------------------------------------------------------------------------------------------------


def _members(fields: Sequence[FormField], start: dict[str, Any]) -> dict[str, Any]:
    asked = ((field["name"], _ask(field, start.get(field["name"], ABSENT))) for field in fields)
    return {name: value for name, value in asked if value is not ABSENT}


def _ask(field: FormField, start: Any = ABSENT) -> Any:
    """Ask for one field; return its value, `ABSENT` where it is left out.

    Args:
        field: of the form.
        start: what it starts with, before its default.
    """
    if field["kind"] == "hidden":
        return field["value"]
    start = field.get("default", ABSENT) if start is ABSENT else start
    start = start if _may_start(field["kind"], start) else ABSENT
    if "description" in field:
        say(f"  {field['description']}")
    value = _KINDS.get(field["kind"], _line)(field, start)
    return field.get("blank", ABSENT) if value is ABSENT else value


def _may_start(kind: str, start: Any) -> bool:
    """Tell whether a field may start with something; what is proposed for one action may not be of another's kind."""
    if isinstance(start, bool) or start is None:
        return start is not None and kind in {"checkbox", *_OF_ANY_TYPE}
    return isinstance(start, _TYPES.get(kind, str)) or (kind in _OF_ANY_TYPE and start is not ABSENT)


def _line(field: FormField, start: Any) -> Any:
    """Ask for what is written on one line."""
    kind, optional = field["kind"], not field["required"]
    hint = f" ({_HINTS[kind]})" if kind in _HINTS else ""
    shown = "" if start is ABSENT or kind == "password" else f" [{_written(kind, start)}]"
    none = (f" ({NONE} for none)" if start is not ABSENT else " (may be left blank)") if optional else ""
    while True:
        text = read(f"{field['label']}{hint}{shown}{none}", hidden=kind == "password")
        if not text and start is not ABSENT:
            return start
        if optional and text in {"", NONE}:
            return ABSENT
        if not text and not (kind in {"text", "password"} and not field.get("minLength")):
            say("  This is required.")
            continue
        try:
            return _with_offset(text) if kind == "datetime" and field.get("zone") else _value(kind, text)
        except ValueError as error:
            say(f"  {error}")


def _value(kind: str, text: str) -> Any:
    """Read what was typed.

    Raises:
        ValueError: it is not of the kind; the message is for people.
    """
    try:
        return typed(kind, text)
    except ValueError:
        what = {"integer": "a whole number", "json": "JSON"}.get(kind, "a number, such as 12.50")
        raise ValueError(f"This must be {what}.") from None


def _with_offset(text: str) -> str:
    """Return a date and time with this machine's offset from UTC, if it is without one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text  # the server says what is wrong with it
    return text if moment.tzinfo else moment.astimezone().isoformat()


def _written(kind: str, value: Any) -> str:
    return value if isinstance(value, str) and kind != "json" else json.dumps(value, ensure_ascii=False)


def _file(field: FormField, start: Any) -> Any:
    """Ask for the path of a file, which is sent before the answer."""
    optional = not field["required"]
    kept = start.get("name") if isinstance(start, dict) else None
    limits = ", ".join([f"at most {shown_size(field['maxBytes'])}", *field.get("types", ())])
    shown = "" if kept is None else f" [{kept}]"
    none = (f" ({NONE} for none)" if kept is not None else " (may be left blank)") if optional else ""
    while True:
        text = read(f"{field['label']} (path of a file, {limits}){shown}{none}")
        if not text and kept is not None:
            return start
        if optional and text in {"", NONE}:
            return ABSENT
        try:
            if text:
                return named_file(field, text)
            say("  This is required.")
        except ValueError as error:
            say(f"  {error}")


def _long(field: FormField, start: Any) -> Any:
    if start is not ABSENT and start != "":
        say(f"{field['label']}:")
        say(f"  {start}")
        if agreed("Keep it?", True):
            return start
    text = read_lines(field["label"])
    return ABSENT if not text and not field["required"] else text


def _checkbox(field: FormField, start: Any) -> bool:
    while True:
        yes = agreed(field["label"], start if isinstance(start, bool) else None)
        if yes or "value" not in field:
            return yes
        say("  This has to be agreed to.")


def _choice(field: FormField, start: Any) -> Any:
    values = [option["value"] for option in field["options"]]
    proposed = next(
        (index for index, value in enumerate(values) if value == start and type(value) is type(start)), None
    )
    labels = [option["label"] for option in field["options"]]
    index = chosen(field["label"], labels, proposed, optional=not field["required"])
    return ABSENT if index is None else values[index]


def _fieldset(field: FormField, start: Any) -> Any:
    if not _wanted(field, start):
        return ABSENT
    return _members(field["fields"], start if isinstance(start, dict) else {})


def _wanted(field: FormField, start: Any) -> bool:
    """Tell whether a group of fields is filled in, and head it."""
    if not field["required"] and not agreed(f"Fill in {field['label']}?", start is not ABSENT):
        return False
    say(f"{field['label']}:")
    return True


def _union(field: FormField, start: Any) -> Any:
    tag, variants = field["tag"], field["variants"]
    former = start if isinstance(start, dict) else {}
    tags = [variant["value"] for variant in variants]
    proposed = tags.index(former[tag]) if former.get(tag) in tags else None
    labels = [_described(variant) for variant in variants]
    index = chosen(field["label"], labels, proposed, optional=not field["required"])
    if index is None:
        return ABSENT
    return {tag: tags[index], **_members(variants[index]["fields"], former)}


def _described(variant: FormField) -> str:
    return f"{variant['label']}: {variant['description']}" if "description" in variant else str(variant["label"])


def _tuple(field: FormField, start: Any) -> Any:
    if not _wanted(field, start):
        return ABSENT
    former = start if isinstance(start, list) else []
    return [_item(item, former[index] if index < len(former) else ABSENT) for index, item in enumerate(field["fields"])]


def _item(field: FormField, start: Any = ABSENT) -> Any:
    """Ask for what stands in a list, where nothing can be left out."""
    value = _ask(field, start)
    return None if value is ABSENT else value


def _list(field: FormField, start: Any) -> Any:
    if isinstance(start, list) and start and _kept(field, start):
        return start
    rows: list[Any] = []
    _rows(field, field["item"]["label"], lambda: rows.append(_item(field["item"])))
    return _rows_or_absent(field, rows)


def _map(field: FormField, start: Any) -> Any:
    if isinstance(start, dict) and start and _kept(field, start):
        return start
    rows: dict[str, Any] = {}
    key = {"name": "", "pointer": "", "label": "Name", "required": True, "minLength": 1, **field["key"]}

    def add() -> None:
        name = str(_ask(key))
        rows[name] = _item(field["value"])

    _rows(field, "entry", add)
    return _rows_or_absent(field, rows)


def _kept(field: FormField, start: Any) -> bool:
    say(f"{field['label']}:")
    for key, value in start.items() if isinstance(start, dict) else enumerate(start, 1):
        say(f"  {key}. {_written('json', value)}")
    return agreed("Keep them?", True)


def _rows(field: FormField, one: str, add: Callable[[], None]) -> None:
    """Ask for row after row, as many as there may be."""
    least, most = field.get("min", 0), field.get("max")
    say(f"{field['label']}:")
    count = 0
    while most is None or count < most:
        if count >= least and not agreed("Another one?" if count else "Add one?", False):
            return
        count += 1
        say(f"{one} {count}:")
        add()


def _rows_or_absent(field: FormField, rows: Any) -> Any:
    return ABSENT if not rows and not field["required"] and "default" not in field else rows


_KINDS: Final[dict[str, Callable[[FormField, Any], Any]]] = {
    "textarea": _long,
    "attachment": _file,
    "checkbox": _checkbox,
    "radios": _choice,
    "select": _choice,
    "fieldset": _fieldset,
    "union": _union,
    "tuple": _tuple,
    "list": _list,
    "map": _map,
}


# -- mending -----------------------------------------------------------------------------------------------------------


class _Mending:
    """What the server said of a value, and which of it a field was asked for again."""

    def __init__(self, faults: FieldErrors) -> None:
        self._left = [(fault["pointer"], fault["message"]) for fault in faults]
        self.asked = False

    def say_rest(self) -> None:
        """Say what is about no field."""
        for pointer, message in self._left:
            say(f"  {pointer}: {message}" if pointer else f"  {message}")

    def members(self, fields: Sequence[FormField], value: dict[str, Any], pointer: str) -> dict[str, Any]:
        """Return an object with the members mended that do not fit."""
        mended = dict(value)
        for field in fields:
            name = field["name"]
            inner = self.field(field, value.get(name, ABSENT), f"{pointer}/{escaped(name)}")
            mended.pop(name, None)
            if inner is not ABSENT:
                mended[name] = inner
        return mended

    def field(self, field: FormField, value: Any, pointer: str) -> Any:
        """Return a value, asked for again if it is said not to fit, or what is in it."""
        own = [message for at, message in self._left if at == pointer]
        within = any(at.startswith(f"{pointer}/") for at, _ in self._left)
        if own and field["kind"] != "hidden":
            self._left = [(at, message) for at, message in self._left if not (at + "/").startswith(f"{pointer}/")]
            self.asked = True
            for message in own:
                say(f"  {field['label']}: {message}")
            return _ask(field, value)
        return self._inner(field, value, pointer) if within else value

    def _inner(self, field: FormField, value: Any, pointer: str) -> Any:
        match field["kind"], value:
            case "fieldset", dict():
                return self.members(field["fields"], value, pointer)
            case "union", dict():
                chosen_ = [one["fields"] for one in field["variants"] if one["value"] == value.get(field["tag"])]
                return self.members(chosen_[0], value, pointer) if chosen_ else value
            case "list", list():
                return [self._item(field["item"], item, f"{pointer}/{index}") for index, item in enumerate(value)]
            case "tuple", list():
                pairs = zip(field["fields"], value, strict=False)
                return [self._item(one, item, f"{pointer}/{index}") for index, (one, item) in enumerate(pairs)]
            case "map", dict():
                inner = field["value"]
                return {name: self._item(inner, item, f"{pointer}/{escaped(name)}") for name, item in value.items()}
        return self._json(field, value, pointer)

    def _json(self, field: FormField, value: Any, pointer: str) -> Any:
        """Ask again for what has no fields of its own, if something is said of what is in it."""
        if field["kind"] != "json":
            return value
        for at, message in self._left:
            if at.startswith(f"{pointer}/"):
                say(f"  {field['label']} {at.removeprefix(pointer)}: {message}")
        self._left = [(at, message) for at, message in self._left if not at.startswith(f"{pointer}/")]
        self.asked = True
        return _ask(field, value)

    def _item(self, field: FormField, value: Any, pointer: str) -> Any:
        mended = self.field(field, value, pointer)
        return None if mended is ABSENT else mended
