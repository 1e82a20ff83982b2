from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    HttpUrl,
    Json,
    PastDate,
    PlainValidator,
    StrictInt,
    WrapValidator,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

from signoff.workflow.validation.types import code_judges


class Colour(Enum):
    RED = "red"


class Plain(BaseModel):
    name: str = Field(min_length=1, pattern="^a")
    amount: Annotated[Decimal, Field(gt=0, decimal_places=2)]
    when: datetime | None = None
    colour: Colour = Colour.RED
    tags: list[str] = Field(default_factory=list, max_length=3)


class Named(TypedDict):
    name: str


@dataclass
class Point:
    x: int


class Checked(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        return name


class Whole(BaseModel):
    name: str

    @model_validator(mode="after")
    def fits(self) -> Whole:
        return self


class Counted(BaseModel):
    name: str

    def model_post_init(self, context: Any, /) -> None:
        assert self.name


@dataclass
class Sorted:
    x: int

    def __post_init__(self) -> None:
        assert self.x > 0


def same(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    "type_",
    [None, Any, str, int, bool, Plain, list[Plain], Point, Named, Colour, Literal["a"], Plain | int, UUID, date,
     IPv4Address, HttpUrl, dict[str, Plain], tuple[int, str], Annotated[int, Field(ge=3, multiple_of=2)]],
)  # fmt: skip
def test_what_the_schema_says_whole_needs_no_worker(type_: Any) -> None:
    assert not code_judges(type_)


@pytest.mark.parametrize(
    "type_",
    [Checked, Whole, Counted, Sorted, list[Checked], dict[str, Whole], Checked | int, PastDate, StrictInt, Json[int],
     Annotated[str, AfterValidator(same)], Annotated[str, BeforeValidator(same)], Annotated[str, PlainValidator(same)],
     Annotated[str, WrapValidator(lambda value, handler: handler(value))],
     Annotated[Plain, AfterValidator(same)]],
)  # fmt: skip
def test_what_only_its_code_knows_is_judged_by_it(type_: Any) -> None:
    assert code_judges(type_)
