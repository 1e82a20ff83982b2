"""Errors as HTTP tells them: problem documents (RFC 9457), `application/problem+json`.

Every error of the tree carries its status and its words, so there is nothing to decide here. What is said of the inside
(a store's `detail`) goes to the log; what is not of the tree is a defect: the caller gets a reference, the log gets the
traceback.
"""

from __future__ import annotations

import logging
import secrets
import time
from typing import Any, Final

import orjson

from signoff.errors import SignoffError, Unauthorized
from signoff.server.http.reply import Header, Reply

log = logging.getLogger("signoff.server")

URN = "urn:signoff:problem:"


def document(error: SignoffError) -> dict[str, Any]:
    """Return the problem document's members."""
    return {
        "type": URN + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.public_detail,
        "code": error.code,
        **{name: value for name, value in error.extra.items() if name not in _OWN},
    }


_OWN = frozenset({"type", "title", "status", "detail", "code"})


def problem(error: Exception) -> Reply:
    """Answer with what went wrong; log what nobody foresaw.

    Example:
        >>> problem(RunNotFound("There is no run 'r9'.")).status
        404
    """
    if not isinstance(error, SignoffError):
        error = defect(error)
    elif error.public_detail != error.detail:
        _say(f"{error.code}: {error.detail}")
    headers: list[Header] = [(b"content-type", b"application/problem+json")]
    if isinstance(error, Unauthorized):
        headers.append((b"www-authenticate", b"Bearer"))
    if error.status == 503:
        headers.append((b"retry-after", b"1"))
    if error.status == 429:
        headers.append((b"retry-after", b"%d" % error.extra.get("retry_after", 1)))
    if "allow" in error.extra:
        headers.append((b"allow", error.extra["allow"].encode("ascii")))
    return Reply(error.status, _body(document(error)), tuple(headers))


def defect(error: Exception, who: str = "The server met a defect of its own.") -> SignoffError:
    """Log what nobody foresaw, and return what is told of it.

    Args:
        error: with its traceback.
        who: has it, as a sentence.
    """
    reference = secrets.token_hex(6)
    log.error("unexpected error, reference %s", reference, exc_info=error)
    return SignoffError(f"{who} Ask its operator to look for {reference} in the log.", reference=reference)


SILENT_S: Final = 60.0
"""Seconds in which the same is logged once: a disk that is full is full for everybody who asks."""

_said: dict[str, float] = {}


def _say(text: str) -> None:
    now = time.monotonic()
    if now < _said.get(text, now):
        return
    if len(_said) >= 100:
        _said.clear()
    _said[text] = now + SILENT_S
    log.error("%s", text)


def _body(members: dict[str, Any]) -> bytes:
    # What a caller sent may come back in a detail, lone surrogates included; a problem must always be sayable.
    try:
        return orjson.dumps(members)
    except TypeError:
        safe = {name: value if isinstance(value, int) else str(value) for name, value in members.items()}
        return orjson.dumps(
            {
                name: value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
                for name, value in safe.items()
            }
        )
