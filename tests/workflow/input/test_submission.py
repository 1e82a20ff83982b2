from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff import InvalidAnswer
from signoff.errors import BadRequest, Stale
from signoff.streams import offset
from signoff.timestamps import rfc3339
from signoff.workflow.input.decide import Accept, decide_answer
from signoff.workflow.input.submission import AnswerRequest, parse_answer
from tests.workflow.input.requests import ALICE, pending

BODY = {"submission_id": "s1", "action": "approve", "value": None, "seen_offset": offset.encode(5)}


def test_a_body_is_read() -> None:
    assert parse_answer(BODY) == AnswerRequest("s1", "approve", None, offset.encode(5))
    assert parse_answer(BODY | {"seen_offset": "-1"}).seen_offset == "-1"
    assert parse_answer(BODY | {"asked_at": rfc3339(0)}).asked_at == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (None, "object"),
        ([], "object"),
        ("x", "object"),
        *[({name: value for name, value in BODY.items() if name != left}, left) for left in BODY],
        (BODY | {"spare": 1}, "spare"),
        (BODY | {"submission_id": 3}, "submission_id"),
        (BODY | {"submission_id": ""}, "submission_id"),
        (BODY | {"submission_id": "x" * 129}, "submission_id"),
        (BODY | {"submission_id": "a\nb"}, "submission_id"),
        (BODY | {"submission_id": "é"}, "submission_id"),
        (BODY | {"action": None}, "action"),
        (BODY | {"action": ""}, "action"),
        (BODY | {"action": "a\x00"}, "action"),
        (BODY | {"action": "x" * 200}, "action"),
        (BODY | {"seen_offset": 5}, "seen_offset"),
        (BODY | {"seen_offset": "now"}, "seen_offset"),
        (BODY | {"seen_offset": "5"}, "seen_offset"),
        (BODY | {"seen_offset": "\u0660" * 16}, "seen_offset"),
        (BODY | {"asked_at": None}, "asked_at"),
        (BODY | {"asked_at": 0}, "asked_at"),
        (BODY | {"asked_at": "1970-01-01T00:00:00Z"}, "asked_at"),
        (BODY | {"asked_at": "1970-01-01T00:00:00.000Z\n"}, "asked_at"),
        (BODY | {"value": orjson.loads("[" * 70 + "]" * 70)}, "value"),
        (BODY | {"value": orjson.loads('{"a":' * 70 + "1" + "}" * 70)}, "value"),
    ],
)
def test_what_is_wrong_with_a_body_is_named(body: Any, member: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_answer(body)
    assert member in str(refused.value)


def test_values_may_be_nested_within_reason() -> None:
    value = orjson.loads("[" * 60 + "]" * 60)
    assert parse_answer(BODY | {"value": value}).value == value


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text() | st.sampled_from(list(BODY)), inner)),
    max_leaves=10,
)


@given(st.one_of(anything, st.fixed_dictionaries(dict.fromkeys(BODY, anything))))
def test_any_json_is_either_read_or_refused(body: Any) -> None:
    try:
        read = parse_answer(body)
    except BadRequest:
        return
    assert read.submission_id.isascii()
    with suppress(Stale, InvalidAnswer):
        assert decide_answer(pending(), read, ALICE, 2_000) == Accept()
