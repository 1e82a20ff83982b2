"""What a person sends: the body of an answer (protocol, section 8.1), read from whatever JSON came."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from signoff.errors import BadRequest
from signoff.streams import offset
from signoff.timestamps import is_rfc3339
from signoff.workflow import codec

if TYPE_CHECKING:
    from signoff.workflow.input.decide import Who

BACK: Final = "back"
"""The action that leaves a page as it is, filled in half or wrongly; nobody checks its value against the schema."""


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A submission; see the protocol, section 8.1."""

    submission_id: str
    action: str
    value: Any
    seen_offset: str
    asked_at: str | None = None

    def is_for(self, row: Mapping[str, Any]) -> bool:
        """Return True unless the answer names another request than this one, which stood at its place before.

        The place is the run's id and the key. Another run may have taken the id of one that was deleted, and one that
        was rewound may have asked anew; offsets alone do not tell.
        """
        return is_meant(self.asked_at, row)


def is_meant(asked_at: str | None, row: Mapping[str, Any]) -> bool:
    """Return True unless `asked_at` names another request than the one of this row."""
    return asked_at is None or asked_at == row["asked_at"]


FileFaults = Callable[[dict[str, Any], Any], list[dict[str, str]]]
"""Given the row of a request and a schema, says what is wrong with the attachments of an answer (`uploaded.py`)."""

_MEMBERS = ("submission_id", "action", "value", "seen_offset")
_ASKED_AT = "asked_at"
_DEEPEST = 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def parse_answer(body: Any) -> AnswerRequest:
    """Read the body of an answer, whatever JSON it is.

    Raises:
        BadRequest: a member is missing, unknown or malformed; the detail names it.
    """
    if not isinstance(body, dict):
        raise BadRequest(f"An answer is a JSON object with the members {', '.join(_MEMBERS)}.")
    missing = [name for name in _MEMBERS if name not in body]
    if missing:
        raise BadRequest(f"The answer lacks the member `{missing[0]}`; nothing was recorded.", member=missing[0])
    unknown = sorted(str(name) for name in body.keys() - {*_MEMBERS, _ASKED_AT})
    if unknown:
        raise BadRequest(f"The answer has the unknown member {unknown[0]!r:.100}; nothing was recorded.")
    submission_id, action, value, seen = (body[name] for name in _MEMBERS)
    if not (isinstance(submission_id, str) and 1 <= len(submission_id) <= 128 and _visible(submission_id)):
        raise _malformed("submission_id", "1 to 128 visible ASCII characters")
    if not (isinstance(action, str) and 1 <= len(action) <= 128 and not _CONTROL.search(action)):
        raise _malformed("action", "1 to 128 characters, none of them a control character")
    if not (isinstance(seen, str) and _is_offset(seen)):
        raise _malformed("seen_offset", "the `revised` of the row that was shown, or -1")
    asked_at = body.get(_ASKED_AT)
    if _ASKED_AT in body and not is_rfc3339(asked_at):
        raise _malformed(_ASKED_AT, "the `asked_at` of the row that was shown, or absent")
    if _too_deep(value):
        raise _malformed("value", f"nested at most {_DEEPEST} deep")
    return AnswerRequest(submission_id, action, value, seen, asked_at)


def _malformed(member: str, rule: str) -> BadRequest:
    return BadRequest(f"`{member}` of an answer must be {rule}; nothing was recorded.", member=member)


def _visible(text: str) -> bool:
    return all("!" <= character <= "~" for character in text)


def _is_offset(text: str) -> bool:
    return text == offset.START or (len(text) == offset.WIDTH and text.isascii() and text.isdigit())


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


class EncodedAnswer(NamedTuple):
    """An answer as it is kept and compared.

    Attributes:
        value: as the journal has it.
        digest: of all that was sent, to tell a retry from a reuse.
        size: bytes of all that was sent, in canonical form.
    """

    value: Any
    digest: str
    size: int

    @classmethod
    def of(cls, key: str, request: AnswerRequest, who: Who) -> EncodedAnswer:
        """Encode an answer of somebody to the request `key`."""
        value = codec.encode(request.value)
        sent = codec.canonical([key, request.action, value, who.by.kind, who.by.id])
        return cls(value, codec.digest_of(sent), len(sent))
