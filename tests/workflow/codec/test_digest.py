from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from signoff.workflow.codec import digest

text = st.text(st.characters(exclude_categories=["Cs"]))
json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
)


def test_the_digest_does_not_depend_on_the_order_of_members() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert digest({"a": 2**70}) == digest({"a": 2**70})
    assert len(digest(None)) == 64


@given(json)
def test_an_integer_beyond_64_bits_changes_nothing_about_what_stands_beside_it(value: Any) -> None:
    canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    assert digest([2**64, value]) == sha256(b"[18446744073709551616," + canonical + b"]").hexdigest()


def test_a_value_may_be_nested_deeper_than_the_fast_writer_goes() -> None:
    value: list[Any] = [1.0]
    for _ in range(299):
        value = [value]
    assert digest(value) == sha256(b"[" * 300 + b"1.0" + b"]" * 300).hexdigest()
