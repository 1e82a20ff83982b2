"""Attachments are taken and refused, named and limited as the vectors say."""

from __future__ import annotations

from typing import Any

import pytest

from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.attachment import FORMAT, AttachmentLimits, broken_limits, file_name
from signoff.workflow.input.complaints import complaints as complaints_of
from signoff.workflow.input.uploaded import NOT_THERE, UploadedFile, file_faults
from tests.protocol.material import cases, complaints

SCHEMA = AttachmentLimits().schema


@pytest.mark.parametrize("case", cases("attachments.json"))
def test_an_answer_has_what_it_may_have(case: dict[str, Any]) -> None:
    files = {
        id_: UploadedFile(one["reference"], one["key"], DecidedBy(one["by"]["kind"], one["by"]["id"]))
        for id_, one in case["files"].items()
    }
    row = {"id": "claim:0", "show": case["show"]}
    by = DecidedBy(case["by"]["kind"], case["by"]["id"])
    assert complaints("attachment.json", case["value"]) == []
    assert complaints_of(SCHEMA, case["value"]) == []
    faults = file_faults(row, SCHEMA, case["value"], by, files)
    assert faults == [{"pointer": pointer, "message": NOT_THERE} for pointer in case["errors"]]
    deep = {"all": [case["value"]], "a/b": {"~": case["value"]}}
    nested = {"type": "object", "properties": {"all": {"type": "array", "items": SCHEMA}}}
    places = ["/all/0", "/a~1b/~0"] if case["errors"] else []
    assert sorted(one["pointer"] for one in file_faults(row, nested, deep, by, files)) == places
    assert file_faults(row, {"type": "object"}, case["value"], by, files) == []  # nobody asked for any


@pytest.mark.parametrize("case", cases("attachments.json", "names"))
def test_a_file_is_called_what_people_can_read(case: dict[str, Any]) -> None:
    assert file_name(case["given"]) == case["kept"]
    assert file_name(case["kept"]) == case["kept"]


@pytest.mark.parametrize("case", cases("attachments.json", "limits"))
def test_a_field_takes_what_it_says(case: dict[str, Any]) -> None:
    value = {"stream": "runs/r/files/f", "name": "a", "type": case["type"], "size": case["size"], "sha256": "0" * 64}
    assert (broken_limits(case["attachment"], value) == []) is case["takes"]
    schema = {"type": "object", "format": FORMAT, "attachment": case["attachment"]}
    assert (complaints_of(schema, value) == []) is case["takes"]
