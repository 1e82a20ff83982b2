"""What a person sends: the body of an answer (protocol, section 8.1), read from whatever JSON came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from signoff.errors import BadRequest
from signoff.streams import offset
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


_MEMBERS = ("submission_id", "action", "value", "seen_offset")
_DEEPEST = 64


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
    unknown = sorted(str(name) for name in body.keys() - set(_MEMBERS))
    if unknown:
        raise BadRequest(f"The answer has the unknown member {unknown[0]!r:.100}; nothing was recorded.")
    submission_id, action, value, seen = (body[name] for name in _MEMBERS)
    if not (isinstance(submission_id, str) and 1 <= len(submission_id) <= 128 and _visible(submission_id)):
        raise _malformed("submission_id", "1 to 128 visible ASCII characters")
    if not (isinstance(action, str) and 1 <= len(action) <= 128 and action.isprintable()):
        raise _malformed("action", "1 to 128 printable characters")
    if not (isinstance(seen, str) and _is_offset(seen)):
        raise _malformed("seen_offset", "the `revised` of the row that was shown, or -1")
    if _too_deep(value):
        raise _malformed("value", f"nested at most {_DEEPEST} deep")
    return AnswerRequest(submission_id, action, value, seen)


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
