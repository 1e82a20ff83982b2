from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff import WorkflowError
from signoff.workflow import journal, nouns
from signoff.workflow.entry import SAME, DecidedBy, Entry, Error
from signoff.workflow.input.entries import InputRequested
from signoff.workflow.journal import dumps, from_json, loads, to_json
from signoff.workflow.run.entries import CancelRequested, ForkedFrom, RunCancelled, RunStarted
from signoff.workflow.step.entries import StepCompleted
from signoff.workflow.timer.entries import TimerFired

plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), plain),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(plain, inner)),
    max_leaves=5,
)
errors = st.builds(Error, plain, plain, plain, st.booleans())
kinds = st.sampled_from(["person", "timeout", "policy", "operator", "workflow"])
people = st.builds(DecidedBy, kinds, st.none() | plain)
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(0, 2**50),
    "str": plain,
    "str | None": st.none() | plain,
    "int | None": st.none() | st.integers(0, 2**50),
    "bool": st.booleans(),
    "Encoded": json,
    "Any": st.just(SAME) | json,
    "Error": errors,
    "Error | None": st.none() | errors,
    "DecidedBy": people,
    "DecidedBy | None": st.none() | people,
    "ForkedFrom | None": st.none() | st.builds(ForkedFrom, plain, st.integers(1, 99), st.integers(0, 2**50)),
    "tuple[str, ...]": st.lists(plain).map(tuple),
    "tuple[str, ...] | None": st.none() | st.lists(plain).map(tuple),
    "dict[str, Any]": st.dictionaries(plain, json),
    "list[dict[str, Any]]": st.lists(st.dictionaries(plain, json)),
    "dict[str, Any] | None": st.none() | st.dictionaries(plain, json),
}


def entries_of(cls: Any) -> st.SearchStrategy[Entry]:
    return st.builds(cls, **{member.name: MEMBERS[str(member.type)] for member in fields(cls)})


any_entry = st.one_of([entries_of(cls) for cls in sorted(nouns.entries().values(), key=lambda cls: cls.__name__)])


@given(st.lists(any_entry, max_size=4))
def test_entries_come_back_from_bytes(entries: list[Entry]) -> None:
    assert loads(dumps(entries)) == entries


@given(any_entry)
def test_defaults_are_left_out_and_required_members_never(entry: Entry) -> None:
    written = to_json(entry)
    assert written["v"] == 1
    assert written["type"] == entry.type
    assert from_json(orjson.loads(orjson.dumps(written))) == entry


def test_none_is_a_result() -> None:
    assert to_json(StepCompleted(1, "a:0", 1, None)) == {
        "v": 1,
        "type": "step.completed",
        "at": 1,
        "id": "a:0",
        "attempt": 1,
        "result": None,
    }


def test_a_batch_is_messages_joined_by_commas() -> None:
    entries: list[Entry] = [TimerFired(1, "sleep:0"), TimerFired(2, "sleep:1")]
    assert dumps(entries) == b",".join(orjson.dumps(to_json(entry)) for entry in entries)
    assert dumps([]) == b""
    assert loads(b"") == []


def test_records_inside_entries_are_objects() -> None:
    assert to_json(CancelRequested(1))["by"] == {"kind": "operator", "id": None}
    error = {"code": "c", "message": "m", "type": "t", "public": True}
    assert to_json(RunCancelled(1, None, Error("c", "m", "t", True)))["error"] == error
    started = RunStarted(1, "r", "w", "1", None, "s", "d", tags=("a",))
    assert to_json(started)["tags"] == ["a"]
    assert to_json(InputRequested(1, "a:0", {"title": "t"}, to=("user:a",)))["to"] == ["user:a"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"v": 2, "type": "timer.fired", "at": 1, "id": "a:0"}, "version 2"),
        ({"type": "timer.fired", "at": 1, "id": "a:0"}, "version None"),
        ({"v": 1, "type": "timer.melted", "at": 1}, "timer.melted"),
        ({"v": 1, "at": 1}, "None"),
        ({"v": 1, "type": [], "at": 1}, "[]"),
        ({"v": 1, "type": "timer.fired", "at": 1}, "id"),
        ({"v": 1, "type": "timer.fired", "at": 1, "id": "a:0", "extra": 1}, "extra"),
        ({"v": 1, "type": "run.failed", "at": 1, "error": {"code": "x"}}, "message"),
        ({"v": 1, "type": "run.failed", "at": 1, "error": 3}, "run.failed"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(written: dict[str, Any], told: str) -> None:
    with pytest.raises(WorkflowError) as refused:
        from_json(written)
    assert told in str(refused.value)


def test_bytes_that_are_no_json_are_refused() -> None:
    with pytest.raises(WorkflowError, match="not JSON"):
        journal.loads(b'{"v": 1')
    with pytest.raises(WorkflowError, match="no object"):
        journal.loads(b"3")
