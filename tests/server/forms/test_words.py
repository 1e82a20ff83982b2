from __future__ import annotations

import re
from typing import Any

import pytest

from signoff.server.forms.words import table


def _elements(value: Any) -> list[str]:
    return re.findall(r"<(\w+)", table(value))


def test_rows_of_one_shape_are_a_table_with_columns() -> None:
    drawn = table([{"what": "Spade", "price": 40}, {"what": "Rake", "price": None}])
    assert '<tr><th scope="col">what</th><th scope="col">price</th></tr>' in drawn
    assert "<td>40</td>" in drawn
    assert "<td>—</td>" in drawn


@pytest.mark.parametrize(
    "value",
    [
        [{"a": 1}, {"b": 2}],
        [{"a": 1}, {"a": [1]}],
        [{"a": 1}, "b"],
        [{str(number): number for number in range(5)}],
        [{}],
    ],
)
def test_what_has_no_one_shape_is_shown_one_below_the_other(value: list[Any]) -> None:
    assert _elements(value)[:2] == ["ul", "li"]


def test_what_says_markup_is_text() -> None:
    assert _elements([{"<b>": "<i>"}, {"<b>": "<u>"}]) == [
        *("table", "thead", "tr", "th", "tbody"),
        *("tr", "td", "span", "tr", "td", "span"),
    ]
