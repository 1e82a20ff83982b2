"""Attachments as fields of types: what they take, how they are written, and what is said of what does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ValidationError

from signoff import Attachment, AttachmentLimits
from signoff.workflow import codec
from signoff.workflow.input.attachment import MOST_BYTES, USUAL_BYTES
from signoff.workflow.input.complaints import complaints
from signoff.workflow.input.form import form_of
from signoff.workflow.input.schema import schema_of

GOOD: dict[str, Any] = {
    "stream": "runs/r1/files/f1",
    "name": "a.png",
    "type": "image/png",
    "size": 5,
    "sha256": "0" * 64,
}
Scan = Annotated[Attachment, AttachmentLimits(max_bytes=10, types=("image/*", "application/pdf"))]


class Claim(BaseModel):
    scan: Scan
    others: list[Attachment] = []
    maybe: Attachment | None = None


@dataclass
class Plain:
    scan: Scan


def test_one_comes_back_as_it_was() -> None:
    claim = codec.receive({"scan": GOOD, "others": [GOOD]}, Claim)
    assert claim.scan == Attachment(**GOOD)
    assert codec.decode(codec.encode_as(claim, Claim), Claim) == claim
    assert codec.decode(codec.encode_as(claim.scan, Attachment), Attachment) == claim.scan
    assert codec.encode_as(claim.scan, Attachment) == GOOD
    assert codec.public_json({"show": claim.scan}) == {"show": GOOD}
    assert claim.scan.file == "f1"


@pytest.mark.parametrize("type_", [Claim, Plain, Scan, Attachment])
def test_the_schema_is_a_format_of_its_own(type_: Any) -> None:
    value = GOOD if type_ in (Scan, Attachment) else {"scan": GOOD}
    assert complaints(schema_of(type_), value) == []
    form = form_of(schema_of(type_))
    assert form is not None
    assert form[0]["kind"] == "attachment"
    assert form[0]["maxBytes"] == (USUAL_BYTES if type_ is Attachment else 10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": 11}, "This file has 11 bytes; at most 10 bytes are taken."),
        ({"type": "text/html"}, "This file is text/html; taken are: image/*, application/pdf."),
        ({"stream": "chat/1"}, "This is no attached file; attach it again."),
        ({"stream": "runs/r1/files/f1/../../x"}, "This is no attached file; attach it again."),
        ({"sha256": "no"}, "This is no attached file; attach it again."),
        ({"more": 1}, "This is no attached file; attach it again."),
    ],
)
def test_what_does_not_fit_is_said_at_the_field_in_words(change: dict[str, Any], said: str) -> None:
    assert complaints(schema_of(Claim), {"scan": GOOD | change}) == [{"pointer": "/scan", "message": said}]


def test_code_cannot_make_one_that_is_none() -> None:
    with pytest.raises(ValidationError):
        Claim(scan=Attachment("chat/1", "a", "image/png", 1, "0" * 64))


@pytest.mark.parametrize(
    "wrong", [{"max_bytes": 0}, {"max_bytes": MOST_BYTES + 1}, {"types": ("png",)}, {"types": ("image/PNG",)}]
)
def test_limits_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"An attachment has|is no media type"):
        AttachmentLimits(**wrong)
