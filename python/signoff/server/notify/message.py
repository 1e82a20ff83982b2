"""What a message to a person says of a request: plain text, for mail and chat alike."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from signoff.timestamps import rfc3339
from signoff.workflow.notice import RequestEvent

LONGEST_TITLE: Final = 200
LONGEST_DESCRIPTION: Final = 2_000
"""Characters of what the workflow says; the rest is behind the link."""

_BEFORE: Final = {
    "asked": "",
    "reminded": "Reminder: ",
    "escalated": "Escalated: ",
    "revised": "Changed: ",
    "decided": "Decided: ",
    "expired": "Expired: ",
    "withdrawn": "Withdrawn: ",
}
_ENDED: Final = {
    "decided": "This was decided ({action}). Nothing is left to do.",
    "expired": "Nobody decided this in time. Nothing is left to do.",
    "withdrawn": "This is not asked any more. Nothing is left to do.",
}
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class RequestMessage:
    """A message; its link is for one person, and whoever has it decides."""

    title: str
    body: str

    def __repr__(self) -> str:
        """Return it without the link."""
        return f"RequestMessage({self.title!r})"


def concerns(row: Mapping[str, Any], event: RequestEvent) -> bool:
    """Tell whether those whom an event is for can still do what it asks of them.

    It may have waited: meanwhile somebody has decided, the request was handed on, or it is another one that stands
    there, of a run that has got the id of a deleted one.
    """
    if rfc3339(event.at) < row["asked_at"]:
        return False
    if row["status"] not in {"pending", "validating"}:
        return False
    who = set(event.to)
    voted = {vote["by"]["id"] for vote in row["votes"]}
    if event.event in {"reminded", "escalated"} and event.to[0] in voted:
        return False
    return not who.isdisjoint(row["audience"]) and who.isdisjoint(row["forbid"])


def invitation(event: RequestEvent, row: Mapping[str, Any], link: str, *, own: bool) -> RequestMessage:
    """Return what asks somebody to decide.

    Args:
        row: the request, as it is now.
        link: where to decide.
        own: the link is signed for the one person that gets it.
    """
    parts = [f"You are asked to decide: {one_line(row['title'])}"]
    if row["description"]:
        parts.append(_cut(row["description"].strip(), LONGEST_DESCRIPTION))
    facts = [f"To choose from: {', '.join(_labels(row))}"]
    if row["deadline"] is not None:
        facts.append(f"Due: {_time(row['deadline'])}")
    parts.append("\n".join(facts))
    parts.append(f"Decide here:\n{link}")
    if own:
        parts.append("The link is for you alone: whoever has it decides in your name.")
    return RequestMessage(_title(event, row["title"]), "\n\n".join(parts))


def ending(event: RequestEvent) -> RequestMessage:
    """Return what tells somebody that there is nothing left to do."""
    said = _ENDED[event.event].format(action=one_line(event.action or "submit"))
    return RequestMessage(_title(event, event.title), f"{one_line(event.title)}\n\n{said}")


def one_line(text: str) -> str:
    """Return a text without line breaks and what nobody sees; a title that becomes a header of a mail is no more."""
    return _UNSEEN.sub(" ", text).strip()


def _title(event: RequestEvent, title: str) -> str:
    return _cut(f"{_BEFORE[event.event]}{one_line(title)}", LONGEST_TITLE)


def _labels(row: Mapping[str, Any]) -> Sequence[str]:
    return [one_line((row["choices"].get(action) or {}).get("label") or action) for action in row["actions"]]


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _time(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"
