"""What outsiders may do to a run, declared once, beside its rule.

From a `Verb` follow the endpoint `POST /v1/runs/{run_id}/{name}`, its operation in the OpenAPI document, the command
`signoff NAME RUN`, and what the clients' `act` takes. A new one is a `decide` function and its `Verb` in the `VERBS` of
its noun's `decide.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from signoff.errors import SignoffError
from signoff.shapes import Check, Shape, maybe, text
from signoff.workflow.decision import Decision, Loaded
from signoff.workflow.entry import DecidedBy

OPERATOR: Final = "operator"
"""The grant of those who may do everything."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a verb's body, and the command's option for it.

    Attributes:
        name: as it stands in the body; the option is `--name`, with `-` for `_`.
        check: returns the value to use, or raises `WrongValue`.
        help: what it is for, in a line.
        required: it must be there; then it is an argument of the command.
        switch: it is true or false; the option takes no value.
        many: it is a list; the option may be repeated.
        json: it is any JSON, which the option takes as such.
    """

    name: str
    check: Check
    help: str
    required: bool = False
    switch: bool = False
    many: bool = False
    json: bool = False


REASON: Final = Member("reason", maybe(text(1_000, least=0, lines=True)), "Why; for people, in the journal.")
"""What most verbs take, and many nothing else."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be loaded for a decision.

    Attributes:
        inputs: the requests that are pending, because they may be withdrawn.
        journal: all entries, and the rows they come to, if the run has one of these statuses.
        workers: whether anybody who is there knows the workflow.
    """

    inputs: bool = False
    journal: Collection[str] = ()
    workers: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that outsiders may do to a run.

    Attributes:
        name: in the address, on the command line and in clients.
        summary: an imperative sentence.
        section: of the protocol, e.g. `10.4`.
        decide: `(run, body, who, now in ms) -> decision`; pure.
        grant: what the caller must hold for this run (§14.5), e.g. `run:cancel`, or `OPERATOR`.
        members: of the body.
        needs: what `decide` looks at.
        refusals: what it may refuse with, beside what every verb may.
        said: what the command says afterwards; `{run}` is the id that was given, `{new}` and `{status}`
            are id and status of the run in the reply.
        hints: what the command adds for some statuses.
        question: what the command says before it asks, where nothing brings back what is lost; empty: it does not ask.
        statuses: of runs to which it can be done: those that `--all` takes where none are named.
        status: of the HTTP response.
        reply: the file of the reply's schema.
    """

    name: str
    summary: str
    section: str
    decide: Callable[[Loaded, Body, DecidedBy, int], Decision[Any]]
    grant: str = OPERATOR
    members: tuple[Member, ...] = ()
    needs: Needs = Needs()
    refusals: tuple[type[SignoffError], ...] = ()
    said: str = "Run {run} is {status}."
    hints: Mapping[str, str] = field(default_factory=dict)
    question: str = ""
    statuses: tuple[str, ...] = ()
    status: int = 200
    reply: str = "verb-reply.json"

    @property
    def shape(self) -> Shape:
        """Return how the body is checked."""
        required = {member.name: member.check for member in self.members if member.required}
        optional = {member.name: member.check for member in self.members if not member.required}
        return Shape(required, optional)

    @property
    def request(self) -> str | dict[str, Any]:
        """Return the file of the body's schema, or a schema where the body has no members."""
        if self.members == (REASON,):
            return "verb-request.json"
        return f"{self.name}-request.json" if self.members else {"type": "object", "additionalProperties": False}
