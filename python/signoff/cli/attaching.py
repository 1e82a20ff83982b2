"""Files that a person at a terminal names for an answer: looked at when they are named, sent before the answer."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signoff.client import SignoffClient
from signoff.workflow.input.attachment import UNKNOWN_TYPE, media_type, misfits
from signoff.workflow.input.scalar_fields import FormField


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file of this machine that is to be attached.

    Attributes:
        path: where it is.
        type: media type, by its name.
    """

    path: Path
    type: str


def named_file(field: FormField, text: str) -> NamedFile:
    """Return the file that a person has named for a field.

    Raises:
        ValueError: it cannot be read, or is not what the field takes; the message is for people.
    """
    path = Path(text).expanduser()
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise ValueError(f"{text} cannot be read: {error.strerror}.") from error
    type_ = media_type(mimetypes.guess_type(path.name)[0]) or UNKNOWN_TYPE
    if wrong := misfits(field, size, type_):
        raise ValueError(wrong[0])
    return NamedFile(path, type_)


async def attached(client: SignoffClient, run: str, key: str, value: Any) -> Any:
    """Send the files that stand in a value; return it with what refers to them instead."""
    match value:
        case NamedFile(path, type_):
            return await client.upload(run, key, path.read_bytes(), name=path.name, type=type_)
        case dict():
            return {name: await attached(client, run, key, one) for name, one in value.items()}
        case list():
            return [await attached(client, run, key, one) for one in value]
    return value
