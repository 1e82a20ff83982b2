"""The schemas are schemas, and the vectors are examples of them."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.protocol.material import PROTOCOL, SCHEMAS, VECTORS, cases, complaints, load, validator


@pytest.mark.parametrize("name", SCHEMAS)
def test_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$id"].endswith("/" + name)
    assert SCHEMAS[name]["title"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_refers_only_to_what_is_there(name: str) -> None:
    for reference in _references(SCHEMAS[name]):
        file, _, pointer = reference.partition("#")
        target: Any = SCHEMAS[file or name]
        for part in pointer.split("/")[1:]:
            target = target[part]
        assert isinstance(target, dict)


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + list(chain.from_iterable(_references(item) for item in node.values()))
    if isinstance(node, list):
        return list(chain.from_iterable(_references(item) for item in node))
    return []


@pytest.mark.parametrize("name", VECTORS)
def test_every_case_has_a_name_of_its_own_and_a_reason(name: str) -> None:
    vectors = load(name)
    assert vectors["about"]
    found = [case for member in ("cases", "refused", "sentinels") for case in vectors.get(member, [])]
    assert len({case["name"] for case in found}) == len(found)
    assert all(case["why"].endswith((".", ":")) for case in found)


@pytest.mark.parametrize("case", cases("rows.json"))
def test_rows_cases_speak_the_protocol(case: dict[str, Any]) -> None:
    for entry in case["entries"]:
        assert complaints("journal-entry.json", entry) == []
    for messages in case["streams"].values():
        for message in messages:
            assert complaints("state-message.json", message) == []
            assert message["headers"]["operation"] == "delete" or message["value"]["id"] == message["key"]


@pytest.mark.parametrize("case", cases("answers.json"))
def test_answers_cases_speak_the_protocol(case: dict[str, Any]) -> None:
    for entry in case["history"]:
        assert complaints("journal-entry.json", entry) == []
    assert complaints("input-row.json", case["row"]) == []
    well_formed = complaints("answer-request.json", case["body"]) == []
    assert well_formed == (case["expect"]["code"] != "bad_request")
    if "verdict" in case:
        assert complaints("journal-entry.json", case["verdict"]) == []
    reply = case["reply"]
    assert reply["status"] == case["expect"]["status"]
    assert complaints("answer-reply.json" if reply["status"] < 300 else "problem.json", reply["body"]) == []


PENDING = load("answers.json")["cases"][0]["row"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "paused"},
        {"status": "answered"},
        {"decided_by": {"kind": "person", "id": "user:alice"}},
        {"value": 1},
        {"revised": "3"},
        {"actions": []},
        {"audience": ["finance"]},
        {"asked_at": "2026-03-01T09:30:00Z"},
        {"claim": {"by": "user:alice"}},
        {"colour": "red"},
        {"schema": True},
        {"_seq": 1},
    ],
    ids=lambda change: next(iter(change)) + "=" + str(next(iter(change.values())))[:20],
)
def test_the_input_row_is_closed(change: dict[str, Any]) -> None:
    assert complaints("input-row.json", PENDING) == []
    assert complaints("input-row.json", PENDING | change) != []


def test_a_place_without_a_meaning_is_marked_and_not_written() -> None:
    row = SCHEMAS["input-row.json"]
    assert [name for name, member in row["properties"].items() if member.get("x-reserved") is True] == []


def test_an_entry_of_another_version_or_type_is_refused() -> None:
    entry = {"v": 1, "type": "timer.fired", "at": 1, "id": "sleep:0"}
    assert validator("journal-entry.json").is_valid(entry)
    for change in ({"v": 2}, {"type": "timer.forgotten"}, {"id": "sleep"}, {"id": "sleep:01"}, {"note": ""}):
        assert not validator("journal-entry.json").is_valid(entry | change)


def test_the_specification_names_every_schema_and_entry() -> None:
    text = (PROTOCOL / "workflow-protocol.md").read_text()
    for kind in SCHEMAS["journal-entry.json"]["properties"]["type"]["enum"]:
        assert f"`{kind}`" in text
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    numbered = [f"## {n}. " for n in range(1, len(headings))]
    assert headings[0] == "## Contents"
    assert all(line.startswith(number) for line, number in zip(headings[1:], numbered, strict=True))


@pytest.mark.parametrize("case", cases("live.json"))
def test_live_cases_are_what_the_frames_say(case: dict[str, Any]) -> None:
    got: dict[str, dict[str, Any]] = {}
    for event in case["frames"].split("\n\n"):
        name, _, data = event.partition("\ndata: ")
        told: dict[str, Any] = json.loads(data) if data else {}
        read = told.get("id", "")
        if name == "event: opened" and read in case["reads"]:
            got[read] = {"status": told["status"], "headers": told["headers"], "body": "", "ended": False}
        elif name == "event: body" and read in got:
            got[read]["body"] += told["body"]
        elif name == "event: ended" and read in got:
            got[read]["ended"] = True
    assert got == case["responses"]


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"join": [{"id": "a", "path": "runs/r1", "offset": "-1"}], "leave": ["b"]}, True),
        ({"join": [{"id": "a", "path": "runs/r1?live=sse", "offset": "-1"}]}, False),
        ({"join": [{"id": "a", "path": "runs/r1"}]}, False),
        ({"leave": [""]}, False),
    ],
)
def test_live_requests_have_a_schema(body: dict[str, Any], fits: bool) -> None:
    assert (complaints("live-request.json", body) == []) == fits
