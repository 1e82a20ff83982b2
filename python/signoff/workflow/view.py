"""What the projection keeps between entries, and what it gives out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from signoff.frozen import frozen
from signoff.workflow.entry import Entry
from signoff.workflow.input.state import InputState
from signoff.workflow.step.state import OpenStep


@dataclass(slots=True)
class RunFold:
    """What the fold remembers of a run.

    Attributes:
        row: the public `run` row.
        digest: of workflow and input, as the start gave it.
        last_at: the latest `at` of an entry, in milliseconds.
        cancel_requested: somebody has asked the run to stop.
        expose: what of the run browsers may see.
        steps: number of open steps.
        timers: ids of open timers.
        inputs: ids of pending requests, in the order in which they were asked.
        waits: `[id, topic, key]` of open waits for events, oldest first.
        events: `[n, topic, key, bytes of the payload]` of events nobody has taken yet, n growing in the order of
            arrival.
        taken: `[id, n, topic, key, bytes]` of the last events that were taken: a wait that was given up just before the
            event came, but was written down after it, hands the event back.
        event_count: number of events that have come.
        blocked: why the run is blocked (`failure.reason`); empty if it is not.
        stuck: fingerprints of the code that got stuck in this run, the last ones.
        paused: somebody wants nothing new to be begun; whether it is blocked is remembered meanwhile.
        prefilled: what was filled in of requests that are not asked again yet, by id.
        retried_at: when somebody wished that the failed run be tried again, in milliseconds; 0: not since the last cut.
    """

    row: dict[str, Any]
    digest: str = ""
    last_at: int = 0
    cancel_requested: bool = False
    expose: list[str] = field(default_factory=list)
    steps: int = 0
    timers: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    waits: list[list[str | None]] = field(default_factory=list)
    events: list[list[Any]] = field(default_factory=list)
    taken: list[list[Any]] = field(default_factory=list)
    event_count: int = 0
    blocked: str = ""
    stuck: list[str] = field(default_factory=list)
    paused: bool = False
    retried_at: int = 0
    prefilled: dict[str, Any] = field(default_factory=dict)

    def dumps(self) -> bytes:
        """Write as JSON, for a store."""
        return orjson.dumps(self)

    @classmethod
    def loads(cls, data: bytes) -> RunFold:
        """Read what `dumps` wrote."""
        members = orjson.loads(data)
        members.pop("chain", None)  # the head of the journal's hashes, which is no part of the fold
        members.pop("cut_at", None)  # of records by earlier releases
        members["row"].setdefault("started_by", None)  # which those lack
        return cls(**members)


@dataclass(frozen=True, slots=True)
class Folded:
    """An entry of the effective journal, as it was folded.

    Attributes:
        entry: the entry.
        tail: number of messages in the run's stream before it.
        reopened: of a cut: the requests that are asked again since, as they are shown.
    """

    entry: Entry
    tail: int
    reopened: dict[str, InputState] = field(default_factory=dict)


ShownRows = dict[tuple[str, str], Any]
"""Rows by type and key, in the order in which they appeared."""


@dataclass(slots=True)
class Past:
    """What a fold keeps of all that came before, so that it can be undone.

    Attributes:
        folded: the effective journal.
        rows: all rows in the run's stream.
        copied: the first so many entries are another run's, and nothing is shown before they are all there.
    """

    folded: list[Folded] = field(default_factory=list)
    rows: ShownRows = field(default_factory=dict)
    copied: int = 0

    @property
    def entries(self) -> list[Entry]:
        """Return the effective journal."""
        return [one.entry for one in self.folded]


@dataclass(slots=True)
class View:
    """A run's rows, as far as they are needed; `project` moves it forward in place.

    Attributes:
        run: None before `run.started`.
        steps: those that are open, by id.
        inputs: requests by id.
        past: what cuts need; None: it is not kept.
    """

    run: RunFold | None = None
    steps: dict[str, OpenStep] = field(default_factory=dict)
    inputs: dict[str, InputState] = field(default_factory=dict)
    past: Past | None = field(default=None, compare=False, repr=False)


@frozen
class Delta:
    """What entries change in public.

    Attributes:
        public: messages for `runs/{run_id}`, encoded, in order.
        inboxes: `(principal, message)` for `inbox/{principal}`, in order.
        listing: messages for `workflows/{name}`.
        inputs: the requests that were touched, as they are now, by id.
        waits: `(wait_id, topic, key, remove)` for the index of waiting runs.
        close: close the run's streams after `public`.
    """

    public: tuple[bytes, ...]
    inboxes: tuple[tuple[str, bytes], ...]
    listing: tuple[bytes, ...]
    inputs: dict[str, InputState]
    waits: tuple[tuple[str, str, str | None, bool], ...]
    close: bool
