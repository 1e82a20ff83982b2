"""What `protocol/vectors/forms.json` is made from: types and schemas, and why each is there.

    .venv/bin/python -m tests.protocol.forms        write the file anew

The schemas are in the file as pydantic wrote them then; the test reads them from there.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import MultipleOf
from pydantic import AwareDatetime, BaseModel, Field, NaiveDatetime, SecretStr

from signoff import Attachment, AttachmentLimits
from signoff.workflow.input.form import form_of
from signoff.workflow.input.schema import schema_of
from tests.protocol.material import PROTOCOL

ABOUT = [
    "Schemas of answers and their forms (section 5.6).",
    "`form` is what the row carries beside `schema`, with the hints `ui` of the request; null: it takes nothing.",
]


Scan = Annotated[Attachment, AttachmentLimits(max_bytes=5 << 20, types=("image/*", "application/pdf"))]


class Attachments(BaseModel):
    receipt: Scan = Field(description="What the shop gave you.")
    others: list[Scan] = Field(default=[], max_length=3)
    any_file: Attachment | None = None


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Card(BaseModel):
    """A card of a bank."""

    by: Literal["card"]
    number: str = Field(min_length=12, max_length=19)


class Cash(BaseModel):
    by: Literal["cash"]
    amount: Decimal


class Address(BaseModel):
    street: str
    zip_code: str = Field(pattern="^[0-9]{5}$", description="Five digits.")


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Plain(BaseModel):
    title: str = Field(min_length=1, max_length=80, description="What it is about.")
    count: int = Field(gt=0, le=10)
    ratio: float = Field(0.5, ge=0, lt=1, multiple_of=0.25)
    weight: float = Field(gt=0)
    note: str = Field("", max_length=500)
    mail: str = Field(json_schema_extra={"format": "email"})
    token: SecretStr


class Optionals(BaseModel):
    age: int | None = None
    must_say: int | None
    default_of_five: int | None = 5
    address: Address | None = None
    sure: bool | None = None


class Money(BaseModel):
    amount: Decimal = Field(gt=0, lt=1_000_000, max_digits=8, decimal_places=2)
    rate: Decimal | None = Field(None, ge=0, le=Decimal("1.5"))
    step: Annotated[Decimal, MultipleOf(Decimal("0.05"))] = Decimal("0.10")


class Times(BaseModel):
    day: date = Field(ge=date(2026, 1, 1))
    at: datetime = Field(le=datetime(2030, 1, 1, tzinfo=UTC))
    aware: AwareDatetime
    naive: NaiveDatetime
    clock: time = time(9, 30)
    lasts: timedelta
    between: date = Field(gt=date(2026, 1, 1), lt=date(2027, 1, 1))


class Choices(BaseModel):
    colour: Colour
    maybe: Colour | None = None
    level: Literal[1, 2, 3] = 1
    country: Literal["at", "be", "ch", "de", "es", "fr"]
    approved: bool
    urgent: bool = False
    accepted: Literal[True]
    version: Literal["v2"] = "v2"
    only: Literal["one"] | None = None


class Payment(BaseModel):
    pay: Annotated[Card | Cash, Field(discriminator="by")]
    tip: Card | Cash | None = None


class Line(NamedTuple):
    what: str
    price: Decimal


class Rows(BaseModel):
    lines: list[Line] = Field(min_length=1, max_length=20)
    pair: tuple[int, str]
    colours: set[Colour] = set()
    maybe: list[int | None] = []
    prices: dict[str, Decimal]
    by_colour: dict[Colour, Address] = {}
    codes: dict[Annotated[str, Field(pattern="^[a-z]+$")], int] = Field({}, min_length=0, max_length=3)


class Rest(BaseModel):
    anything: Any
    either: int | str
    open: dict[str, Any] = {}
    tree: Node


class Case(NamedTuple):
    name: str
    why: str
    type: Any = None
    schema: Any = None
    ui: dict[str, Any] | None = None


CASES = (
    Case("texts and numbers", "What a browser can check is carried; more than 0 whole is at least 1.", Plain),
    Case(
        "optional members", "Optional is not required, without an option null; what null stands for is sent.", Optionals
    ),
    Case("decimals", "A number or a text in the schema is one field, whose bounds are texts.", Money),
    Case("dates and times", "Dates and times have native inputs; a length of time has none.", Times),
    Case("choices", "Few are radios, many a select; consent is asked for, another constant is not.", Choices),
    Case("unions", "A select of what the tag may be, each with its own fields, said by the schema or found.", Payment),
    Case("rows", "Lists and maps are rows of one kind, tuples have a field for each item.", Rows),
    Case("what the list cannot say", "It is written as JSON, with its schema; so is what contains itself.", Rest),
    Case(
        "a hint",
        "The hints of the request make a text long, in rows too.",
        ui={"note": {"ui:widget": "textarea"}, "lines": {"items": {"what": {"ui:widget": "textarea"}}}},
        schema={
            "type": "object",
            "properties": {
                "note": {"type": "string"},
                "lines": {"type": "array", "items": {"type": "object", "properties": {"what": {"type": "string"}}}},
            },
        },
    ),
    Case(
        "a long text",
        "A text of a kind of its own has several lines.",
        schema={"type": "object", "properties": {"body": {"type": "string", "contentMediaType": "text/markdown"}}},
    ),
    Case("one text", "What is no object is one field, whose name and pointer are empty.", str),
    Case("an optional number", "Left blank, null is sent.", int | None),
    Case("one choice", "The whole value may be chosen.", Colour),
    Case("a list", "Rows may be the whole value.", list[Address]),
    Case("one of several forms", "So may a union.", Annotated[Card | Cash, Field(discriminator="by")]),
    Case("nothing", "There is nothing to fill in, and null is the value.", type(None)),
    Case(
        "no members",
        "There is nothing to fill in, and an empty object is the value.",
        schema={"type": "object", "properties": {}, "additionalProperties": False},
    ),
    Case("anything", "A schema without rules takes any JSON.", Any),
    Case(
        "named options",
        "Constants may have titles.",
        schema={"oneOf": [{"const": 1, "title": "Low"}, {"const": 2, "title": "High"}]},
    ),
    Case(
        "names of any kind",
        "Pointers are escaped, names are not; labels are made of names.",
        schema={
            "type": "object",
            "properties": {"a/b~c": {"type": "string"}, "due_date": {"type": "string", "format": "date"}},
            "required": ["due_date"],
        },
    ),
    Case(
        "narrowed",
        "What a part must not be is left to the server; what it is, too, is JSON.",
        schema={
            "type": "object",
            "properties": {
                "name": {"type": "string", "allOf": [{"pattern": "x"}, {"minLength": 3}]},
                "both": {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]},
            },
        },
    ),
    Case(
        "references that lead nowhere",
        "A schema nobody can follow is still no error.",
        schema={
            "type": "object",
            "properties": {
                "gone": {"$ref": "#/$defs/Gone"},
                "far": {"$ref": "https://example.org/schema"},
                "self": {"$ref": "#"},
            },
        },
    ),
    Case(
        "far too many members",
        "A form has 300 fields at most.",
        schema={
            "$defs": {
                "Ten": {"type": "object", "properties": {f"m{n}": {"type": "string"} for n in range(20)}},
            },
            "type": "object",
            "properties": {f"p{n}": {"$ref": "#/$defs/Ten"} for n in range(20)},
        },
    ),
    Case(
        "attachments",
        "A file has a kind of its own, with what it may be; several are a list of it.",
        Attachments,
    ),
)


def written() -> str:
    """Return the file as it is made today."""
    cases = []
    for case in CASES:
        schema = schema_of(case.type) if case.schema is None else case.schema
        hints = {} if case.ui is None else {"ui": case.ui}
        cases.append({"name": case.name, "why": case.why, "schema": schema, **hints, "form": form_of(schema, case.ui)})
    lines = [_case(case) for case in cases]
    about = ",\n".join(f"  {json.dumps(line)}" for line in ABOUT)
    return '{\n "about": [\n' + about + '\n ],\n "cases": [\n' + ",\n".join(lines) + "\n ]\n}\n"


def _case(case: dict[str, Any]) -> str:
    """Write a case with one field a line."""
    members = []
    for name, value in case.items():
        if name == "form" and value:
            fields = ",\n".join(f"    {json.dumps(field)}" for field in value)
            members.append(f'   "form": [\n{fields}\n   ]')
        else:
            members.append(f"   {json.dumps(name)}: {json.dumps(value)}")
    return "  {\n" + ",\n".join(members) + "\n  }"


if __name__ == "__main__":
    (PROTOCOL / "vectors" / "forms.json").write_text(written())
