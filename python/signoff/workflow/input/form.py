"""The form of a request: a JSON Schema read once into a list of fields, for pages, plain HTML and terminals alike.

What a field may say is in `protocol/schemas/form.json`. The list only helps people to fill in; whether an answer fits
is judged by the schema (`complaints.py`). So rules that the list cannot say are left out, shapes that it cannot say are
fields of kind `json`, and no schema, however odd, is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import orjson

from signoff.pointers import escaped
from signoff.workflow.input import attachment, scalar_fields
from signoff.workflow.input.scalar_fields import FormField, readable
from signoff.workflow.input.settled import Settled, settle

FormFields = list[FormField]

MOST_FIELDS: Final = 300
"""Fields of a form, those in groups, rows and variants included; a larger one is a single field of kind `json`."""

MOST_BYTES: Final = 64 << 10
"""Bytes of a form as JSON, or of all forms of a request together."""

MOST_DEEP: Final = 8
"""Groups within groups; what lies deeper is of kind `json`."""

_ROW: Final = "*"
_ABSENT: Final = object()


def form_of(
    schema: Mapping[str, Any], ui: Mapping[str, Any] | None = None, most: int = MOST_BYTES
) -> FormFields | None:
    """Return the fields that a person fills in for a schema; None where it takes nothing.

    What is returned is shared by all who ask for the same: it is not to be changed.

    Args:
        schema: JSON Schema 2020-12 of the value.
        ui: hints for rendering, by member; `{"note": {"ui:widget": "textarea"}}` makes a text long.
        most: bytes as JSON; what would be larger is a single field of kind `json`.

    Example:
        >>> form_of({"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]})
        [{'name': 'amount', 'pointer': '/amount', 'kind': 'integer', 'label': 'Amount', 'required': True}]
    """
    return _form_of(orjson.dumps([schema, ui or {}]), most)


@lru_cache(maxsize=512)
def _form_of(asked: bytes, most: int) -> FormFields | None:
    schema, ui = orjson.loads(asked)
    try:
        form = _Forming(schema).form(ui)
    except _TooLargeError:
        return [_whole(schema)]
    return form if form is None or len(orjson.dumps(form)) <= most else [_whole(schema)]


def _whole(schema: dict[str, Any]) -> FormField:
    return {"name": "", "pointer": "", "kind": "json", "label": _label("", schema), "required": True}


class _TooLargeError(Exception):
    """The form would have too many fields."""


class _Forming:
    """One schema on its way to a form."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._fields = -1  # the whole, which is not counted

    def form(self, ui: Any) -> FormFields | None:
        settled = self._settled(self._root, ())
        if settled.schema.get("type") == "null" or settled.schema.get("const", _ABSENT) is None:
            return None
        whole = self._field("", self._root, "", (), ui, there=True)
        fields: FormFields = whole["fields"] if whole["kind"] == "fieldset" and whole["required"] else [whole]
        return fields

    def _settled(self, schema: Any, within: tuple[str, ...]) -> Settled:
        return settle(self._root, schema, within)

    # -- fields ----------------------------------------------------------------------------------------------------

    def _field(
        self, name: str, schema: Any, pointer: str, within: tuple[str, ...], ui: Any, *, there: bool, label: str = ""
    ) -> FormField:
        """Return one field.

        Args:
            name: the segment of the pointer that leads here.
            schema: of the field, as it stands in the whole.
            pointer: to the value.
            within: the references that lead here.
            ui: hints for this place.
            there: the value cannot be left out.
            label: what it is called where the schema does not say.
        """
        self._fields += 1
        if self._fields > MOST_FIELDS:
            raise _TooLargeError
        settled = self._settled(schema, within)
        own = schema if isinstance(schema, dict) else {}
        deep = settled.endless or pointer.count("/") >= MOST_DEEP
        shape = (None if deep else self._shape(settled, pointer, ui)) or self._json(own, pointer)
        if settled.nullable:
            shape = scalar_fields.or_nothing(shape)
        field = {"name": name, "pointer": pointer, "kind": shape.pop("kind"), "label": label or _label(name, own)}
        if isinstance(own.get("description"), str):
            field["description"] = own["description"]
        field["required"] = there and not settled.nullable and field["kind"] != "hidden"
        default = own.get("default", _ABSENT)
        if default is not _ABSENT and default is not None and field["kind"] != "hidden":
            field["default"] = default
        if settled.nullable and (there or "default" in field):
            field["blank"] = None
        return field | shape

    def _json(self, schema: dict[str, Any], pointer: str) -> FormField:
        """Return the shape of what is written as JSON, with its schema where that can stand alone."""
        part = self._alone(schema) if pointer else None
        return {"kind": "json"} if part is None else {"kind": "json", "schema": part}

    def _alone(self, schema: dict[str, Any]) -> dict[str, Any] | None:
        known = self._root.get("$defs") if isinstance(self._root, dict) else None
        known = known if isinstance(known, dict) else {}
        needed: dict[str, Any] = {}
        left: list[Any] = [schema]
        while left:
            part = left.pop()
            if isinstance(part, list):
                left += part
            if not isinstance(part, dict):
                continue
            left += part.values()
            reference = part.get("$ref")
            if not isinstance(reference, str):
                continue
            name = unquote(reference.removeprefix("#/$defs/"))
            if not reference.startswith("#/$defs/") or name not in known:
                return None
            if name not in needed:
                needed[name] = known[name]
                left.append(known[name])
        kept = {rule: value for rule, value in schema.items() if rule not in {"title", "description", "default"}}
        return kept | {"$defs": needed} if needed else kept

    # -- shapes ----------------------------------------------------------------------------------------------------

    def _shape(self, settled: Settled, pointer: str, ui: Any) -> FormField | None:  # noqa: PLR0911 - one return per kind
        """Return the kind of a field and what that kind has; None where only JSON can say it."""
        schema = settled.schema
        if "const" in schema:
            return scalar_fields.constant(schema["const"])
        if isinstance(schema.get("enum"), list):
            return scalar_fields.choice(scalar_fields.named(schema))
        for rule in ("anyOf", "oneOf"):
            if rule in schema:
                return None if "properties" in schema else self._alternatives(settled, schema[rule], pointer, ui)
        match schema.get("type"):
            case "string":
                return scalar_fields.text(schema, ui)
            case "integer" | "number" as kind:
                return scalar_fields.number(schema, whole=kind == "integer")
            case "boolean":
                return {"kind": "checkbox"}
            case "array":
                return self._rows(settled, pointer, ui)
            case "object" if schema.get("format") == attachment.FORMAT:
                return scalar_fields.attached(schema.get(attachment.KEYWORD))
            case "object":
                return self._members(settled, pointer, ui)
            case None if isinstance(schema.get("properties"), dict):
                return self._members(settled, pointer, ui)
        return None

    def _members(self, settled: Settled, pointer: str, ui: Any, without: str | None = None) -> FormField | None:
        schema = settled.schema
        properties = schema.get("properties")
        if not isinstance(properties, dict) or (not properties and schema.get("additionalProperties") is not False):
            return self._map(settled, pointer, ui) if not properties else None
        if "patternProperties" in schema:
            return None
        required = schema.get("required")
        required = required if isinstance(required, list) else []
        fields = [
            self._field(
                name, member, f"{pointer}/{escaped(name)}", settled.within, _hints(ui, name), there=name in required
            )
            for name, member in properties.items()
            if name != without
        ]
        return {"kind": "fieldset", "fields": fields}

    def _map(self, settled: Settled, pointer: str, ui: Any) -> FormField | None:
        schema = settled.schema
        values, patterns = schema.get("additionalProperties"), schema.get("patternProperties")
        if values is False and "properties" in schema and not patterns:
            return {"kind": "fieldset", "fields": []}
        key: FormField = {"kind": "text"}
        if isinstance(patterns, dict) and len(patterns) == 1 and values in (None, False):
            ((pattern, values),) = patterns.items()
            key["pattern"] = pattern
        elif patterns or not isinstance(values, dict) or not values:
            return None
        names = self._settled(schema.get("propertyNames", {}), settled.within).schema
        if names:
            shape = self._shape(Settled(names | {"type": "string"}, settled.within), pointer, {})
            key |= shape if shape is not None and shape["kind"] != "hidden" else {}
        inner = f"{pointer}/{_ROW}"
        value = self._field(
            _ROW, values, inner, settled.within, _hints(ui, "additionalProperties"), there=True, label="Value"
        )
        return {
            "kind": "map",
            **scalar_fields.counts(schema, {"min": "minProperties", "max": "maxProperties"}),
            "key": key,
            "value": value,
        }

    def _rows(self, settled: Settled, pointer: str, ui: Any) -> FormField | None:
        schema = settled.schema
        first, items = schema.get("prefixItems"), schema.get("items", True)
        if isinstance(first, list) and first:
            if items is not False and schema.get("maxItems") != len(first):
                return None
            fields = [
                self._field(str(index), item, f"{pointer}/{index}", settled.within, {}, there=True)
                for index, item in enumerate(first)
            ]
            for index, (field, item) in enumerate(zip(fields, first, strict=True)):
                if not (isinstance(item, dict) and isinstance(item.get("title"), str)):
                    field["label"] = str(index + 1)
            return {"kind": "tuple", "fields": fields}
        if not isinstance(items, dict):
            return None
        item = self._field(
            _ROW, items, f"{pointer}/{_ROW}", settled.within, _hints(ui, "items"), there=True, label=self._called(items)
        )
        unique = {"unique": True} if schema.get("uniqueItems") is True else {}
        return {
            "kind": "list",
            **scalar_fields.counts(schema, {"min": "minItems", "max": "maxItems"}),
            **unique,
            "item": item,
        }

    def _called(self, schema: dict[str, Any]) -> str:
        title = self._settled(schema, ()).schema.get("title")
        return title if isinstance(title, str) and title else "Item"

    # -- alternatives ----------------------------------------------------------------------------------------------

    def _alternatives(self, settled: Settled, branches: Any, pointer: str, ui: Any) -> FormField | None:
        if not isinstance(branches, list) or not branches:
            return None
        all_ = [self._settled(branch, settled.within) for branch in branches]
        if any(one.endless or one.nullable for one in all_):
            return None
        schemas = [one.schema for one in all_]
        kinds = [str(schema.get("type")) for schema in schemas]
        if all("const" in schema or isinstance(schema.get("enum"), list) for schema in schemas):
            return scalar_fields.choice([option for schema in schemas for option in scalar_fields.named(schema)])
        texts = [schema for schema in schemas if schema.get("format") == "decimal"]
        if len(texts) == 1 and sorted(kinds) == ["number", "string"]:
            return scalar_fields.decimal(texts[0])
        if set(kinds) == {"integer", "number"}:
            return scalar_fields.number(schemas[kinds.index("number")], whole=False)
        return self._variants(settled, all_, pointer, ui)

    def _variants(self, settled: Settled, branches: list[Settled], pointer: str, ui: Any) -> FormField | None:
        tag = _tag(settled.schema, [branch.schema for branch in branches])
        if tag is None:
            return None
        variants: FormFields = []
        for branch in branches:
            for value, _ in scalar_fields.named(branch.schema["properties"][tag]):
                shape = self._members(branch, pointer, ui, without=tag)
                if shape is None or any(value == one["value"] for one in variants):
                    return None
                title = branch.schema.get("title")
                one: FormField = {
                    "value": value,
                    "label": title if isinstance(title, str) and title else readable(value),
                }
                if isinstance(branch.schema.get("description"), str):
                    one["description"] = branch.schema["description"]
                variants.append(one | {"fields": shape["fields"]})
        return {"kind": "union", "tag": tag, "variants": variants}


def _tag(schema: dict[str, Any], branches: list[dict[str, Any]]) -> str | None:
    """Return the member whose value tells which alternative an object is."""
    if not all(isinstance(branch.get("properties"), dict) for branch in branches):
        return None
    said = schema.get("discriminator")
    named = said.get("propertyName") if isinstance(said, dict) else None
    for name in [named] if isinstance(named, str) else branches[0]["properties"]:
        rules = [branch["properties"].get(name) for branch in branches]
        said_by = [
            [value for value, _ in scalar_fields.named(rule)] if isinstance(rule, dict) else [] for rule in rules
        ]
        values = [value for one in said_by for value in one]
        if all(said_by) and all(isinstance(value, str) for value in values) and len(set(values)) == len(values):
            return str(name)
    return None


# -- words ------------------------------------------------------------------------------------------------------------


def _label(name: str, schema: dict[str, Any]) -> str:
    title = schema.get("title")
    return title if isinstance(title, str) and title else readable(name) or "Answer"


def _hints(ui: Any, name: str) -> Any:
    return ui.get(name) if isinstance(ui, dict) else None
