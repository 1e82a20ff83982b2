"""What people are asked, as it is committed: the requests of all runs, for those who play people."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from signoff.service.commit import Durable
from signoff.service.kinds import Kind, PartKind
from signoff.stores.change import SubjectDelete, SubjectWrite
from signoff.workflow.input.state import InputState

RequestListener = Callable[["SeenRequest"], None]


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request for input as somebody sees it, in a tab that may be stale by now.

    Attributes:
        row: its row, as browsers have it.
    """

    row: dict[str, Any]

    @property
    def run_id(self) -> str:
        """Return the run that asks."""
        return str(self.row["run_id"])

    @property
    def key(self) -> str:
        """Return its `name:n`."""
        return str(self.row["id"])

    @property
    def seen_offset(self) -> str:
        """Return what an answer says to have seen."""
        return str(self.row["revised"])

    @property
    def asked_at(self) -> str:
        """Return which request an answer says to be for."""
        return str(self.row["asked_at"])

    @property
    def pending(self) -> bool:
        """Tell whether it was pending when it was seen."""
        return bool(self.row["status"] == "pending")

    @property
    def decided(self) -> bool:
        """Tell whether nothing could change it any more when it was seen, unless it is asked again after a rewind."""
        return self.row["status"] in {"answered", "expired", "withdrawn"}

    def called(self, name: str) -> bool:
        """Tell whether this is its name, or its key."""
        return name in {self.row["name"], self.key}

    def asks(self, principals: Collection[str]) -> bool:
        """Tell whether any of these was asked."""
        return not set(principals).isdisjoint(self.row["audience"])


class RequestBoard:
    """The requests of all runs, as they were first seen and as they are."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], SeenRequest] = {}
        self._latest: dict[tuple[str, str], SeenRequest] = {}
        self._listeners: list[RequestListener] = []

    def listen(self, listener: RequestListener) -> None:
        """Call somebody with each request, as it is asked, changed and decided."""
        self._listeners.append(listener)

    def pending(self) -> list[SeenRequest]:
        """Return the requests that are pending, the oldest first."""
        return [request for request in self._latest.values() if request.pending]

    def first(self, request: SeenRequest) -> SeenRequest:
        """Return a request as it was first seen."""
        return self._first[request.run_id, request.key]

    def latest(self, request: SeenRequest) -> SeenRequest | None:
        """Return a request as it is; None: it is gone."""
        return self._latest.get((request.run_id, request.key))

    def committed(self, durable: Sequence[Durable]) -> None:
        """Learn what was committed."""
        for change, _ in durable:
            match change.write:
                case SubjectWrite(subject, parts=parts, dropped=dropped) if subject.name.kind == Kind.RUN:
                    for name in dropped:
                        self._forget((subject.name.id, name.key))
                    for part in parts:
                        if part.kind == PartKind.INPUT:
                            self._see(SeenRequest(InputState.loads(part.state).row))
                case SubjectDelete(name) if name.kind == Kind.RUN:
                    for at in [at for at in self._latest if at[0] == name.id]:
                        self._forget(at)

    def _see(self, request: SeenRequest) -> None:
        at = request.run_id, request.key
        before = self._latest.get(at)
        if before is None or (before.decided and not request.decided):  # it is new, or asked again
            self._first[at] = request
        self._latest[at] = request
        for listener in self._listeners:
            listener(request)

    def _forget(self, at: tuple[str, str]) -> None:
        self._first.pop(at, None)
        self._latest.pop(at, None)
