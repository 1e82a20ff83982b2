"""Fields drawn: one function for each kind of `protocol/schemas/form.json`, with errors where they belong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as member
from datetime import UTC, datetime
from typing import Any, Final

from signoff.pointers import escaped
from signoff.server.forms.reading import ABSENT, MOST_ROWS, multiple, step
from signoff.server.forms.words import Html, joined, tag
from signoff.workflow.input.attachment import shown_size
from signoff.workflow.input.scalar_fields import FormField

BLANK_ROWS: Final = 2
"""Rows to fill in beside those that are filled in."""

_GROUPS: Final = {"fieldset", "union", "tuple", "list", "map", "radios"}
"""Kinds that are drawn as a group, which has no control of its own."""

_TYPES: Final = {"date": "date", "time": "time", "datetime": "datetime-local", "password": "password"}


@dataclass(slots=True)
class Drawing:
    """One form on its way to markup.

    Attributes:
        prefix: of the ids of its elements, which are unique in the page.
        faults: what is wrong, by JSON Pointer into the value; those that were put at a field are taken out.
        more: paths of lists that are to have more blank rows.
        told: of each field where something is wrong: the id to go to, its label, and what is wrong.
        files: some of it takes files.
    """

    prefix: str
    faults: dict[str, list[str]] = member(default_factory=dict)
    more: frozenset[str] = frozenset()
    told: list[tuple[str, str, str]] = member(default_factory=list)
    files: bool = False

    def form(self, form: Sequence[FormField], value: Any) -> Html | None:
        """Return the fields of a whole form, filled in with a value."""
        if len(form) == 1 and form[0]["pointer"] == "":
            return self.field(form[0], "v", "", ABSENT if value is None else value)
        return self._members(form, "v", "", value if isinstance(value, dict) else {})

    def _members(self, fields: Sequence[FormField], path: str, at: str, value: dict[str, Any]) -> Html:
        return joined(
            *(
                self.field(one, step(path, one["name"]), f"{at}/{escaped(one['name'])}", value.get(one["name"], ABSENT))
                for one in fields
            )
        )

    def field(self, one: FormField, path: str, at: str, value: Any) -> Html | None:
        """Return one field."""
        if one["kind"] == "hidden":
            return None
        value = one.get("default", ABSENT) if value is ABSENT else value
        match one["kind"]:
            case kind if kind in _GROUPS:
                return self._group(one, path, at, value)
        said, by = self._said(one, path, at)
        mark = None if one["required"] or one["kind"] == "checkbox" else tag("small", " (may be left blank)")
        label = tag("label", one["label"], mark, for_=self._id(path))
        control = self._control(one, path, value, by)
        inner = (control, label) if one["kind"] == "checkbox" else (label, control)
        return tag("div", *inner, said, class_="field")

    def _id(self, path: str) -> str:
        return f"{self.prefix}-{path}"

    def _said(self, one: FormField, path: str, at: str) -> tuple[Html, dict[str, Any]]:
        """Return what is said below a field, and the attributes that bind it to what it is said of."""
        faults = self.faults.pop(at, [])
        if one["kind"] == "json":
            faults += [
                f"{key[len(at) :]}: {text_}" for key in _below(self.faults, at) for text_ in self.faults.pop(key)
            ]
        help_ = (
            tag("p", one["description"], class_="help", id=f"{self._id(path)}-h") if one.get("description") else None
        )
        wrong = tag("p", " ".join(faults), class_="error", id=f"{self._id(path)}-e") if faults else None
        if faults:
            place = f"{self._id(path)}-e" if one["kind"] in _GROUPS else self._id(path)
            self.told.append((place, one["label"], " ".join(faults)))
        ids = [f"{self._id(path)}-{end}" for end, there in (("h", help_), ("e", wrong)) if there is not None]
        by: dict[str, Any] = {"aria_describedby": " ".join(ids) or None, "aria_invalid": "true" if faults else None}
        return joined(help_, wrong), by

    # -- single values -------------------------------------------------------------------------------------------------

    def _control(self, one: FormField, path: str, value: Any, by: dict[str, Any]) -> Html:
        kind = one["kind"]
        if kind == "attachment":
            return self._files(one, path, [] if value in (ABSENT, None) else [value], by, most=1)
        common = {"id": self._id(path), "name": path, **by, "aria_required": "true" if one["required"] else None}
        match kind:
            case "checkbox":
                return tag("input", type="checkbox", value="1", checked=value is True, **common)
            case "select":
                blank = tag("option", "", value="")
                return tag("select", blank, *(_option(i, o, value) for i, o in enumerate(one["options"])), **common)
            case "textarea" | "json":
                # A newline right after the tag is not part of the text (HTML §13.1.2.5).
                return tag("textarea", Html("\n"), _written(value), rows=4, **common)
        shown = "" if kind == "password" else _written(value)
        if kind == "datetime":
            shown = _moment(shown, zone=one.get("zone") is True)
        mode = {"integer": "numeric", "number": "decimal", "decimal": "decimal"}.get(kind)
        type_ = _TYPES.get(kind) or ("email" if one.get("format") == "email" else "text")
        drawn = tag("input", type=type_, value=shown, inputmode=mode, step="any" if kind in _TYPES else None, **common)
        return joined(drawn, tag("small", " UTC")) if kind == "datetime" and one.get("zone") else drawn

    def _files(self, one: FormField, path: str, files: Sequence[Any], by: dict[str, Any], *, most: int) -> Html:
        """Return what is attached, which goes where it is not ticked any more, and a control for files."""
        self.files = True
        kept = [
            tag(
                "label",
                tag("input", type="checkbox", name=path, value=json.dumps(file, ensure_ascii=False), checked=True),
                " ",
                str(file.get("name", "")) if isinstance(file, dict) else "",
                class_="option",
            )
            for file in files
        ]
        types = one.get("types", ())
        limits = f"At most {shown_size(one['maxBytes'])}{': ' if types else ''}{', '.join(types)}."
        control = tag(
            "input", type="file", id=self._id(path), name=f"{path}?f", accept=",".join(types) or None,
            multiple=most > 1, **by,
        )  # fmt: skip
        return joined(*kept, control, tag("p", limits, class_="help"))

    # -- groups --------------------------------------------------------------------------------------------------------

    def _group(self, one: FormField, path: str, at: str, value: Any) -> Html:
        said, by = self._said(one, path, at)
        mark = None if one["required"] else tag("small", " (may be left blank)")
        inner = {
            "fieldset": self._fieldset,
            "tuple": self._fieldset,
            "union": self._union,
            "list": self._list,
            "map": self._map,
            "radios": self._radios,
        }[one["kind"]](one, path, at, value)
        return tag("fieldset", tag("legend", one["label"], mark), said, inner, **by)

    def _fieldset(self, one: FormField, path: str, at: str, value: Any) -> Html:
        if one["kind"] == "tuple":
            value = {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else value
        members = self._members(one["fields"], path, at, value if isinstance(value, dict) else {})
        if one["required"]:
            return members
        id_ = f"{self._id(path)}-on"
        switch = tag(
            "input", type="checkbox", name=f"{path}?on", value="1", id=id_, checked=value not in (ABSENT, None)
        )
        return joined(switch, tag("label", f"Fill in {one['label']}", for_=id_), tag("div", members, class_="inner"))

    def _radios(self, one: FormField, path: str, _at: str, value: Any) -> Html:
        return self._options(one["options"], path, "radio", [value])

    def _options(self, options: Sequence[dict[str, Any]], path: str, type_: str, chosen: Sequence[Any]) -> Html:
        return joined(
            *(
                tag(
                    "label",
                    tag("input", type=type_, name=path, value=index, checked=any(_same(option, one) for one in chosen)),
                    " ",
                    option["label"],
                    class_="option",
                )
                for index, option in enumerate(options)
            )
        )

    def _union(self, one: FormField, path: str, at: str, value: Any) -> Html:
        value = value if isinstance(value, dict) else {}
        parts: list[Html] = []
        for index, variant in enumerate(one["variants"]):
            mine = value.get(one["tag"]) == variant["value"]
            id_ = f"{self._id(path)}-{index}"
            parts.append(tag("input", type="radio", name=path, value=index, id=id_, checked=mine))
            parts.append(tag("label", variant["label"], for_=id_))
            help_ = tag("p", variant["description"], class_="help") if variant.get("description") else None
            members = self._members(variant["fields"], f"{path}@{index}", at if mine else "?", value if mine else {})
            parts.append(tag("div", help_, members, class_="inner"))
        return tag("div", *parts, class_="union")

    def _list(self, one: FormField, path: str, at: str, value: Any) -> Html:
        rows = value if isinstance(value, list) else []
        if one["item"]["kind"] == "attachment":
            return self._files(
                one["item"], path, rows, {"aria_label": one["label"]}, most=int(one.get("max", MOST_ROWS))
            )
        if multiple(one):
            return self._options(one["item"]["options"], path, "checkbox", rows)
        drawn = [
            self.field(
                one["item"] | {"label": f"{one['item']['label']} {index + 1}"},
                step(path, index),
                f"{at}/{index}",
                rows[index] if index < len(rows) else ABSENT,
            )
            for index in range(self._count(one, path, len(rows)))
        ]
        return joined(*drawn, self._adding(one, path, len(drawn)))

    def _map(self, one: FormField, path: str, at: str, value: Any) -> Html:
        rows = list(value.items()) if isinstance(value, dict) else []
        drawn: list[Html | None] = []
        for index in range(self._count(one, path, len(rows))):
            name, inner = rows[index] if index < len(rows) else (ABSENT, ABSENT)
            row = step(path, index)
            key = {"label": f"Name {index + 1}", "required": True, **one["key"]}
            drawn.append(self.field(key, f"{row}?k", "?", name))
            pointer = "?" if name is ABSENT else f"{at}/{escaped(name)}"
            drawn.append(
                self.field(one["value"] | {"label": f"{one['value']['label']} {index + 1}"}, row, pointer, inner)
            )
        return joined(*drawn, self._adding(one, path, len(drawn) // 2))

    def _count(self, one: FormField, path: str, filled: int) -> int:
        blank = BLANK_ROWS + (3 if path in self.more else 0)
        return min(max(filled + blank, int(one.get("min", 0))), max(int(one.get("max", MOST_ROWS)), filled), MOST_ROWS)

    def _adding(self, one: FormField, path: str, rows: int) -> Html:
        full = rows >= min(one.get("max", MOST_ROWS), MOST_ROWS)
        button = None if full else tag("button", "Add a row", type="submit", name="add", value=path, class_="add")
        return joined(tag("input", type="hidden", name=f"{path}?n", value=rows), button)


def _option(index: int, option: dict[str, Any], value: Any) -> Html:
    return tag("option", option["label"], value=index, selected=_same(option, value))


def _same(option: dict[str, Any], value: Any) -> bool:
    return bool(option["value"] == value) and type(option["value"]) is type(value)


def _written(value: Any) -> str:
    if value is ABSENT or value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _moment(shown: str, *, zone: bool) -> str:
    try:
        moment = datetime.fromisoformat(shown)
    except ValueError:
        return shown
    return (moment.astimezone(UTC) if zone and moment.tzinfo else moment).replace(tzinfo=None).isoformat()


def _below(faults: dict[str, list[str]], at: str) -> list[str]:
    return [key for key in faults if key.startswith(f"{at}/")]
