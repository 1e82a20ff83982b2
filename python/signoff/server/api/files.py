"""`/v1/runs/{run_id}/inputs/{key}/files/{file}`: what people attach to their answers, sent and read.

What was sent is handed out as a download of no type at all, so that no browser runs or shows it in the name of this
server, whatever whoever sent it says it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import quote

from signoff.errors import (
    AlreadyDecided,
    BeingValidated,
    ClaimedByOther,
    Expired,
    Forbidden,
    InputNotFound,
    NotClaimed,
    NotFound,
    NotInAudience,
    PayloadTooLarge,
    RunNotFound,
    StreamConflict,
    UnsupportedMediaType,
    Withdrawn,
)
from signoff.server.api.call import Call
from signoff.server.api.inputs import hidden_from_strangers
from signoff.server.api.openapi import QueryParameter
from signoff.server.api.operation import ServedOperation
from signoff.server.http import body
from signoff.server.http.reply import Header, PiecedReply, Receive, Reply, header, ok
from signoff.shapes import WrongValue
from signoff.workflow.input.attachment import UNKNOWN_TYPE, media_type
from signoff.workflow.input.uploaded import UploadedFile, shows

_LONGEST_NAME: Final = 1024
_STRANGER: Final = "You are not among those asked, or there is no such file."

SAFE: Final[tuple[Header, ...]] = (
    (b"content-type", UNKNOWN_TYPE.encode("ascii")),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cache-control", b"private, no-store"),
)


async def upload(call: Call) -> Reply:
    """Take a file for an answer; nothing of it is there until all of it is."""
    run_id, key, file = call.run_id(), call.key(), call.name("file", "file id")
    name = call.query({"name": _name}).get("name", file)
    type_ = media_type(header(call.scope, b"content-type"))
    if type_ is None:
        raise UnsupportedMediaType("The Content-Type is no media type such as image/png. Nothing was kept.")
    if (header(call.scope, b"content-encoding") or "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("Send the file without a Content-Encoding. Nothing was kept.")
    declared = header(call.scope, b"content-length")
    size = int(declared) if declared is not None and declared.isdigit() and len(declared) < 16 else None
    sent = _sent(call.receive)
    async with hidden_from_strangers(call, run_id, key):
        reference, replayed = await call.engine.files.upload(
            run_id, key, file, sent, call.identity.who(), name=name, type_=type_, size=size
        )
    if replayed:
        return ok({"attachment": reference}, 200, (b"idempotency-replayed", b"true"))
    return ok({"attachment": reference}, 201)


def _name(value: str) -> str:
    """Take what a file is called, whatever it is: what is no part of a name is taken away later."""
    if len(value) > _LONGEST_NAME:
        raise WrongValue(f"has {_LONGEST_NAME} characters at most")
    return value


async def _sent(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise body.Disconnected
        if part := message.get("body", b""):
            yield bytes(part)
        if not message.get("more_body"):
            return


async def download(call: Call) -> PiecedReply:
    """Hand out a file to whoever sent it, sees it in the request, or may read the run."""
    run_id, key, file = call.run_id(), call.key(), call.name("file", "file id")
    call.query({})
    try:
        row = await call.engine.inputs.get(run_id, key)
        found = await call.engine.files.find(run_id, file)
    except NotFound as error:
        if await call.may_read(run_id):
            raise
        raise Forbidden(_STRANGER) from error
    if not await _may_have(call, row, found):
        raise Forbidden(_STRANGER)
    pieces = call.engine.files.pieces(run_id, file)
    return PiecedReply((*SAFE, _disposition(found.reference["name"])), found.reference["size"], pieces)


async def _may_have(call: Call, row: dict[str, Any], found: UploadedFile) -> bool:
    if await call.may_read(row["run_id"]):
        return True
    if not await call.may_see(row):
        return False
    return (found.key == row["id"] and found.by == call.identity.by()) or shows(row, found.reference)


def _disposition(name: str) -> Header:
    plain = "".join(one if " " <= one <= "~" and one not in '"\\%' else "_" for one in name)
    return b"content-disposition", f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}".encode()


async def remove(call: Call) -> Reply:
    """Take away a file that the caller has sent and no answer has."""
    run_id, key, file = call.run_id(), call.key(), call.name("file", "file id")
    call.query({})
    async with hidden_from_strangers(call, run_id, key):
        await call.engine.files.remove(run_id, key, file, call.identity.who())
    return Reply(204, b"", ())


_PATH: Final = "/v1/runs/{run_id}/inputs/{key}/files/{file}"
_NOT_NOW: Final = (
    RunNotFound,
    InputNotFound,
    NotInAudience,
    AlreadyDecided,
    Expired,
    Withdrawn,
    ClaimedByOther,
    NotClaimed,
    BeingValidated,
)

OPERATIONS: Final = (
    ServedOperation(
        "PUT",
        _PATH,
        "uploadFile",
        "Send a file that an answer is going to refer to (§8.13)",
        "to be one of those asked",
        {200: "attachment-reply.json", 201: "attachment-reply.json"},
        (*_NOT_NOW, StreamConflict, UnsupportedMediaType, PayloadTooLarge),
        query=(
            QueryParameter(
                "name",
                {"type": "string", "maxLength": _LONGEST_NAME},
                "What the file is called; what is no part of a name is taken away.",
            ),
        ),
        octets="The file, as the media type that it has; at most what the request's schema says.",
        replays=True,
        handler=upload,
    ),
    ServedOperation(
        "GET",
        _PATH,
        "downloadFile",
        "Hand out a file (§8.13)",
        "to be one of those asked, or `run:read:{run_id}`",
        {},
        (RunNotFound, InputNotFound, NotFound),
        gives_octets="The file, always as `application/octet-stream` and as a download.",
        handler=download,
    ),
    ServedOperation(
        "DELETE",
        _PATH,
        "removeFile",
        "Take away a file that no answer has (§8.13)",
        "to be one of those asked, and to have sent it",
        {},
        (RunNotFound, InputNotFound, NotInAudience, NotFound),
        handler=remove,
    ),
)
