"""What is told of requests for input beyond the inboxes: a narrow event for each step of a request's life."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import orjson

from signoff.frozen import frozen
from signoff.workflow.denial.entries import InputDenied
from signoff.workflow.entry import Entry
from signoff.workflow.handover.entries import InputAmended, InputDelegated, InputReassigned
from signoff.workflow.input.entries import (
    InputAnswered,
    InputEscalated,
    InputExpired,
    InputRecalled,
    InputReminded,
    InputRequested,
    InputRevised,
    InputWithdrawn,
)
from signoff.workflow.input.state import UNDECIDED, InputState
from signoff.workflow.validation.entries import InputReturned

RequestEventKind = Literal["asked", "reminded", "escalated", "revised", "decided", "expired", "withdrawn"]

KINDS: Final[tuple[RequestEventKind, ...]] = get_args(RequestEventKind)

_KIND_OF: Final[dict[type[Entry], RequestEventKind]] = {
    InputReminded: "reminded",
    InputEscalated: "escalated",
    InputRevised: "revised",
    InputAmended: "revised",
    InputDelegated: "asked",
    InputReassigned: "asked",
    InputAnswered: "decided",
    InputExpired: "expired",
    InputWithdrawn: "withdrawn",
    InputRecalled: "withdrawn",
}


def _kind(entry: Entry) -> RequestEventKind | None:
    """Return what an entry tells of a request; people are asked when a policy that goes first leaves it to them."""
    if isinstance(entry, InputRequested):
        return None if "decides" in (entry.policy or {}) else "asked"
    if isinstance(entry, InputReturned):
        return "asked" if entry.submission_id is None else None
    return _KIND_OF.get(type(entry))


@frozen
class RequestEvent:
    """One step of a request's life, as it is told to those who notify people.

    Attributes:
        id: the same however often the event is told: what a receiver knows repeats by.
        event: what happened; `asked` also when a request is handed on to others.
        run_id, workflow: the run that asks.
        key: the request's, within its run.
        to: principals who are asked, as of then.
        title: what people see.
        deadline: as RFC 3339; None: there is none.
        action: which action it was decided with; None: it is not decided.
        value: the answer's value, if the request exposes it; else None.
        at: milliseconds.
    """

    id: str
    event: RequestEventKind
    run_id: str
    workflow: str
    key: str
    to: tuple[str, ...]
    title: str
    deadline: str | None
    action: str | None
    value: Any
    at: int

    @property
    def request(self) -> str:
        """Return what names the request among all: events of one are told in order."""
        return f"{self.run_id}/{self.key}"

    def to_json(self) -> dict[str, Any]:
        """Return its members, for a message."""
        return {
            "id": self.id,
            "event": self.event,
            "run_id": self.run_id,
            "workflow": self.workflow,
            "key": self.key,
            "to": list(self.to),
            "title": self.title,
            "deadline": self.deadline,
            "action": self.action,
            "value": self.value,
            "at": self.at,
        }

    @classmethod
    def from_json(cls, members: dict[str, Any]) -> RequestEvent:
        """Read what `to_json` wrote."""
        return cls(**(members | {"to": tuple(members["to"])}))


@frozen
class RunDeleted:
    """The word that a run was deleted: what waits to be told of it is dropped, and what was given up."""

    run_id: str


def deletion_notice(run_id: str) -> bytes:
    """Return the message that tells that a run was deleted."""
    return orjson.dumps({"event": "deleted", "run_id": run_id})


def read_notice(message: dict[str, Any]) -> RequestEvent | RunDeleted:
    """Read a message of a stream of notifications."""
    return RunDeleted(message["run_id"]) if message["event"] == "deleted" else RequestEvent.from_json(message)


OnRequest = Callable[[RequestEvent], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class RequestFunction:
    """A function of the application that is told of requests.

    Attributes:
        name: what its progress is kept under; unique within the application.
        workflows, events: the only ones it is told of; None: all.
    """

    name: str
    fn: OnRequest
    workflows: frozenset[str] | None = None
    events: frozenset[str] | None = None

    def wants(self, event: RequestEvent) -> bool:
        """Tell whether it is told of an event."""
        return (self.workflows is None or event.workflow in self.workflows) and (
            self.events is None or event.event in self.events
        )


def notices(  # noqa: PLR0917
    run_id: str, workflow: str, entries: Sequence[Entry], first: int, touched: dict[str, InputState], at: int
) -> list[bytes]:
    """Return the messages that tell what entries did to requests.

    Args:
        entries: those of one Change.
        first: the position of the first in the journal.
        touched: the requests that they changed, as they are now.
        at: milliseconds of the Change, for requests that ended with their run.
    """
    told, ended = [], set()
    for position, entry in enumerate(entries, first):
        what = _kind(entry)
        request = None if what is None else touched.get(entry.id)  # type: ignore[attr-defined]
        if what is None or request is None:
            continue
        status = request.row["status"]
        if what in {"decided", "expired", "withdrawn"}:
            if status in UNDECIDED or request.row["id"] in ended:
                continue  # it had no effect
            ended.add(request.row["id"])
        told.append(_message(run_id, workflow, position, what, request, entry.at))
    ended |= {entry.id for entry in entries if isinstance(entry, InputDenied)}  # which changes nothing of a request
    for key, request in touched.items():
        if request.row["status"] == "withdrawn" and key not in ended:  # with its run, or because it was undone
            told.append(_message(run_id, workflow, first + len(entries), "withdrawn", request, at))
    return told


def _message(  # noqa: PLR0917
    run_id: str, workflow: str, position: int, what: RequestEventKind, request: InputState, at: int
) -> bytes:
    row = request.row
    decided = what == "decided"
    id_ = hashlib.sha256(f"{run_id}\0{row['id']}\0{position}\0{what}\0{at}".encode()).hexdigest()[:32]
    return orjson.dumps(
        {
            "id": f"evt_{id_}",
            "event": what,
            "run_id": run_id,
            "workflow": workflow,
            "key": row["id"],
            "to": request.to,
            "title": row["title"],
            "deadline": row["deadline"],
            "action": row["action"] if decided else None,
            "value": row.get("value") if decided and request.expose else None,
            "at": at,
        }
    )
