"""A value whose declared type is known comes back as it is, or is refused before it is recorded."""

from __future__ import annotations

import enum
import ipaddress
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    Field,
    FutureDate,
    HttpUrl,
    PlainSerializer,
    PostgresDsn,
    PrivateAttr,
    RootModel,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
)
from pydantic.alias_generators import to_camel

from signoff import UnsupportedValue
from signoff.workflow.codec import check, decode, encode_as
from signoff.workflow.codec.comparing import Tolerance, difference
from signoff.workflow.codec.writing import MOST_PARTS

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = (0, 0, 255)


class Level(enum.StrEnum):
    LOW = "low"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Approved:
    by: str


@dataclass
class Rejected:
    by: str


@dataclass
class Order:
    id: int
    status: str = field(default="new", init=False)


@dataclass
class Sized:
    width: InitVar[int]
    area: int = field(init=False)

    def __post_init__(self, width: int) -> None:
        self.area = width * width
        self.unit = "m"


@dataclass(slots=True, kw_only=True, frozen=True)
class Point:
    x: float
    tags: list[str] = field(default_factory=list)


@pydantic.dataclasses.dataclass
class Aliased:
    x: int = Field(alias="theX")


class Base(BaseModel):
    id: int


class Premium(Base):
    discount: float


class Cat(BaseModel):
    name: str


class Dog(BaseModel):
    name: str


class Split(BaseModel):
    x: int = Field(validation_alias="inX", serialization_alias="outX")


class Choices(BaseModel):
    x: int = Field(validation_alias=AliasChoices("inX", AliasPath("deep", 0)))


class Camel(BaseModel, alias_generator=to_camel):
    first_name: str


class Swapped(BaseModel):
    a: int = Field(alias="b")
    b: int = Field(alias="a")


class Excluding(BaseModel):
    x: int = Field(3, exclude=True)


class Serialized(BaseModel):
    x: int
    y: Annotated[int, PlainSerializer(str, return_type=str)] = 1

    @field_serializer("x")
    def angle(self, x: int) -> str:
        return f"<{x}>"


class Whole(BaseModel):
    x: int

    @model_serializer
    def text(self) -> str:
        return "mine"


class Strict(BaseModel, strict=True):
    day: date
    colour: Colour
    parts: tuple[int, ...]
    amount: Decimal


class Counting(BaseModel):
    x: int

    @field_validator("x")
    @classmethod
    def more(cls, x: int) -> int:
        return x + 1


class Splitting(BaseModel):
    x: list[str]

    @field_validator("x", mode="before")
    @classmethod
    def split(cls, x: str) -> list[str]:
        return x.split(",")


class Numbers(RootModel[list[int]]):
    pass


class Private(BaseModel):
    a: int
    _seen: int = PrivateAttr(3)


class Open(BaseModel, extra="allow"):
    a: int


class Computed(BaseModel):
    a: int

    @computed_field
    def double(self) -> int:
        return self.a * 2


class Key(BaseModel, frozen=True):
    a: int


class Box(BaseModel, Generic[T]):
    item: T


class Due(BaseModel):
    day: FutureDate


class Login(BaseModel):
    user: str
    password: SecretStr


class Tree(BaseModel):
    name: str
    branches: list[Tree] = []


class Pair(NamedTuple):
    left: int
    right: Approved


class Loose(TypedDict, total=False):
    a: int


class Narrow(Loose):
    b: int
    c: NotRequired[Approved]


class Nested(TypedDict):
    rows: list[Narrow]


def came_back(value: Any, type_: Any) -> Any:
    """What is read from the journal's bytes."""
    return decode(orjson.loads(orjson.dumps(encode_as(value, type_))), type_)


def private(seen: int) -> Private:
    made = Private(a=1)
    made._seen = seen
    return made


def paid() -> Order:
    order = Order(1)
    order.status = "paid"
    return order


BERLIN = ZoneInfo("Europe/Berlin")
NAIVE = datetime.fromisoformat("2026-01-01")

SAME: list[tuple[Any, Any]] = [
    (Rejected("bob"), Approved | Rejected),
    ([Approved("ann"), Rejected("bob")], list[Approved | Rejected]),
    ({"pet": Dog(name="rex")}, dict[str, Cat | Dog]),
    (None, Cat | Dog | None),
    (Dog(name="rex"), Annotated[Cat | Dog, "pets"]),
    (Level.LOW, Level | str),
    ("low", Level | str),
    (paid(), Order),
    (Sized(3), Sized),
    (Point(x=1, tags=["a"]), Point),
    (Aliased(theX=1), Aliased),
    (Premium(id=1, discount=0.5), Base),
    ([Premium(id=1, discount=0.5), Base(id=2)], list[Base]),
    (Split.model_validate({"inX": 1}), Split),
    (Choices.model_validate({"inX": 1}), Choices),
    (Camel.model_validate({"firstName": "a"}), Camel),
    (Swapped(a=1, b=2), Swapped),
    (Excluding(x=5), Excluding),
    (Serialized(x=1), Serialized),
    (Whole(x=1), Whole),
    (Strict(day=date(2026, 1, 2), colour=Colour.RED, parts=(1,), amount=Decimal("1.10")), Strict),
    (Counting(x=1), Counting),
    (Splitting.model_validate({"x": "a,b"}), list[Splitting] | Splitting),
    (Numbers([1]), Numbers),
    ({"n": Numbers([1])}, dict[str, Numbers]),
    (private(3), Private),
    (private(9), Private),
    (Open.model_validate({"a": 1, "z": Decimal(2)}), Open),
    (Computed(a=1), Computed),
    (Box[int](item=1), Box[int]),
    (Box(item=1), Box[int]),
    (Box[list[Cat]](item=[Cat(name="tom")]), Box[list[Cat]]),
    ({Key(a=1)}, set[Key]),
    ({Key(a=1): 2}, dict[Key, int]),
    (Due(day=date(2999, 1, 1)), Due),
    (Tree(name="a", branches=[Tree(name="b")]), Tree),
    (Cat.model_construct(name=5), Cat),
    (Pair(1, Approved("ann")), Pair),
    ([Pair(1, Approved("ann"))], list[Pair]),
    ([{"a": 1}, {}], list[Loose]),
    ({"b": 1}, Narrow),
    ({"rows": [{"b": 1, "c": Approved("ann")}]}, Nested),
    (Colour.BLUE, Colour),
    (Colour.RED, Literal[Colour.RED]),
    ({Colour.RED: 1}, dict[Colour, int]),
    (Rights.READ | Rights.WRITE, Rights),
    (Rights(0), Rights),
    (3, float),
    (-0.0, float),
    (True, int),
    ([1, 2.0, True], list[float]),
    ({True: 1}, dict[bool, int]),
    (2**70, int),
    ({"name": "tom"}, Cat | dict[str, Any]),
    ({"name": "tom"}, dict[str, Any] | Cat),
    (Cat(name="tom"), Cat | dict[str, Any]),
    ([Splitting.model_validate({"x": "a,b"})], list[Annotated[Splitting, AfterValidator(str)]]),
    (Decimal("NaN"), Decimal),
    (Decimal("-Infinity"), Decimal),
    (Decimal("-0.00"), Decimal),
    (datetime(2026, 10, 24, 9, tzinfo=BERLIN), datetime),
    (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), datetime),
    (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), Any),
    (NAIVE.replace(fold=1), Any),
    (datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30, seconds=7))), datetime),
    (datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")), datetime),
    (datetime(2026, 1, 1, tzinfo=UTC), datetime),
    (NAIVE, date),
    (time(1, 2, tzinfo=BERLIN), time),
    (timedelta.max, timedelta),
    ([1, 2], Iterable[int]),
    ((1, 2), Iterable[int]),
    ([1, 2], Iterator[int]),
    ([Decimal("NaN")], list[Decimal]),
    ([1, 2], Sequence[int]),
    ({"a": 1}, Mapping[str, int]),
    (HttpUrl("http://example.com/a?b=c"), HttpUrl),
    (PostgresDsn("postgres://u:p@h/db"), PostgresDsn),
    (Path("/a"), Path),
    (ipaddress.ip_address("10.0.0.1"), ipaddress.IPv4Address),
    (ipaddress.ip_interface("::1/64"), ipaddress.IPv6Interface),
    (deque([1], maxlen=3), deque[int]),
    (SecretStr("hush"), SecretStr),
    (SecretBytes(b"hush"), SecretBytes),
    (Login(user="a", password=SecretStr("hush")), Login),
    (pydantic.Secret[date](date(2026, 1, 1)), pydantic.Secret[date]),
    (re.compile("a+", re.IGNORECASE), re.Pattern),
    (re.compile(b"a"), re.Pattern[bytes]),
    (complex(0.0, -0.0), complex),
    (Fraction(1, 3), Fraction),
    (bytearray(b"a"), bytearray),
    (bytearray(b"a"), Any),
    (b"a", bytes | str),
    (Counter("aab"), Counter[str]),
    (defaultdict(list, a=[1]), defaultdict[str, list[int]]),
    (OrderedDict(a=1), OrderedDict[str, int]),
    (UUID(int=5), UUID),
]


@pytest.mark.parametrize(("value", "type_"), SAME)
def test_what_was_returned_comes_back(value: Any, type_: Any) -> None:
    found = came_back(value, type_)
    assert difference(value, found) is None
    assert type(found) is type(value)
    assert repr(found) == repr(value)


REFUSED: list[tuple[Any, Any, str]] = [
    ({"a": 1}, None.__class__, "Input should be None at $."),
    ("3", int, "valid integer at $."),
    ({"n": ["3"]}, dict[str, list[int]], "valid integer at $.n[0]."),
    ((1, 2), list[int], "valid list at $."),
    ([1], tuple[int, ...], "valid tuple at $."),
    (1, bool, "valid boolean"),
    ({"name": "tom"}, Cat, "instance of Cat at $."),
    ({"by": "ann"}, Approved, "instance of Approved at $."),
    ({"a": 1, "z": 2}, Loose, "the member 'z' would not come back at $."),
    (Cat.model_construct(), Cat, "lacks 'name'"),
    ({"cat": Cat(name="tom")}, dict[str, Any], "Cat is no part of the declared type dict[str, typing.Any]"),
    (Cat(name="tom"), BaseModel, "Cat is no part of"),
    (Cat(name="tom"), None, "Cat would come back as its mere members (declare its type"),
    ([Colour.RED], Any, "Colour would come back as its mere members"),
    (Pair(1, Approved("a")), Any, "Pair would come back as its mere members"),
    ((number for number in [1]), Iterator[int], "generator can be read only once (return a list) at $."),
    ({"a": iter([1])}, Any, "read only once (return a list) at $.a."),
    (1.234, Annotated[float, AfterValidator(lambda number: round(number, 2))], "would come back as another one"),
    (object(), object, "builtins.object has no JSON form at $."),
]


@pytest.mark.parametrize(("value", "type_", "why"), REFUSED)
def test_what_would_come_back_as_something_else_is_refused_by_name(value: Any, type_: Any, why: str) -> None:
    with pytest.raises(UnsupportedValue) as refused:
        encode_as(value, type_)
    assert why in refused.value.detail


def test_a_subclass_of_another_module_is_refused() -> None:
    class Elsewhere(Base):
        more: int = 1

    with pytest.raises(UnsupportedValue, match=r"Elsewhere is no part of .*Base\].* at \$\[1\]"):
        encode_as([Base(id=1), Elsewhere(id=2)], list[Base])


def test_classes_that_nothing_tells_apart_are_refused() -> None:
    def make() -> Any:
        @dataclass
        class Twin:
            x: int

        return Twin

    one, other = make(), make()
    with pytest.raises(UnsupportedValue, match="Twin is no part of"):
        encode_as(other(1), one | other)


class Words(str):
    __slots__ = ()


class Gauge(float):
    unit = "m"


@pytest.mark.parametrize(
    ("value", "type_", "plain"),
    [
        (Words("a"), str, "a"),
        (Gauge(1.5), float, 1.5),
        ({"a": Gauge(1.5)}, dict[str, float], {"a": 1.5}),
        (Level.LOW, str, "low"),
        (Level.LOW, Any, "low"),
        (Counter("aab"), dict[str, int], {"a": 2, "b": 1}),
        (OrderedDict(a=Words("b")), Any, {"a": "b"}),
    ],
)
def test_a_value_of_a_subclass_comes_back_as_its_built_in_equal(value: Any, type_: Any, plain: Any) -> None:
    found = came_back(value, type_)
    assert found == plain == value
    assert type(found) is type(plain)
    assert difference(value, found, Tolerance.SUBCLASSES) is None


class Nanoseconds(timedelta):
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = timedelta.__hash__


@pytest.mark.parametrize("type_", [Any, timedelta])
def test_a_value_of_a_subclass_that_is_more_than_its_base_is_refused(type_: Any) -> None:
    with pytest.raises(UnsupportedValue, match=r"Nanoseconds is more than its timedelta at \$"):
        encode_as(Nanoseconds(1), type_)


# -- code of the user's ------------------------------------------------------------------------------------------------


class Endless(list[int]):
    def __iter__(self) -> Any:
        while True:
            yield 1


@dataclass
class Odd:
    a: int = 1

    def __getattribute__(self, name: str) -> Any:
        if name == "a":
            raise RuntimeError("hush")
        return object.__getattribute__(self, name)


def test_iteration_of_the_users_own_is_not_waited_for() -> None:
    assert came_back(Endless([1, 2]), list[int]) == [1, 2]


def test_a_member_that_raises_is_refused_and_its_words_are_not_repeated() -> None:
    odd = Odd()
    for type_ in (Odd, Any, list[Odd]):
        with pytest.raises(UnsupportedValue) as refused:
            encode_as([odd], type_)
        assert "hush" not in refused.value.detail
    with pytest.raises(UnsupportedValue, match=r"Odd raised builtins.RuntimeError when it was read at \$\[0\]"):
        encode_as([odd], list[Odd])


def test_a_value_that_contains_itself_is_refused_whatever_its_width() -> None:
    wide: list[Any] = []
    wide += [wide, wide]
    tree = Tree(name="a")
    tree.branches += [tree, tree]
    for value, type_ in ((wide, Any), (wide, list[Any]), (tree, Tree)):
        with pytest.raises(UnsupportedValue, match="contains itself"):
            encode_as(value, type_)


def test_a_small_value_that_would_be_written_large_is_refused() -> None:
    bomb: list[Any] = []
    for _ in range(60):
        bomb = [bomb, bomb]
    with pytest.raises(UnsupportedValue, match=f"more than {MOST_PARTS:,} parts"):
        encode_as(bomb)


def test_time_zones_that_cannot_be_named_are_refused() -> None:
    class Local(timezone.__base__):  # type: ignore[name-defined,misc]
        def utcoffset(self, at: datetime | None) -> timedelta | None:
            return None if at is None else timedelta(hours=1)

        def dst(self, at: datetime | None) -> None: ...

    with pytest.raises(UnsupportedValue, match=r"time zone is a .*Local, which cannot be kept .* at \$\[0\]"):
        encode_as([datetime(2026, 1, 1, tzinfo=Local())], list[datetime])


def test_no_secret_is_in_a_refusal() -> None:
    login = Login(user="a", password=SecretStr("hush"))
    for value, type_ in ((login, Any), (login, Cat), ({"x": SecretStr("hush")}, dict[str, str]), (login, list[Login])):
        with pytest.raises(UnsupportedValue) as refused:
            encode_as(value, type_)
        assert "hush" not in f"{refused.value.detail} {refused.value.extra} {refused.value.__cause__}"


# -- what was written before -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoded", "type_", "value"),
    [
        ({"inX": 1}, Choices, Choices.model_validate({"inX": 1})),
        ({"firstName": "a"}, Camel, Camel.model_validate({"firstName": "a"})),
        ({"theX": 1}, Aliased, Aliased(theX=1)),
        ({"a": 1, "b": 2}, Swapped, Swapped(b=2, a=1)),
        ("red", Colour, Colour.RED),
        ({"by": "ann"}, Approved | Rejected, Approved("ann")),
        (
            {"$signoff": "datetime", "v": "2026-01-01T00:00:00+01:00"},
            datetime,
            datetime.fromisoformat("2026-01-01T00:00+01"),
        ),
        ("3", int, 3),
        ([1, 2], Iterable[int], [1, 2]),
    ],
)
def test_what_earlier_releases_wrote_is_read_as_they_read_it(encoded: Any, type_: Any, value: Any) -> None:
    found = decode(encoded, type_)
    assert found == value
    assert type(found) is type(value)


def test_a_class_that_is_gone_is_told_by_name() -> None:
    written = encode_as(Rejected("bob"), Approved | Rejected)
    with pytest.raises(UnsupportedValue, match="has a Rejected, and the declared type knows no such class"):
        decode(written, Approved | Cat)


def test_a_class_outside_the_declared_type_is_never_looked_up() -> None:
    for name in ("Path", "tests.workflow.codec.test_recording.Path", "os.system", "Cat", "MOST_PARTS"):
        with pytest.raises(UnsupportedValue, match="knows no such class"):
            decode({"$signoff": "exact", "v": {"$signoff": "object", "class": name, "v": {}}}, Approved | Rejected)


def test_a_member_added_since_has_its_default() -> None:
    @dataclass
    class Now:
        by: str
        why: str = "none"
        tags: list[str] = field(default_factory=list)

    Now.__qualname__ = "Rejected"
    written = encode_as(Rejected("bob"), Approved | Rejected)
    assert decode(written, Approved | Now) == Now("bob")

    @dataclass
    class Needing:
        by: str
        why: str

    Needing.__qualname__ = "Rejected"
    with pytest.raises(UnsupportedValue, match="lacks 'why', which has no default"):
        decode(written, Approved | Needing)


# -- any value of any type -------------------------------------------------------------------------------------------

numbers = st.integers(-(2**70), 2**70)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
zones = st.sampled_from([None, UTC, BERLIN, ZoneInfo("America/New_York"), timezone(timedelta(hours=-3, minutes=-30))])
plain_kinds: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, numbers),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (bool, st.booleans()),
    (str, texts),
    (bytes, st.binary(max_size=5)),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (date, st.dates()),
    (
        datetime,
        st.tuples(st.datetimes(), zones, st.integers(0, 1)).map(lambda at: at[0].replace(tzinfo=at[1], fold=at[2])),
    ),
    (timedelta, st.timedeltas()),
    (UUID, st.uuids()),
    (Fraction, st.fractions()),
    (ipaddress.IPv4Address, st.ip_addresses(v=4)),
    (Colour, st.sampled_from(Colour)),
    (Rights, st.sampled_from([Rights(0), Rights.READ, Rights.READ | Rights.WRITE])),
    (Level, st.just(Level.LOW)),
    (Key, st.builds(Key, a=numbers)),
    (Point, st.builds(Point, x=numbers, tags=st.lists(texts, max_size=2))),
    (SecretStr, texts.map(SecretStr)),
]
record_kinds: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (Approved, st.builds(Approved, texts)),
    (Rejected, st.builds(Rejected, texts)),
    (Cat, st.builds(Cat, name=texts)),
    (Dog, st.builds(Dog, name=texts)),
    (Base, st.builds(Base, id=numbers) | st.builds(Premium, id=numbers, discount=st.floats(0, 1))),
    (Order, st.builds(paid)),
    (Camel, st.builds(lambda name: Camel.model_validate({"firstName": name}), texts)),
    (Open, st.builds(lambda a, z: Open.model_validate({"a": a, "z": z}), numbers, texts)),
    (Private, st.builds(private, numbers)),
    (Pair, st.builds(Pair, numbers, st.builds(Approved, texts))),
    (Narrow, st.fixed_dictionaries({"b": numbers}, optional={"a": numbers})),
]
Kind = tuple[Any, st.SearchStrategy[Any]]
TEXT: Kind = (str, texts)


def of(generic: Any, *inner: Kind) -> Any:
    return generic[tuple(kind[0] for kind in inner)]


def either(one: Kind, other: Kind) -> Kind:
    return one[0] | other[0] | None, st.one_of(st.none(), one[1], other[1])


def composed(inner: st.SearchStrategy[Kind]) -> st.SearchStrategy[Kind]:
    return st.one_of(
        inner.map(lambda kind: (of(list, kind), st.lists(kind[1], max_size=3))),
        inner.map(lambda kind: (of(dict, TEXT, kind), st.dictionaries(texts, kind[1], max_size=3))),
        inner.map(lambda kind: (of(deque, kind), st.lists(kind[1], max_size=3).map(deque))),
        st.builds(lambda one, other: (of(tuple, one, other), st.tuples(one[1], other[1])), inner, inner),
        st.builds(either, inner, inner),
    )


kinds: st.SearchStrategy[Kind] = st.recursive(st.sampled_from(plain_kinds + record_kinds), composed, max_leaves=4)


@given(kinds, st.data())
def test_any_value_of_a_declared_type_comes_back(kind: Kind, data: st.DataObject) -> None:
    type_, values = kind
    value = data.draw(values)
    found = came_back(value, type_)
    assert difference(value, found) is None
    assert repr(found) == repr(value)


@given(kinds, kinds, st.data())
def test_any_value_of_any_type_comes_back_or_is_refused(kind: Kind, declared: Kind, data: st.DataObject) -> None:
    value = data.draw(kind[1])
    try:
        encoded = encode_as(value, declared[0])
    except UnsupportedValue:
        return
    found = decode(orjson.loads(orjson.dumps(encoded)), declared[0])
    assert difference(value, found, Tolerance.SUBCLASSES) is None
    assert found == value


def test_what_is_equal_and_not_the_same_is_told() -> None:
    for before, after in (
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        (Decimal("1.0"), Decimal("1.00")),
        ({1}, {True}),
        ([1], (1,)),
        ({"a": 1}, {"a": True}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (Level.LOW, "low"),
        (datetime(2026, 1, 1, tzinfo=BERLIN), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
        (NAIVE, NAIVE.replace(fold=1)),
        (deque([1]), deque([1], maxlen=1)),
        (Premium(id=1, discount=1), Base(id=1)),
        (private(1), private(2)),
        (re.compile("a"), re.compile("a", re.IGNORECASE)),
        (SecretStr("a"), SecretStr("b")),
    ):
        told = difference(before, after)
        assert told is not None
        assert " at $" in told


def test_members_out_of_the_declared_order_stay_where_they_are() -> None:
    assert list(came_back({"b": 1, "a": 2}, Narrow)) == ["b", "a"]


@dataclass
class Unresolved:
    what: Nowhere  # type: ignore[name-defined]  # noqa: F821 - that is the point


class Half(BaseModel):
    what: Nowhere  # type: ignore[name-defined]  # noqa: F821 - that is the point


@pytest.mark.parametrize("type_", [Unresolved, list[Unresolved], Half, dict[str, Half], "Nowhere"])
def test_a_type_that_names_what_cannot_be_found_is_refused_before_it_is_needed(type_: Any) -> None:
    with pytest.raises(TypeError, match="cannot be read"):
        check(type_)
    with pytest.raises(UnsupportedValue, match="cannot be read"):
        encode_as({"what": 1}, type_)
