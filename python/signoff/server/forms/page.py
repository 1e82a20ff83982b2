"""Whole pages: a request with its forms, and what became of an answer, as HTML without scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from signoff.server.forms.fields import Drawing
from signoff.server.forms.markdown import formatted
from signoff.server.forms.style import STYLE
from signoff.server.forms.words import Html, paragraphs, table, tag

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every page: its own style and nothing else."""

_SEEN: Final = ("title", "description", "deadline", "form", "choices")
_MOST_SEEN: Final = 50
_WORDS: Final = {
    "title": "the title",
    "description": "the description",
    "deadline": "the deadline",
    "form": "what is to be filled in",
    "choices": "what may be chosen",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody sent, when the page comes up again.

    Attributes:
        action: that was chosen; of which the value is.
        value: as it was read.
        faults: what is wrong with it: `pointer`, `message`.
        more: paths of lists that are to have more blank rows.
    """

    action: str | None = None
    value: Any = None
    faults: Sequence[Mapping[str, str]] = ()
    more: frozenset[str] = frozenset()


def document(title: str, *body: Html | None) -> bytes:
    """Return a whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(STYLE)),
    )
    page = tag("html", head, tag("body", tag("main", *body)), lang="en")
    return f"<!doctype html>\n{page}\n".encode("utf-8", "replace")


def message(heading: str, words: str, *more: Html | None, kind: str = "note") -> bytes:
    """Return a page that says one thing."""
    return document(heading, tag("h1", heading), tag("div", paragraphs(words), class_=kind), *more)


def request_page(
    row: Mapping[str, Any], actions: Sequence[str], attempt: Attempt | None = None, notice: str | None = None
) -> bytes:
    """Return the page of a pending request.

    Args:
        row: the request.
        actions: those that may be chosen here, all of them offered.
        attempt: what was sent and comes up again.
        notice: what to say first.
    """
    attempt = attempt or Attempt(faults=row["errors"])
    shown = None if row["show"] is None else tag("section", tag("h2", "What it is about"), table(row["show"]))
    described = formatted(row["description"]) if row["description"] else None
    until = tag("p", "Answer before ", tag("time", _when(row["deadline"])), class_="help") if row["deadline"] else None
    told: list[tuple[str, str, str]] = []
    forms = [_form(row, group, attempt, number, told) for number, group in enumerate(_groups(row, actions))]
    where = tag("ul", *(tag("li", tag("a", label, href=f"#{id_}"), f": {words}") for id_, label, words in told))
    first = tag("div", paragraphs(notice), where if told else None, class_="error", role="alert") if notice else None
    return document(row["title"], tag("h1", row["title"]), first, described, until, shown, *forms)


def _groups(row: Mapping[str, Any], actions: Sequence[str]) -> list[list[str]]:
    """Return the actions, those together that take the same."""
    groups: dict[str, list[str]] = {}
    for action in actions:
        own = "schema" in row["choices"][action]
        groups.setdefault(json.dumps(row["choices"][action]["form"]) if own else "", []).append(action)
    return list(groups.values())


def _form(
    row: Mapping[str, Any], group: Sequence[str], attempt: Attempt, number: int, told: list[tuple[str, str, str]]
) -> Html:
    """Return the form of some actions; what is wrong in it is added to what is `told`."""
    fields = form_for(row, group[0])
    mine = attempt.action is None or attempt.action in group
    faults: dict[str, list[str]] = {}
    for fault in attempt.faults if mine else ():
        faults.setdefault(fault["pointer"], []).append(fault["message"])
    drawing = Drawing(f"g{number}", faults, attempt.more if mine else frozenset())
    value = attempt.value if mine and attempt.action is not None else row["initial"]
    drawn = None if fields is None else drawing.form(fields, value)
    told += drawing.told
    left = [f"{at}: {one}" if at else one for at, said in drawing.faults.items() for one in said]
    rest = tag("div", *(tag("p", one) for one in left), class_="error", role="alert") if left else None
    hidden = {
        "submission_id": secrets.token_urlsafe(18),
        "seen_offset": row["revised"],
        "asked_at": row["asked_at"],
        "seen": seen_of(row),
        "group": group[0],
    }
    several = tag("h2", row["choices"][group[0]]["label"]) if number and fields else None
    return tag(
        "form",
        *(tag("input", type="hidden", name=name, value=given) for name, given in hidden.items()),
        # What Enter in a field does is the first button's: this one decides nothing.
        tag("button", "Show again", type="submit", name="add", value="", class_="first", tabindex="-1"),
        several,
        rest,
        drawn,
        tag("div", *(_button(row, action) for action in group), class_="actions"),
        method="post",
        enctype="multipart/form-data" if drawing.files else None,
        novalidate=True,
        autocomplete="off",
    )


def _button(row: Mapping[str, Any], action: str) -> Html:
    choice = row["choices"][action]
    asked = tag("p", choice["confirm"], class_="help") if choice["confirm"] else None
    button = tag("button", choice["label"], type="submit", name="action", value=action, class_=choice["intent"])
    return tag("div", button, asked)


def form_for(row: Mapping[str, Any], action: str) -> Any:
    """Return the fields of what an action takes; None where it takes nothing."""
    choice = row["choices"][action]
    return choice["form"] if "schema" in choice else row["form"]


def ended_page(row: Mapping[str, Any]) -> bytes:
    """Return the page of a request that is decided, as far as its row tells."""
    by = row["decided_by"] or {}
    who = {"person": by.get("id"), "operator": "an operator", "timeout": "its deadline"}.get(
        str(by.get("kind")), "its rules"
    )
    when = f"on {_when(row['decided_at'])}"
    reason = f"\n\n{row['reason']}" if row["reason"] else ""
    match row["status"]:
        case "expired":
            return message("Too late", f"“{row['title']}”: the time to answer is over. Nothing was recorded.")
        case "withdrawn":
            return message("Taken back", f"“{row['title']}” is not asked any more, {when}.{reason}")
    label = row["choices"].get(row["action"], {}).get("label", row["action"])
    return message("Already decided", f"“{row['title']}”: {label}, by {who}, {when}.{reason}")


def accepted_page(row: Mapping[str, Any], outcome: str, action: str) -> bytes:
    """Return the page for an answer that was taken.

    Args:
        row: the request as the answer has left it.
        outcome: `accepted`, `voted` or `validating`.
        action: that was chosen.
    """
    what = f"“{row['title']}”: {row['choices'].get(action, {}).get('label', action)}."
    match outcome:
        case "voted":
            same = sum(vote["action"] == action for vote in row["votes"])
            need = row["quorum"]["need"] if row["quorum"] else same
            return message("Your vote counts", f"{what} {same} of {need} agree so far.", kind="good")
        case "validating":
            return message("Being checked", f"{what} Your answer is being checked; it is kept until then.")
    return message("Thank you", f"{what} Your answer is recorded. You can close this page.", kind="good")


def used_page(row: Mapping[str, Any], outcome: str, who: str) -> bytes:
    """Return the page of a link that was good for one answer, once that was given.

    Args:
        row: the request as the answer has left it.
        outcome: `accepted` or `voted`.
        who: the person whom the link is for.
    """
    votes = [vote["action"] for vote in row["votes"] if vote["by"]["id"] == who]
    action = votes[-1] if outcome == "voted" and votes else row["action"]
    if action is None:  # they went back a page, and it is asked again
        return message("This link was used", f"“{row['title']}”: your answer is recorded.", kind="good")
    return accepted_page(row, outcome, action)


def seen_of(row: Mapping[str, Any]) -> str:
    """Return short digests of what a page shows, so that a later one can say what changed."""
    return json.dumps({name: _short(value) for name, value in _parts(row).items()})


def changed_since(row: Mapping[str, Any], seen: str) -> list[str]:
    """Return what is other than a page had shown, in words; nothing if that cannot be told."""
    return [_WORDS.get(name, name.removeprefix("show.")) for name in _changed(row, seen)]


def _changed(row: Mapping[str, Any], seen: str) -> list[str]:
    try:
        before = json.loads(seen)
    except (ValueError, RecursionError):
        return []
    if not isinstance(before, dict):
        return []
    now = _parts(row)
    names = [name for name in [*now, *(one for one in before if one not in now)] if isinstance(name, str)]
    return [
        name for name in names[: 2 * _MOST_SEEN] if before.get(name) != (_short(now[name]) if name in now else None)
    ]


def _parts(row: Mapping[str, Any]) -> dict[str, Any]:
    parts = {name: row[name] for name in _SEEN}
    show = row["show"] if isinstance(row["show"], dict) else {"what it is about": row["show"]}
    return parts | {f"show.{name}": value for name, value in list(show.items())[:_MOST_SEEN]}


def _short(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


def _when(time: str | None) -> str:
    return "" if time is None else f"{time[:10]} {time[11:16]} UTC"
