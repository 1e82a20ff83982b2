"""The one grammar of names, keys, principals and paths: as the vectors say, and each part of it fits the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff import names
from signoff.errors import BadRequest, InvalidName
from signoff.server.access.identity import Identity
from signoff.streams import path
from signoff.workflow.input.spec import check_spec
from tests.protocol.material import SCHEMAS, cases, load, validator


def _is_path(text: str) -> bool:
    try:
        return names.check_path(text) == text
    except BadRequest:
        return False


IS: dict[str, Callable[[str], bool]] = {
    "name": names.is_name,
    "key": names.is_key,
    "principal": names.is_principal,
    "path": _is_path,
}


@pytest.mark.parametrize("case", cases("names.json"))
def test_what_may_be_called_what(case: dict[str, Any]) -> None:
    assert IS[case["kind"]](case["text"]) is case["valid"]


@pytest.mark.parametrize("case", [case for case in load("names.json")["cases"] if "address" in case], ids=str)
def test_how_it_is_written_in_a_url(case: dict[str, Any]) -> None:
    text = f"inbox/{case['text']}" if case["kind"] == "principal" else case["text"]
    assert path.from_url(case["address"].encode()) == text
    assert path.from_url(quote(text, safe="/").encode()) == text


@pytest.mark.parametrize("case", [case for case in load("names.json")["cases"] if case["kind"] == "principal"], ids=str)
def test_the_schema_of_principals_says_the_same(case: dict[str, Any]) -> None:
    """All but how many bytes there are, which a schema cannot count."""
    schema = validator("common.json").evolve(schema=SCHEMAS["common.json"]["$defs"]["principal"])
    too_many_bytes = len(case["text"]) < len(case["text"].encode()) > names.LONGEST_PRINCIPAL - 1
    assert schema.is_valid(case["text"]) is (case["valid"] or too_many_bytes)


@given(st.text(max_size=300), st.sampled_from(names.KINDS))
def test_requests_are_asked_of_those_alone_whom_a_token_can_name(who: str, kind: str) -> None:
    principal = f"{kind}:{who}"
    if not names.is_principal(principal):
        with pytest.raises(ValueError, match="no token"):
            check_spec({"to": [principal]})
        with pytest.raises(ValueError, match="no token"):
            check_spec({"forbid": ["user:alice", principal]})
        with pytest.raises(ValueError, match="cannot stand in a principal"):
            Identity(who) if kind == "user" else Identity("a", groups={who})
        return
    check_spec({"to": [principal]})
    assert principal in Identity(who, groups={who}).principals
    assert path.check(f"inbox/{principal}") == f"inbox/{principal}"
    assert path.from_url(f"inbox/{quote(principal, safe='')}".encode()) == f"inbox/{principal}"


@pytest.mark.parametrize("name", [".", "..", "", "a/b", "a b", "x" * 129, None, 1])
def test_what_is_no_name_is_refused_in_words(name: object) -> None:
    with pytest.raises(InvalidName, match=r"There can be no topic .*: use 1 to 128 of the characters"):
        names.check_name(name, "topic")
