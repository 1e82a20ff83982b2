"""The rules of files that are attached to answers: who may send one, what may be sent, and which an answer may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from signoff.errors import BadRequest, BeingValidated, Expired, PayloadTooLarge, UnsupportedMediaType
from signoff.frozen import frozen
from signoff.pointers import escaped
from signoff.workflow.claim import lease
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.attachment import FORMAT, KEYWORD, accepts, is_reference, limits_of, shown_size
from signoff.workflow.input.decide import Who, already_decided, check_audience, is_late
from signoff.workflow.input.state import InputState

NOT_THERE: Final = "This file was not attached here by you, or is not there any more; attach it again."


@frozen
class UploadedFile:
    """What the engine knows of a file.

    Attributes:
        reference: as an answer has it.
        key: `name:n` of the request it was sent for.
        by: who sent it.
    """

    reference: dict[str, Any]
    key: str
    by: DecidedBy


def check_upload(state: InputState, who: Who, now_ms: int) -> None:
    """Refuse files of whoever could not answer now.

    Raises:
        NotInAudience: they were not asked.
        AlreadyDecided, Expired, Withdrawn: it is decided; with the current `row`.
        ClaimedByOther, NotClaimed: somebody else works on it, or somebody has to first.
        BeingValidated: an answer is judged just now.
    """
    check_audience(state, who)
    if not state.pending:
        raise already_decided(state.row)
    if is_late(state, now_ms):
        raise Expired(f"The deadline of {state.row['id']} has passed; no file was kept.", row=state.row)
    lease.check_claim(state, who.by, now_ms)
    if state.validating:
        raise BeingValidated(
            f"An answer to {state.row['id']} is being checked just now; no file was kept. Look again in a moment.",
            row=state.row,
        )


def most_bytes(state: InputState, type_: str, size: int | None) -> int:
    """Return how many bytes a file of a media type may have that is sent for a request.

    A file is held to what its own field says when the answer is sent; here to the widest of the request.

    Args:
        state: the request.
        type_: as whoever sends it says.
        size: as they say; None: they do not.

    Raises:
        BadRequest: it takes no files.
        UnsupportedMediaType: none of this type.
        PayloadTooLarge: none so large.
    """
    row = state.row
    rules = [rule for schema in _schemas(row) for rule in limits_in(schema)]
    if not rules:
        raise BadRequest(f"The request {row['id']} takes no files; nothing was kept.")
    fitting = [rule for rule in rules if accepts(rule.get("types"), type_)]
    if not fitting:
        taken = ", ".join(sorted({str(one) for rule in rules for one in rule["types"]}))
        raise UnsupportedMediaType(f"The request {row['id']} takes files of {taken}, not {type_}; nothing was kept.")
    most: int = max(rule["maxBytes"] for rule in fitting)
    if size is not None and size > most:
        raise too_large(most)
    return most


def takes_files(row: Mapping[str, Any]) -> bool:
    """Return True if an answer to a request can have files."""
    return any(True for schema in _schemas(row) for _ in limits_in(schema))


def too_large(most: int) -> PayloadTooLarge:
    """Return the refusal of a file that has more bytes than it may have."""
    return PayloadTooLarge(f"A file has {shown_size(most)} here at most; nothing of it was kept.", limit=most)


def _schemas(row: Mapping[str, Any]) -> list[Any]:
    return [row["schema"], *(choice.get("schema") for choice in row["choices"].values())]


def limits_in(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield what a schema says of each kind of file that it takes, as `limits_of` does."""
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left += part
        elif isinstance(part, dict):
            if part.get("format") == FORMAT:
                yield limits_of(part.get(KEYWORD))
            left += part.values()


def references_in(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what looks like an attachment within a value, each with the JSON Pointer to it."""
    left: list[tuple[str, Any]] = [("", value)]
    while left:
        pointer, part = left.pop()
        if isinstance(part, list):
            left += ((f"{pointer}/{index}", one) for index, one in enumerate(part))
        elif isinstance(part, dict):
            if "sha256" in part and is_reference(part):
                yield pointer, part
            else:
                left += ((f"{pointer}/{escaped(name)}", one) for name, one in part.items())


def shows(row: Any, reference: dict[str, Any]) -> bool:
    """Return True if a request's row has this attachment: shown with it, filled in beforehand, or accepted."""
    return any(one == reference for _, one in references_in(row))


def file_faults(
    row: Mapping[str, Any], schema: Any, value: Any, by: DecidedBy, files: Mapping[str, UploadedFile]
) -> list[dict[str, str]]:
    """Return what is wrong with the attachments of an answer, as `[{"pointer", "message"}]`.

    One must be whole and as it says, and sent for this request by whoever answers it; or it stands in the request
    itself, since the code has shown it or filled it in.

    Args:
        row: of the request.
        schema: of what is answered with.
        value: what was sent.
        by: who answers.
        files: those of the run that the value could mean, by their id.
    """
    found = list(references_in(value))
    if not found or next(limits_in(schema), None) is None:
        return []
    return [{"pointer": pointer, "message": NOT_THERE} for pointer, one in found if not _good(one, row, by, files)]


def _good(one: dict[str, Any], row: Mapping[str, Any], by: DecidedBy, files: Mapping[str, UploadedFile]) -> bool:
    file = files.get(file_id(one))
    if file is None or file.reference != one:
        return False
    return (file.key == row["id"] and file.by == by) or shows(row, one)


def file_id(reference: Mapping[str, Any]) -> str:
    """Return the id of the file that an attachment refers to, unique in its run."""
    return str(reference["stream"]).rpartition("/")[2]
