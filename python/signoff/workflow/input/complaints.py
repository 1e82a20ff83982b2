"""Whether a value fits a JSON Schema, and what to tell people where it does not.

The library judges: its patterns are linear and its verdict on nested alternatives is bounded. Its own listing of errors
is exponential in nested alternatives, so complaints are found here by going down into what the library says does not
fit, into one alternative at most. Complaints are JSON Pointers (RFC 6901) with messages written for people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import jsonschema_rs as rules
import orjson

from signoff.pointers import escaped, unescaped
from signoff.workflow.input import attachment
from signoff.workflow.input.formats import CHECKS, KEYWORDS, NAMES
from signoff.workflow.input.messages import FITS_NOT, KINDS, NO_FILE, SINGLE, message, messages

MOST_COMPLAINTS = 50
MOST_LOOKS = 2_000
"""How many places that do not fit are looked at before the rest is left unsaid."""

_BACKTRACKS = 10_000
"""How often a pattern that cannot be matched in linear time may go back before it counts as not fitting."""

_HERE = "urn:signoff:form"
_FAULTY = "The form itself is faulty ({}); tell whoever wrote the workflow."
_ELSEWHERE = "The form refers to a schema that is not part of it; tell whoever wrote the workflow."


def complaints(schema: Mapping[str, Any] | bool, value: Any) -> list[dict[str, str]]:
    """Return what does not fit as `[{"pointer", "message"}]`, at most 50; empty if the value fits.

    References out of the schema are never fetched.

    Args:
        schema: JSON Schema 2020-12.
        value: plain JSON.

    Example:
        >>> complaints({"type": "object", "required": ["amount"]}, {})
        [{'pointer': '/amount', 'message': 'This is required.'}]
    """
    try:
        form = _form(orjson.dumps(schema))
        if form.fits("", value):
            return []
        found = _Complaints(form)
        found.look("", value, "")
    except (rules.ValidationError, rules.ReferencingError, ValueError) as error:
        return [{"pointer": "", "message": _fault(error)}]
    return [{"pointer": pointer, "message": message} for pointer, message in list(found.said)[:MOST_COMPLAINTS]]


def check_schema(schema: dict[str, Any]) -> None:
    """Refuse a schema that answers cannot be held to.

    Raises:
        TypeError: it is malformed, refers to other documents, or has a pattern that cannot be checked.
    """
    try:
        _form(orjson.dumps(schema)).fits("", None)
    except (rules.ValidationError, rules.ReferencingError, ValueError) as error:
        raise TypeError(f"Answers cannot be held to the schema of this type: {_line(error)}.") from error


def _fault(error: Exception) -> str:
    text = _line(error)
    return (
        _ELSEWHERE
        if isinstance(error, rules.ReferencingError) or "not present in a registry" in text
        else (_FAULTY.format(text))
    )


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0].rstrip(".")[:200]


class _Form:
    """A schema, with a validator for each of its parts that is looked at."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self._registry = rules.Registry([(_HERE, root)])
        self._validators: dict[str, Any] = {}
        self._singles: dict[bytes, Any] = {}

    def fits(self, place: str, value: Any) -> bool:
        """Tell whether a value fits the part of the schema at a JSON pointer."""
        found = self._validators.get(place)
        if found is None:
            schema = self.root if place == "" else {"$ref": f"{_HERE}#{_quoted(place)}"}
            found = self._validators[place] = self._compiled(schema)
        return bool(found.is_valid(value))

    def keeps(self, schema: dict[str, Any], value: Any) -> bool:
        """Tell whether a value keeps a rule that refers to nothing."""
        key = orjson.dumps(schema)
        found = self._singles.get(key)
        if found is None:
            found = self._singles[key] = self._compiled(schema)
        return bool(found.is_valid(value))

    def at(self, place: str) -> Any:
        """Return the part of the schema at a JSON pointer; False where there is none."""
        part = self.root
        for token in place.split("/")[1:]:
            name = unescaped(token)
            if isinstance(part, list) and name.isdigit() and int(name) < len(part):
                part = part[int(name)]
            elif isinstance(part, dict) and name in part:
                part = part[name]
            else:
                return False
        return part

    def _compiled(self, schema: Any) -> Any:
        try:
            return self._validator(schema, rules.RegexOptions())
        except (rules.ValidationError, ValueError) as error:
            if "regex" not in str(error):
                raise
        # A pattern that looks ahead or behind: matched by going back, up to a bound.
        return self._validator(schema, rules.FancyRegexOptions(backtrack_limit=_BACKTRACKS))

    def _validator(self, schema: Any, patterns: Any) -> Any:
        return rules.Draft202012Validator(
            schema,
            registry=self._registry,
            pattern_options=patterns,
            formats=CHECKS,
            validate_formats=True,
            keywords=KEYWORDS,
            offline=True,
        )


@lru_cache(maxsize=256)
def _form(schema: bytes) -> _Form:
    return _Form(orjson.loads(schema))


class _Complaints:
    """What is said about one value.

    Attributes:
        said: pairs of pointer and message, in order, each once.
    """

    def __init__(self, form: _Form) -> None:
        self.said: dict[tuple[str, str], None] = {}
        self._form = form
        self._looks = 0

    def look(self, place: str, value: Any, path: str) -> None:
        """Say what is wrong with a value that does not fit the part of the schema at `place`.

        Args:
            place: JSON pointer into the schema.
            value: what was sent there.
            path: JSON pointer to it.
        """
        self._looks += 1
        if self._looks > MOST_LOOKS or len(self.said) >= MOST_COMPLAINTS:
            return
        schema = self._form.at(place)
        before = len(self.said)
        if isinstance(schema, dict):
            self._look(schema, place, value, path)
        if len(self.said) == before:
            self._say(path, FITS_NOT)

    def _say(self, path: str, message: str) -> None:
        self.said[path, message] = None

    def _look(self, schema: dict[str, Any], place: str, value: Any, path: str) -> None:
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            self._inner(unquote(reference[1:]), value, path)
        for index in range(len(schema.get("allOf", ()))):
            self._inner(f"{place}/allOf/{index}", value, path)
        for rule in ("type", "enum", "const"):
            if rule in schema and not self._form.keeps({rule: schema[rule]}, value):
                self._say(path, message(rule, schema[rule]))
                return
        if schema.get("format") == attachment.FORMAT:
            # A person sees a file, not the members of what refers to it.
            for said in attachment.broken_limits(schema.get(attachment.KEYWORD), value) or [NO_FILE]:
                self._say(path, said)
            return
        for rule in ("anyOf", "oneOf"):
            if rule in schema and not self._chosen(schema, rule, place, value):
                self._alternatives(schema, rule, place, value, path)
        if isinstance(value, dict):
            self._members(schema, place, value, path)
        elif isinstance(value, list):
            self._items(schema, place, value, path)
        self._rules(schema, value, path)
        if "if" in schema:
            branch = "then" if self._form.fits(f"{place}/if", value) else "else"
            if branch in schema:
                self._inner(f"{place}/{branch}", value, path)

    def _inner(self, place: str, value: Any, path: str) -> None:
        if not self._form.fits(place, value):
            self.look(place, value, path)

    # -- objects and lists -----------------------------------------------------------------------------------------

    def _members(self, schema: dict[str, Any], place: str, value: dict[str, Any], path: str) -> None:
        for name in schema.get("required", ()):
            if name not in value:
                self._say(_under(path, name), "This is required.")
        spare = []
        for name, member in value.items():
            places = list(self._places(schema, place, name))
            for at in places:
                self._inner(at, member, _under(path, name))
            if not places:
                spare.append(name)
            if "propertyNames" in schema and not self._form.fits(f"{place}/propertyNames", name):
                self._say(_under(path, name), "This name does not have the expected form.")
        rule = schema.get(
            "additionalProperties", False if "unevaluatedProperties" in schema and not self.said else None
        )
        if rule is not None:
            self._spare(rule, f"{place}/additionalProperties", {name: value[name] for name in spare}, path)

    def _places(self, schema: dict[str, Any], place: str, name: str) -> Iterator[str]:
        """Yield where the schema says what a member of this name must be."""
        if name in schema.get("properties", {}):
            yield f"{place}/properties/{escaped(name)}"
        for pattern in schema.get("patternProperties", {}):
            if self._form.keeps({"pattern": pattern}, name):
                yield f"{place}/patternProperties/{escaped(pattern)}"

    def _spare(self, rule: Any, place: str, members: dict[str, Any], path: str) -> None:
        for name, member in members.items():
            if rule is False:
                self._say(_under(path, name), "This was not asked for.")
            else:
                self._inner(place, member, _under(path, name))
            if len(self.said) >= MOST_COMPLAINTS:
                return

    def _items(self, schema: dict[str, Any], place: str, value: list[Any], path: str) -> None:
        first = schema.get("prefixItems", [])
        for index, item in enumerate(value):
            if index < len(first):
                self._inner(f"{place}/prefixItems/{index}", item, f"{path}/{index}")
            elif "items" in schema:
                if schema["items"] is False:
                    self._say(f"{path}/{index}", "This was not asked for.")
                else:
                    self._inner(f"{place}/items", item, f"{path}/{index}")
            else:
                return
            if len(self.said) >= MOST_COMPLAINTS:
                return

    # -- alternatives ----------------------------------------------------------------------------------------------

    def _chosen(self, schema: dict[str, Any], rule: str, place: str, value: Any) -> bool:
        fitting = sum(self._form.fits(f"{place}/{rule}/{index}", value) for index in range(len(schema[rule])))
        return fitting == 1 if rule == "oneOf" else fitting > 0

    def _alternatives(self, schema: dict[str, Any], rule: str, place: str, value: Any, path: str) -> None:
        """Complain about the one alternative that was probably meant."""
        if isinstance(value, dict) and isinstance(schema.get("discriminator", {}).get("propertyName"), str):
            self._tagged(schema, self._branches(schema, rule, place), value, path)
            return
        branches = [(at, _kinds(self._resolved(at))) for at in self._branches(schema, rule, place)]
        meant = [at for at, kinds in branches if kinds != {"null"}]
        fitting = [at for at, kinds in branches if at in meant and _is_one_of(value, kinds)]
        if len(fitting) > 1 and isinstance(value, dict):
            fitting = [at for at in fitting if self._says_so(at, value)] or fitting
        if len(meant) == 1:
            self.look(meant[0], value, path)
        elif len(fitting) == 1:
            self.look(fitting[0], value, path)
        elif not fitting and all(kinds for at, kinds in branches if at in meant):
            named = {KINDS.get(kind, kind) for at, kinds in branches if at in meant for kind in kinds}
            self._say(path, f"This must be {' or '.join(sorted(named))}.")
        else:
            self._say(path, "This is none of the forms it may have.")

    def _tagged(self, schema: dict[str, Any], branches: list[str], value: dict[str, Any], path: str) -> None:
        tag = schema["discriminator"]["propertyName"]
        at = _under(path, tag)
        if tag not in value:
            self._say(at, "This is required.")
            return
        mapping = schema["discriminator"].get("mapping")
        known = mapping if isinstance(mapping, dict) else {}
        meant = known.get(str(value[tag]))
        if isinstance(meant, str) and meant.startswith("#"):
            self._inner(unquote(meant[1:]), value, path)
            return
        fitting = [one for one in branches if self._says_so(one, value)]
        if len(fitting) == 1:
            self.look(fitting[0], value, path)
        elif known:
            self._say(at, message("enum", list(known)))
        else:
            self._say(path, "This is none of the forms it may have.")

    def _branches(self, schema: dict[str, Any], rule: str, place: str) -> list[str]:
        return [f"{place}/{rule}/{index}" for index in range(len(schema[rule]))]

    def _resolved(self, place: str) -> Any:
        for _ in range(20):
            schema = self._form.at(place)
            reference = schema.get("$ref") if isinstance(schema, dict) else None
            if not (isinstance(reference, str) and reference.startswith("#")):
                return schema
            place = unquote(reference[1:])
        return {}

    def _says_so(self, place: str, value: dict[str, Any]) -> bool:
        """Tell whether an object names this alternative by members that can have one value only."""
        schema = self._resolved(place)
        properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
        named = {name: rule["const"] for name, rule in properties.items() if isinstance(rule, dict) and "const" in rule}
        return bool(named) and all(value.get(name, only) == only for name, only in named.items())

    # -- rules about one value -------------------------------------------------------------------------------------

    def _rules(self, schema: dict[str, Any], value: Any, path: str) -> None:
        format_ = schema.get("format")
        for rule, bound in schema.items():
            if rule in SINGLE and not self._form.keeps(_alone(rule, bound, format_), value):
                # A pattern beside a format is there to make it stricter; people know the format's name.
                named = rule == "pattern" and format_ in NAMES
                for message in messages("format", format_, value) if named else messages(rule, bound, value):
                    self._say(path, message)


def _alone(rule: str, bound: Any, format_: Any) -> dict[str, Any]:
    """Return a schema with one rule only; the bounds of a format mean nothing without it."""
    return {rule: bound, "format": format_} if rule.startswith("format") else {rule: bound}


def _kinds(schema: Any) -> set[str]:
    """Return the JSON types an alternative names; empty: it does not say."""
    found = schema.get("type", ()) if isinstance(schema, dict) else ()
    return {found} if isinstance(found, str) else set(found)


def _is_one_of(value: Any, kinds: set[str]) -> bool:
    return not kinds or any(_is_kind(value, kind) for kind in kinds)


def _is_kind(value: Any, kind: str) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "object":
            return isinstance(value, dict)
    return isinstance(value, list)


def _under(path: str, name: str) -> str:
    return f"{path}/{escaped(name)}"


def _quoted(pointer: str) -> str:
    """Return a JSON pointer as the fragment of a URI (RFC 6901, section 6)."""
    return re.sub(r"[^A-Za-z0-9/~_.$-]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), pointer)
