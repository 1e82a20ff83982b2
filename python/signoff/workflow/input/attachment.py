"""Attachments: files that people add to an answer. The value is a reference, never the bytes.

The bytes are an ordinary stream of the run, `runs/{run_id}/files/{file}`; what is known of them stands in the answer,
and so in the journal and the evidence, with their digest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from signoff.errors import UnsupportedValue
from signoff.workflow.step.current import current_step

FORMAT: Final = "signoff-attachment"
"""The `format` of an attachment in a JSON Schema."""

KEYWORD: Final = "attachment"
"""The keyword of a JSON Schema that says which files may be attached."""

MEMBERS: Final = frozenset({"stream", "name", "type", "size", "sha256"})

USUAL_BYTES: Final = 10 << 20
"""How large a file may be where nobody says otherwise."""

MOST_BYTES: Final = 64 << 20
"""How large a file may be at most, whatever is said."""

LONGEST_NAME: Final = 200
"""Characters of the name of a file."""

UNKNOWN_TYPE: Final = "application/octet-stream"

_PART: Final = r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
_TYPE: Final = re.compile(rf"{_PART}/{_PART}")
_ACCEPTED: Final = re.compile(rf"\*/\*|{_PART}/(?:\*|{_PART})")
_STREAM: Final = re.compile(r"runs/[A-Za-z0-9_.-]{1,128}/files/[A-Za-z0-9_.-]{1,128}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
# Control characters, and those that are not seen or turn the text around; spaces of all kinds become one space.
_UNSEEN: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that somebody has attached to an answer, as a field of what is asked for.

    Its bytes are read in a step; the code itself sees what stands here.

    Attributes:
        stream: the path of the stream that has the bytes, below the stream root.
        name: of the file, as whoever sent it called it; nothing to open a file by.
        type: media type, as whoever sent it said; nobody has looked whether it is true.
        size: bytes.
        sha256: digest of the bytes, in hexadecimal.

    Example:
        >>> class Claim(BaseModel):
        ...     amount: Decimal
        ...     receipt: Annotated[Attachment, AttachmentLimits(types=("image/*", "application/pdf"))]
        >>> async def scan(receipt: Attachment) -> str:
        ...     return ocr(await receipt.read())
        >>> answer = await ctx.await_input("claim", Claim, to="user:alice")
        >>> text = await ctx.step("scan", scan, answer.value.receipt)
    """

    stream: str
    name: str
    type: str
    size: int
    sha256: str

    async def read(self) -> bytes:
        """Return the bytes; within a step that is an async function.

        Raises:
            RuntimeError: no step is running here.
            NotFound: the run has no such file.
            UnsupportedValue: the bytes are not those whose digest was recorded.
            StoreError: the store cannot be reached.
        """
        return self._checked(await current_step().read_file(self.file))

    def read_sync(self) -> bytes:
        """Return the bytes; within a step that is an ordinary function, which runs in a thread.

        Raises:
            RuntimeError, NotFound, UnsupportedValue, StoreError: see `read`.
        """
        return self._checked(current_step().read_file_sync(self.file))

    @property
    def file(self) -> str:
        """Return the id of the file, unique in its run."""
        return self.stream.rpartition("/")[2]

    def _checked(self, data: bytes) -> bytes:
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise UnsupportedValue(f"{self.stream} does not hold what was attached: its digest is another.")
        return data

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        inner = handler(source)
        return core_schema.no_info_after_validator_function(_well_formed, inner)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return AttachmentLimits().schema


@dataclass(frozen=True, slots=True)
class AttachmentLimits:
    """What files a field takes, as an annotation of it.

    Args:
        max_bytes: how large a file may be; at most 64 MiB.
        types: media types it may have, such as `application/pdf` or `image/*`; none: any.

    Raises:
        ValueError: a size that is none, or a text that is no media type.

    Example:
        >>> Photo = Annotated[Attachment, AttachmentLimits(max_bytes=2 << 20, types=("image/*",))]
    """

    max_bytes: int = USUAL_BYTES
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.max_bytes <= MOST_BYTES:
            raise ValueError(f"An attachment has 1 to {MOST_BYTES} bytes at most, not {self.max_bytes}.")
        types = tuple(self.types)
        for one in types:
            if not _ACCEPTED.fullmatch(one):
                raise ValueError(f"{one!r:.100} is no media type such as image/png or image/*, in small letters.")
        object.__setattr__(self, "types", () if "*/*" in types else types)

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of an attachment within these limits."""
        text = {"type": "string", "minLength": 1}
        return {
            "type": "object",
            "format": FORMAT,
            "properties": {
                "stream": {**text, "pattern": f"^{_STREAM.pattern}$"},
                "name": {**text, "maxLength": LONGEST_NAME},
                "type": {**text, "pattern": f"^{_TYPE.pattern}$"},
                "size": {"type": "integer", "minimum": 0, "maximum": self.max_bytes},
                "sha256": {**text, "pattern": f"^{_DIGEST.pattern}$"},
            },
            "required": sorted(MEMBERS),
            "additionalProperties": False,
            KEYWORD: {"maxBytes": self.max_bytes, **({"types": list(self.types)} if self.types else {})},
        }

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return self.schema


def _well_formed(value: Attachment) -> Attachment:
    if not is_reference(public(value)):
        raise ValueError("it is no reference to an attachment")
    return value


def public(value: Attachment) -> dict[str, Any]:
    """Return an attachment as JSON."""
    return {"stream": value.stream, "name": value.name, "type": value.type, "size": value.size, "sha256": value.sha256}


def is_reference(value: Any) -> bool:
    """Return True if a JSON value looks like an attachment; whether there is such a file is another thing."""
    return (
        isinstance(value, dict)
        and value.keys() == MEMBERS
        and all(isinstance(value[name], str) for name in ("stream", "name", "type", "sha256"))
        and isinstance(value["size"], int)
        and not isinstance(value["size"], bool)
        and value["size"] >= 0
        and _STREAM.fullmatch(value["stream"]) is not None
        and _DIGEST.fullmatch(value["sha256"]) is not None
        and is_media_type(value["type"])
        and 0 < len(value["name"]) <= LONGEST_NAME
    )


def is_media_type(text: str) -> bool:
    """Return True if a text is a media type without parameters, in small letters."""
    return _TYPE.fullmatch(text) is not None


def media_type(declared: str | None) -> str | None:
    """Return the media type that a Content-Type names, without parameters; None: it names none.

    Example:
        >>> media_type("Text/HTML; charset=utf-8"), media_type(None), media_type("nonsense")
        ('text/html', 'application/octet-stream', None)
    """
    if declared is None or not declared.strip():
        return UNKNOWN_TYPE
    name = declared.partition(";")[0].strip().lower()
    return name if is_media_type(name) else None


def accepts(types: Any, type_: str) -> bool:
    """Return True if a media type is among those that are taken; where none is named, all are."""
    return not types or any(fnmatchcase(type_, one) for one in types if isinstance(one, str))


def file_name(given: str) -> str:
    """Return what a file is called, of whatever a client says: one line, no path, nothing that cannot be seen.

    Example:
        >>> file_name("../../etc/passwd"), file_name("C:\\\\temp\\\\a b.pdf"), file_name(" .. ")
        ('passwd', 'a b.pdf', 'file')
    """
    last = re.split(r"[/\\]", given)[-1]
    seen = " ".join(_UNSEEN.sub(" ", last.encode("utf-8", "replace").decode()).split()).strip(". ")
    if len(seen) > LONGEST_NAME:
        stem, dot, end = seen.rpartition(".")
        end = f"{dot}{end}" if dot and len(end) <= 20 else ""
        seen = (stem if end else seen)[: LONGEST_NAME - len(end)] + end
    return seen or "file"


def limits_of(said: Any) -> dict[str, Any]:
    """Return what a schema's keyword says of files: `maxBytes`, and `types`, empty if any are taken.

    Args:
        said: the value of the keyword, which may be anything.
    """
    said = said if isinstance(said, dict) else {}
    most, types = said.get("maxBytes"), said.get("types")
    counted = isinstance(most, int) and not isinstance(most, bool) and most > 0
    named = [one for one in types if isinstance(one, str)] if isinstance(types, list) else []
    return {"maxBytes": min(most, MOST_BYTES) if counted else MOST_BYTES, "types": named}


def misfits(limits: Mapping[str, Any], size: int, type_: str) -> list[str]:
    """Return what to tell people of a file that is not what a field takes; nothing if it is.

    Args:
        limits: `maxBytes`, and `types` unless any are taken.
        size: bytes.
        type_: media type.
    """
    said: list[str] = []
    if size > (most := limits["maxBytes"]):
        said.append(f"This file has {shown_size(size)}; at most {shown_size(most)} are taken.")
    if not accepts(types := limits.get("types"), type_):
        said.append(f"This file is {type_}; taken are: {', '.join(types or ())}.")
    return said


def broken_limits(said: Any, value: Any) -> list[str]:
    """Return what to tell people of an attachment that a schema's keyword does not take; nothing of what is none."""
    return misfits(limits_of(said), value["size"], value["type"]) if is_reference(value) else []


def shown_size(count: int) -> str:
    """Return a number of bytes as people read it.

    Example:
        >>> shown_size(900), shown_size(10 << 20), shown_size(1_500_000)
        ('900 bytes', '10 MiB', '1.4 MiB')
    """
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} bytes"
