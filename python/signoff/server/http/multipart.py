"""Forms with files, as browsers send them without scripts: `multipart/form-data` (RFC 7578, HTML §4.10.22.8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from signoff.errors import BadRequest

KIND: Final = "multipart/form-data"

MOST_PARTS: Final = 5_000
_NOTHING: Final = "Nothing was recorded."
_BOUNDARY: Final = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_PARAMETER: Final = re.compile(rb';[ \t]*(name|filename)="([^"\r\n]*)"', re.IGNORECASE)
_ESCAPED: Final = {"%22": '"', "%0D": "\r", "%0A": "\n"}


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of a form.

    Attributes:
        field: the name of its control.
        name: of the file.
        type: as the browser says; None: it does not.
        data: the bytes.
    """

    field: str
    name: str
    type: str | None
    data: bytes


SentForm = tuple[dict[str, list[str]], list[FilePart]]
"""Texts by the names of their controls, and files."""


def read_form(data: bytes, content_type: str) -> SentForm:
    """Return the texts of a form by the names of their controls, and its files; a control without a file has none.

    Raises:
        BadRequest: it is no such form.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise BadRequest(f"The form does not say what its parts are divided by. {_NOTHING}")
    parts = (b"\r\n" + data).split(b"\r\n--" + (found[1] or found[2]).encode("latin-1"), MOST_PARTS + 2)[1:]
    if len(parts) > MOST_PARTS or not parts or not parts[-1].startswith(b"--"):
        raise BadRequest(f"The form breaks off, or has more than {MOST_PARTS} parts. {_NOTHING}")
    texts: dict[str, list[str]] = {}
    files: list[FilePart] = []
    for part in parts[:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        said = {key.lower(): _text(value) for key, value in _PARAMETER.findall(_line(head, b"content-disposition"))}
        field = said.get(b"name")
        if field is None:
            raise BadRequest(f"A part of the form has no name. {_NOTHING}")
        if b"filename" not in said:
            texts.setdefault(field, []).append(_text(content))
        elif said[b"filename"]:
            type_ = _line(head, b"content-type").partition(b":")[2].strip().decode("latin-1")
            files.append(FilePart(field, said[b"filename"], type_ or None, content))
    return texts, files


def _line(head: bytes, name: bytes) -> bytes:
    lines = (line for line in head.split(b"\r\n") if line.partition(b":")[0].strip().lower() == name)
    return next(lines, b"")


def _text(raw: bytes) -> str:
    try:
        return re.sub("%22|%0D|%0A", lambda one: _ESCAPED[one[0]], raw.decode()) if raw.isascii() else raw.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"The form is not UTF-8. {_NOTHING}") from error
