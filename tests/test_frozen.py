from __future__ import annotations

from dataclasses import asdict, field, replace

import pytest

from signoff.frozen import frozen


@frozen
class Point:
    x: int
    y: int = 0


@frozen
class Named(Point):
    name: str = ""
    tags: list[str] = field(default_factory=list)


def test_a_value_is_what_its_members_are() -> None:
    assert Point(1) == Point(1, 0) != Point(1, 1)
    assert {Point(1): "here"}[Point(x=1, y=0)] == "here"
    assert Point(1) != Named(1)
    assert replace(Named(1, name="a"), y=2) == Named(1, 2, "a")
    assert asdict(Named(1, 2, "a", ["b"])) == {"x": 1, "y": 2, "name": "a", "tags": ["b"]}
    assert repr(Point(1)) == "Point(x=1, y=0)"


def test_a_value_has_no_other_members() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 2  # type: ignore[attr-defined]


def test_the_type_checker_refuses_to_set_a_member() -> None:
    point = Point(1)
    point.x = 2  # type: ignore[misc]  # mypy is told of what it ignores in vain, so this line says that it minds
    assert point == Point(2), "and it does so alone: nothing refuses it here"
