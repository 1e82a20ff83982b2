"""Approvals that are remembered: how far whoever approves may say it for the next times too.

A grant is the answered request that it was given with: its id is `RUN/KEY`, it is there from the answer's commit on,
and gone with the request (a rewind) or the run. It is looked up when a tool is proposed the next time, and what was
found is in the journal, as who has decided. That it is revoked is no entry, since the run may have ended: the run
remembers it under the id of the answer, in the scope `REVOKED`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field, create_model

from signoff.frozen import frozen
from signoff.timestamps import rfc3339
from signoff.workflow import codec
from signoff.workflow.input.entries import InputAnswered
from signoff.workflow.input.state import InputState

SCOPES: Final = ("run", "tool")
"""For this tool in this run; for this tool in all runs of this workflow that the same person has started."""

REVOKED: Final = "revoked"
"""The scope in which a run remembers that a grant is revoked, under the id of the answer it was given with."""

ALL_GRANTS: Final = "grants"
"""The term of all requests that an approval was remembered of."""


@frozen
class Grant:
    """A remembered approval that applies to a tool that is proposed.

    Attributes:
        id: `RUN/KEY` of the request it was given with.
        by: who has given it.
        at: when, RFC 3339.
    """

    id: str
    by: str
    at: str

    @property
    def reason(self) -> str:
        """Return why a tool is approved by it, for everybody who sees the request."""
        return f"{self.by} approved this for the next times too, at {self.at} ({self.id})"


def check_scopes(remember: Collection[str], options: Mapping[str, Any]) -> list[str]:
    """Return the scopes that are offered, in order.

    Raises:
        TypeError, ValueError: one is unknown, or it is asked for with a quorum.
    """
    if isinstance(remember, str) or not set(remember) <= set(SCOPES):
        raise TypeError(f"`remember` of a tool are some of {', '.join(SCOPES)}, not {remember!r:.100}.")
    if remember and "quorum" in options:
        raise ValueError("An approval by a quorum is not remembered: one of them cannot speak for all. Leave one out.")
    return [scope for scope in SCOPES if scope in remember]


@lru_cache(maxsize=8)
def remember_type(scopes: tuple[str, ...]) -> Any:
    """Return what whoever approves may fill in, or leave out."""
    choice: Any = Literal["none", *scopes]
    fields: dict[str, Any] = {
        "remember": (choice, Field("none", title="Remember for")),
        "until": (AwareDatetime | None, Field(None, title="Until")),
        "same_args": (bool, Field(False, title="Only with the same arguments")),
    }
    model: Any = create_model("Remember", **fields)
    return Annotated[model | None, Field(title="Remember this approval")]


def with_grant(state: InputState, entry: InputAnswered, run: Mapping[str, Any]) -> InputState:
    """Return an answered request with the grant that its answer asks for, if it does.

    Args:
        state: the request, answered by the entry.
        entry: the answer.
        run: the run's row. What was copied by a fork grants nothing there: it was given in the other run.
    """
    tool = state.policy.get("tool")
    if tool is None or entry.action != "approve" or entry.by.kind not in {"person", "operator"}:
        return state
    said = codec.shown(entry.value)
    if not isinstance(said, dict) or said.get("remember") not in tool["remember"]:
        return state
    if "forked_from" in run and rfc3339(entry.at) <= run["created_at"]:
        return state
    shown = {"scope": said["remember"], "until": said.get("until"), "same_args": bool(said.get("same_args"))}
    grant = {"answer": entry.submission_id, "starter": run["started_by"], **shown}
    row = state.row | {"tool": state.row["tool"] | {"remembered": shown}}
    return replace(state, row=row, policy=state.policy | {"grant": grant})


def is_grant(state: InputState) -> bool:
    """Tell whether a request is one that an approval was remembered of."""
    return "grant" in state.policy and state.row["status"] == "answered" and state.row["action"] == "approve"


def terms_of_grant(state: InputState) -> list[str]:
    """Return what a grant is found by; nothing of a request that is none."""
    if not is_grant(state):
        return []
    grant, row = state.policy["grant"], state.row
    found_by = term(grant["scope"], row["tool"]["name"], row["run_id"], row["workflow"], grant["starter"])
    return [ALL_GRANTS, f"{ALL_GRANTS}/{row['decided_by']['id']}", found_by]


def term(scope: str, tool: str, run_id: str, workflow: str, starter: str | None) -> str:
    """Return what the grants of a scope are found by, for a tool in a run."""
    where = [run_id] if scope == "run" else [workflow, starter]
    return f"grant/{scope}/{codec.digest([tool, *where])}"


def applies(grant: InputState, asked: InputState, now_ms: int) -> bool:
    """Tell whether a grant that is not revoked approves what is asked.

    It speaks for whoever has given it: the same are asked as then, and that person could approve this one too. What is
    kept apart from other requests is left to people.

    Args:
        grant: the request it was given with.
        asked: the request that proposes a tool.
        now_ms: milliseconds.
    """
    if not is_grant(grant) or asked.policy.get("apart"):
        return False
    said, tool, who = grant.policy["grant"], asked.policy["tool"], grant.row["decided_by"]["id"]
    groups = {one for one in asked.forbid if one.startswith("group:")}
    return (
        said["scope"] in tool["remember"]
        and tool["name"] == grant.row["tool"]["name"]
        and (said["until"] is None or now_ms < datetime.fromisoformat(said["until"]).timestamp() * 1000)
        and (not said["same_args"] or tool["args"] == grant.policy["tool"]["args"])
        and set(asked.to) == set(grant.to)
        and who not in asked.forbid
        and groups <= set(grant.forbid)
    )
