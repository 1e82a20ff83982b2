"""What is kept of a decision for whoever asks later: what the person was shown, and by what they were known."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import orjson

from signoff.streams import offset
from signoff.workflow.input.state import InputState

_WHICH: Final = ("run_id", "id", "revised")
SHOWN: Final = (*_WHICH, "title", "description", "schema", "ui", "show", "initial", "actions", "choices")
"""Members of a row that are the same from one revision to the next: what a person saw at any offset in between."""


def shown_revision(state: InputState) -> dict[str, Any]:
    """Return the revision of a request that people see, until it is revised again."""
    return {name: state.row[name] for name in SHOWN if name in state.row}


def digest_of(revision: dict[str, Any]) -> str:
    """Return SHA-256 over a revision as JSON with sorted members and no white space, in hexadecimal."""
    return sha256(orjson.dumps(revision, option=orjson.OPT_SORT_KEYS)).hexdigest()


def said_to_have_seen(
    state: InputState, offset_: str | None, tail: int, via: str | None, *, another: bool = False
) -> dict[str, Any]:
    """Return the evidence of an act that is refused: with a digest only if what the request shows can have been seen.

    Args:
        state: the request.
        offset_: up to which the person says to have read the run's stream; None: they do not say.
        tail: the number of messages in that stream.
        via: as of `seen`.
        another: it was another request that they saw, which had stood at the same place.
    """
    evidence: dict[str, Any] = {} if via is None else {"via": via}
    if offset_ is None:
        return evidence
    if not another and offset.decode(state.row["revised"]) <= offset.decode(offset_) <= tail:
        return {"seen": offset_, "digest": digest_of(shown_revision(state)), **evidence}
    return {"seen": offset_, **evidence}


def shown_to(state: InputState, via: str | None) -> dict[str, Any]:
    """Return the evidence of an act that does not say what was seen: what the request showed when it was done."""
    evidence = {"digest": digest_of(shown_revision(state))}
    return evidence if via is None else {**evidence, "via": via}


def seen(state: InputState, offset: str, via: str | None) -> dict[str, Any]:
    """Return the evidence of an act: what was seen, and what proves who acted.

    Args:
        state: the request; the act is not stale, so what was seen is what it shows.
        offset: up to which the person had read the run's stream.
        via: such as `token:{jti}`; None: nothing that has a name.
    """
    evidence = {"seen": offset, "digest": digest_of(shown_revision(state))}
    return evidence if via is None else {**evidence, "via": via}
