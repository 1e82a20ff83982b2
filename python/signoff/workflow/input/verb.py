"""What people and operators may do to a request for input, beside answering it; declared once, beside its rule.

From a `RequestVerb` follow the endpoint `POST /v1/runs/{run_id}/inputs/{key}/{name}`, its operation in the OpenAPI
document, the command `signoff NAME RUN KEY`, and what the clients' `act_on` takes. A new one is a `decide` function and
its `RequestVerb` in the `REQUEST_VERBS` of its noun's `decide.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from signoff.errors import InputNotFound, SignoffError
from signoff.shapes import Shape, moment
from signoff.workflow.decision import AlreadyDone, AppendEntries, Loaded, with_evidence
from signoff.workflow.entry import Entry
from signoff.workflow.input.decide import Who, check_which
from signoff.workflow.input.evidence import shown_to
from signoff.workflow.input.state import InputState
from signoff.workflow.verb import Body, Member
from signoff.workflow.view import View

ASKED: Final = "asked"
"""Who may do what those may who were asked; the rule looks at who it is."""

ASKED_AT: Final = "asked_at"
"""The member of every verb's body that names the request, of all that stand at its place one after the other."""

InputRow = dict[str, Any]
RequestDecision = AppendEntries[InputRow] | AlreadyDone[InputRow]


@dataclass(frozen=True, slots=True)
class RequestVerb:
    """Something that may be done to a request for input.

    Attributes:
        name: in the address, on the command line and in clients.
        summary: an imperative sentence.
        section: of the protocol, e.g. `7.6`.
        decide: `(run, request, body, who, now in ms) -> decision`; pure.
        grant: who may: `ASKED`, or `OPERATOR`.
        members: of the body.
        refusals: what it may refuse with, beside what every one may.
        said: what the command says afterwards; `{run}` and `{key}` name the request, `{status}` is what it is then,
            `{to}` who is asked, `{by}` and `{until}` are of the claim.
        recalled: says in which scope, and under which id, the run may remember something that the rule has to know.
    """

    name: str
    summary: str
    section: str
    decide: Callable[[Loaded, InputState, Body, Who, int], RequestDecision]
    grant: str = ASKED
    members: tuple[Member, ...] = ()
    refusals: tuple[type[SignoffError], ...] = ()
    said: str = "The request {key} is {status}."
    recalled: Callable[[InputState], tuple[str, str] | None] | None = None

    @property
    def shape(self) -> Shape:
        """Return how the body is checked; whoever sends it may say which request they saw."""
        required = {member.name: member.check for member in self.members if member.required}
        optional = {one.name: one.check for one in self.members if not one.required}
        return Shape(required, {**optional, ASKED_AT: moment})

    @property
    def request(self) -> str:
        """Return the file of the body's schema."""
        return f"input-{self.name}-request.json"


def decide_on(verb: RequestVerb, run: Loaded, key: str, now_ms: int, *, body: Body, who: Who) -> RequestDecision:
    """Decide what becomes of a request.

    Raises:
        InputNotFound: nobody asked this.
        Stale: it is not the request that `asked_at` of the body names; with the current `row`.
        Whatever `verb.refusals` says.
    """
    request = run.view.inputs.get(key)
    if request is None:
        raise InputNotFound(f"The run {run.run.row['id']!r} has no request {key[:140]!r}.")
    check_which(request, body.get(ASKED_AT), "done")
    decision = verb.decide(run, request, body, who, now_ms)
    return with_evidence(decision, who.by, shown_to(request, who.via))  # type: ignore[return-value]


def written(run: Loaded, request: InputState, *entries: Entry) -> AppendEntries[InputRow]:
    """Return the decision to write entries about a request, whose row is the reply."""
    return AppendEntries(entries, partial(_row, request.row["id"]), wake_at=run.wake_at)


def unchanged(request: InputState) -> AlreadyDone[InputRow]:
    """Return the decision to leave a request as it is, because it is so already."""
    return AlreadyDone(request.row)


def _row(key: str, view: View, _tail: int) -> InputRow:
    return view.inputs[key].row
