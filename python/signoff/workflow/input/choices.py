"""What a person may choose at a request: how each action is shown, and what it takes (protocol, section 5.6)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from signoff.workflow import codec
from signoff.workflow.entry import Encoded
from signoff.workflow.input.form import MOST_BYTES, form_of
from signoff.workflow.input.scalar_fields import readable
from signoff.workflow.input.submission import BACK

FORM_ACTIONS: Final = frozenset({"submit", "approve", "edit", "respond"})
"""Actions without a schema of their own whose value must match that of the request. With others (`reject`, …) the value
may be null."""

INTENTS: Final = ("positive", "negative", "neutral")

_POSITIVE: Final = frozenset({"approve", "submit", "next"})
_NEGATIVE: Final = frozenset({"reject", "deny"})


def usual_label(action: str) -> str:
    """Return what an action is called where nobody says otherwise."""
    return readable(action)


def usual_intent(action: str) -> str:
    """Return what an action means where nobody says otherwise."""
    return "positive" if action in _POSITIVE else "negative" if action in _NEGATIVE else "neutral"


def with_choices(row: dict[str, Any], recorded: Any) -> dict[str, Any]:
    """Return a row with the members `form` and `choices` that follow from the others.

    They are made anew wherever a row is made, and recorded nowhere: a later release that makes better ones changes no
    journal.

    Args:
        row: of a request.
        recorded: of each action what is not as usual: `label`, `intent`, `confirm`, and `schema` if it has its own.
    """
    recorded = recorded if isinstance(recorded, dict) else {}
    said = {action: recorded[action] for action in row["actions"] if action in recorded}
    ui = row["ui"]
    # What a person is shown goes to each inbox, so the forms share what one may have.
    forms = sum(isinstance(choice, dict) and bool(choice.get("schema")) for choice in said.values())
    room = MOST_BYTES // (forms or 1)
    choices = {action: _choice(action, said.get(action), ui, room) for action in row["actions"]}
    typed = any("schema" in choice for choice in choices.values())
    form = None if typed and not row["schema"] else form_of(row["schema"], ui)
    return row | {"form": form, "choices": choices}


@lru_cache(maxsize=512)
def _usual_choice(action: str) -> dict[str, Any]:
    # Shared by all rows that offer it: they are written, and never changed.
    return {"label": usual_label(action), "intent": usual_intent(action), "confirm": None}


def _choice(action: str, said: Any, ui: dict[str, Any], room: int) -> dict[str, Any]:
    if not isinstance(said, dict):
        return _usual_choice(action)
    label, intent, confirm, schema = (said.get(name) for name in ("label", "intent", "confirm", "schema"))
    choice = {
        "label": label if isinstance(label, str) and label else usual_label(action),
        "intent": intent if intent in INTENTS else usual_intent(action),
        "confirm": confirm if isinstance(confirm, str) else None,
    }
    if "schema" in said and isinstance(schema, dict | None):
        choice |= {"schema": schema, "form": None if schema is None else form_of(schema, ui, room)}
    return choice


def schema_for(row: dict[str, Any], action: str) -> dict[str, Any] | None:
    """Return the schema of what an action takes; None if it takes nothing."""
    choice = row["choices"].get(action, {})
    schema: dict[str, Any] | None = choice["schema"] if "schema" in choice else row["schema"]
    return schema


def as_shown(row: dict[str, Any], action: str, value: Encoded) -> Any:
    """Return the value of an answer as rows show it: without what any schema calls secret by which it was filled in."""
    plain = codec.shown(value)
    for each in row["actions"] if action == BACK else (action,):
        plain = codec.conceal(plain, schema_for(row, each) or {})
    return plain


def as_begun(row: dict[str, Any], action: str, value: Any) -> Any:
    """Return a plain value that a form is to begin with: without what the schemas of its actions call secret."""
    for each in row["actions"] if action == BACK else (action,):
        value = codec.leave_out(value, schema_for(row, each) or {})
    return value


def may_be_left_out(row: dict[str, Any], action: str) -> bool:
    """Tell whether an action may come without a value."""
    choice = row["choices"].get(action, {})
    return action == BACK or (choice["schema"] is None if "schema" in choice else action not in FORM_ACTIONS)
