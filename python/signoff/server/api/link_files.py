"""Files in the form of a signed link: sent before the answer, as whoever the link is for, and referred to by it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import orjson

from signoff.errors import (
    BadRequest,
    NotClaimed,
    NotFound,
    PayloadTooLarge,
    SignoffError,
    StreamConflict,
    UnsupportedMediaType,
)
from signoff.pointers import escaped
from signoff.server.http.multipart import FilePart
from signoff.service.engine import Engine
from signoff.workflow.input.attachment import UNKNOWN_TYPE, media_type
from signoff.workflow.input.decide import Who

MOST_FORM: Final = 16 << 20
"""Bytes of a form with files, which is taken whole."""

FILE: Final = "?f"
"""What the name of a control for files ends with."""

_LOOKS: Final = 40
_PAUSE_S: Final = 0.05
"""How often, and how many seconds apart, one looks whether what is being sent by the same form is whole."""

_TWICE: Final = "it was being sent twice at once and did not come through; send it again."


@dataclass(frozen=True, slots=True)
class FormFiles:
    """The way of a form's files to the request that it answers.

    Attributes:
        run_id, key: the request.
        who: whoever the link is for.
    """

    engine: Engine
    run_id: str
    key: str
    who: Who

    async def send(self, filled: dict[str, list[str]], parts: Sequence[FilePart]) -> list[dict[str, str]]:
        """Send the files, and put what refers to them beside what was filled in.

        The same form again sends nothing again, and posted twice at once it refers to the same files. What is refused
        because the request is not what it was is left to the answer to say.

        Returns:
            what is wrong with the files, as `[{"pointer", "message"}]`.
        """
        number, faults = (filled.get("submission_id") or [""])[0], list[dict[str, str]]()
        for part in parts:
            path = part.field.removesuffix(FILE)
            named = f"{number}\n{part.field}\n{part.name}\n".encode()
            try:
                reference = await self._sent(hashlib.sha256(named + part.data).hexdigest()[:40], part)
            except (PayloadTooLarge, UnsupportedMediaType, BadRequest) as error:
                faults.append({"pointer": _pointer(path), "message": f"{part.name}: {error.public_detail}"})
            except StreamConflict:
                faults.append({"pointer": _pointer(path), "message": f"{part.name}: {_TWICE}"})
            except SignoffError as error:
                if "row" not in error.extra:
                    raise
            else:
                filled.setdefault(path, []).append(orjson.dumps(reference).decode())
        return faults

    async def _sent(self, file: str, part: FilePart) -> dict[str, Any]:
        if (known := await self._known(file)) is not None:
            return known
        try:
            try:
                return await self._upload(file, part)
            except NotClaimed:
                await self.engine.inputs.act("claim", self.run_id, self.key, {}, self.who)
                return await self._upload(file, part)
        except StreamConflict:  # the same form was posted twice, and the other one sends it
            for _ in range(_LOOKS):
                if (known := await self._known(file)) is not None:
                    return known
                await asyncio.sleep(_PAUSE_S)
            return await self._upload(file, part)
        except SignoffError as error:
            # The same form may have been faster, and have answered with it.
            if "row" in error.extra and (known := await self._known(file)) is not None:
                return known
            raise

    async def _known(self, file: str) -> dict[str, Any] | None:
        """Return what refers to a file, if it was sent for this already."""
        with suppress(NotFound):
            known = await self.engine.files.find(self.run_id, file)
            if (known.by, known.key) == (self.who.by, self.key):
                return known.reference
        return None

    async def _upload(self, file: str, part: FilePart) -> dict[str, Any]:
        async def body() -> AsyncIterator[bytes]:
            yield part.data

        type_ = media_type(part.type) or UNKNOWN_TYPE
        upload = partial(self.engine.files.upload, name=part.name, type_=type_, size=len(part.data))
        reference, _ = await upload(self.run_id, self.key, file, body(), self.who)
        return reference


def _pointer(path: str) -> str:
    """Return the JSON Pointer of a control's value; variants have no part in it."""
    names = [unquote(one.partition("@")[0]) for one in path.split("/")[1:]]
    return "".join(f"/{escaped(name)}" for name in names)
