"""The journal's vocabulary. A run is its journal: an append-only list of entries, of two kinds.

*Commands* are what the code asked for, in the order it asked; *notifications* are what the world answered, in the order
it was written down. Replay feeds the notifications one at a time, runs the code until it is idle after each, and
compares the commands that come out with those in the journal: the two sequences are ordered each for itself, so a
notification may stand in the journal before commands that an earlier notification caused.

Ids are `name:n`, n counting that name's uses in the run from 0, over all kinds of commands, so that an id names one
thing in a run. Times (`at`, `fire_at`, …) are milliseconds. Values are what `codec.py`
makes of Python values: plain JSON with tags for what JSON cannot say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, ClassVar, Final, Literal, cast, get_args

import orjson

from signoff.errors import WorkflowError

VERSION = 1

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The Python that runs here, as journals record it."""

Encoded = Any
"""A value as `codec.py` writes it: JSON-ready."""


class Same:
    """Mark what people see as nothing but the value itself, where even None would be something else."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return its name."""
        return "SAME"


SAME: Final = Same()


@dataclass(frozen=True, slots=True)
class Frame:
    """A place that an exception passed on its way.

    Attributes:
        file: as the interpreter knows it.
        line: counted from 1.
        function: its name.
        source: the line's text, or empty where it cannot be read.
    """

    file: str
    line: int
    function: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Error:
    """Hold an error as the journal keeps it.

    Attributes:
        code: stable, snake_case; the class name of the exception in snake_case when it has no `code`.
        message: for operators; reaches browsers only if `public`.
        type: qualified name of the exception class.
        public: the exception is meant for people (`PublicError`).
        frames: where it was raised, the innermost last; for operators, and for them alone. They are no part of what
            an error is: the same one from another line is equal.
    """

    code: str
    message: str
    type: str = ""
    public: bool = False
    frames: tuple[Frame, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class DecidedBy:
    """Tell who decided: a person, a timeout, a policy or an operator."""

    kind: Literal["person", "timeout", "policy", "operator", "workflow"]
    id: str | None = None


# -- commands ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunStarted:
    """Begin the run; always the first entry.

    `expose` names what of the run browsers may see (`input`, `output`), as far as the starter knew the workflow. With
    `start_at` the code begins to run at that time. `python`: of the process that started it; None in journals that were
    begun before it was recorded, which were begun on 3.11.
    """

    type: ClassVar[str] = "run.started"
    at: int
    run_id: str
    workflow: str
    version: str
    input: Encoded
    seed: str
    digest: str
    tags: tuple[str, ...] = ()
    parent: str | None = None
    start_at: int | None = None
    expose: tuple[str, ...] = ()
    python: str | None = None


@dataclass(frozen=True, slots=True)
class StepScheduled:
    """Ask for a step. `expose`: its result may be seen by browsers."""

    type: ClassVar[str] = "step.scheduled"
    at: int
    id: str
    label: str | None = None
    expose: bool = False


@dataclass(frozen=True, slots=True)
class StepCancelled:
    """Give up waiting for a step; a late result is ignored."""

    type: ClassVar[str] = "step.cancelled"
    at: int
    id: str


@dataclass(frozen=True, slots=True)
class TimerStarted:
    """Ask to be woken at `fire_at`."""

    type: ClassVar[str] = "timer.started"
    at: int
    id: str
    fire_at: int


@dataclass(frozen=True, slots=True)
class TimerCancelled:
    """Ask not to be woken after all."""

    type: ClassVar[str] = "timer.cancelled"
    at: int
    id: str


@dataclass(frozen=True, slots=True)
class EventAwaited:
    """Wait for an event on `topic` (with this key, or any), until `timeout_at`."""

    type: ClassVar[str] = "event.awaited"
    at: int
    id: str
    topic: str
    key: str | None = None
    timeout_at: int | None = None


@dataclass(frozen=True, slots=True)
class EventAbandoned:
    """Stop waiting for an event; it swallows no later event."""

    type: ClassVar[str] = "event.abandoned"
    at: int
    id: str


@dataclass(frozen=True, slots=True)
class InputRequested:
    """Ask people for an input. `spec` is the request as the row carries it (see `inputs.py`)."""

    type: ClassVar[str] = "input.requested"
    at: int
    id: str
    spec: dict[str, Any]
    to: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    deadline: int | None = None
    expose: bool = False


@dataclass(frozen=True, slots=True)
class InputRevised:
    """Change what people are shown: `changes` replaces members of the spec."""

    type: ClassVar[str] = "input.revised"
    at: int
    id: str
    changes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class InputWithdrawn:
    """Take the request back, by the workflow itself; without effect if it is already decided."""

    type: ClassVar[str] = "input.withdrawn"
    at: int
    id: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RowPublished:
    """Publish one row of the application's own (`ctx.publish`, `ctx.progress`). `value` None: delete it.

    `update`: the run has published this row before and not deleted it since.
    """

    type: ClassVar[str] = "row.published"
    at: int
    row_type: str
    key: str
    value: dict[str, Any] | None
    update: bool = False


@dataclass(frozen=True, slots=True)
class PatchMarked:
    """Remember that this run took the new branch of a patch."""

    type: ClassVar[str] = "patch.marked"
    at: int
    id: str


@dataclass(frozen=True, slots=True)
class RunCompleted:
    """End the run with a result. `expose`: browsers may see it, as `shown` if that is another form."""

    type: ClassVar[str] = "run.completed"
    at: int
    output: Encoded
    expose: bool = False
    shown: Any = SAME


@dataclass(frozen=True, slots=True)
class RunFailed:
    """End the run with an error; it can be rewound."""

    type: ClassVar[str] = "run.failed"
    at: int
    error: Error


@dataclass(frozen=True, slots=True)
class RunCancelled:
    """End the run after its cleanup has run. `error`: what the cleanup raised, if it did."""

    type: ClassVar[str] = "run.cancelled"
    at: int
    reason: str | None = None
    error: Error | None = None


# -- notifications -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepCompleted:
    """Report a step's result. `shown`: how people see it, if it is exposed and that is another form."""

    type: ClassVar[str] = "step.completed"
    at: int
    id: str
    attempt: int
    result: Encoded
    shown: Any = SAME


@dataclass(frozen=True, slots=True)
class StepFailed:
    """Report a failed attempt; `retry_at` None: it was the last one and the code gets the error."""

    type: ClassVar[str] = "step.failed"
    at: int
    id: str
    attempt: int
    error: Error
    retry_at: int | None = None


@dataclass(frozen=True, slots=True)
class TimerFired:
    """Report that a timer is due."""

    type: ClassVar[str] = "timer.fired"
    at: int
    id: str


@dataclass(frozen=True, slots=True)
class EventReceived:
    """Report an event; kept until somebody awaits its topic."""

    type: ClassVar[str] = "event.received"
    at: int
    topic: str
    event_id: str
    payload: Encoded
    key: str | None = None


@dataclass(frozen=True, slots=True)
class EventTimedOut:
    """Report that an awaited event did not come in time."""

    type: ClassVar[str] = "event.timed_out"
    at: int
    id: str


@dataclass(frozen=True, slots=True)
class InputAnswered:
    """Report an accepted answer. `submission_id` is the txid of the rows it changes."""

    type: ClassVar[str] = "input.answered"
    at: int
    id: str
    submission_id: str
    digest: str
    action: str
    value: Encoded
    by: DecidedBy


@dataclass(frozen=True, slots=True)
class InputExpired:
    """Report that the deadline passed."""

    type: ClassVar[str] = "input.expired"
    at: int
    id: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Report that somebody wants the run cancelled; pending requests are withdrawn with it."""

    type: ClassVar[str] = "run.cancel_requested"
    at: int
    reason: str | None = None
    by: DecidedBy = field(default_factory=lambda: DecidedBy("operator"))


@dataclass(frozen=True, slots=True)
class RunTerminated:
    """Report that the run was ended from outside, without its code; whatever stands before, nothing comes after.

    Replay of a journal that ends so runs no code.
    """

    type: ClassVar[str] = "run.terminated"
    at: int
    reason: str | None = None
    by: DecidedBy = field(default_factory=lambda: DecidedBy("operator"))


@dataclass(frozen=True, slots=True)
class RunDescribed:
    """Add what only the code knows of its run; written once, by the first worker that takes the run up.

    Whoever starts a run need not have the code. `tags` are those to add; `expose` names what browsers may see, and
    `input` is there if that is part of it; `python` is its own, if that is another than the starter's. Replay passes
    over it.
    """

    type: ClassVar[str] = "run.described"
    at: int
    version: str
    tags: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    input: Encoded = None
    python: str | None = None


@dataclass(frozen=True, slots=True)
class RunBlocked:
    """Report that the run cannot go on: code and journal disagree, or the code got stuck; replay passes over it.

    `fingerprint` stands for the code that got stuck; it is not tried again until somebody says so (`run.retried`).
    """

    type: ClassVar[str] = "run.blocked"
    at: int
    error: Error
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class RunUnblocked:
    """Report that the run goes on after a deploy; replay passes over it."""

    type: ClassVar[str] = "run.unblocked"
    at: int


@dataclass(frozen=True, slots=True)
class RunRetried:
    """Report that somebody wants a blocked run tried again, with whatever code; replay passes over it."""

    type: ClassVar[str] = "run.retried"
    at: int
    by: DecidedBy = field(default_factory=lambda: DecidedBy("operator"))


Command = (
    RunStarted
    | StepScheduled
    | StepCancelled
    | TimerStarted
    | TimerCancelled
    | EventAwaited
    | EventAbandoned
    | InputRequested
    | InputRevised
    | InputWithdrawn
    | RowPublished
    | PatchMarked
    | RunCompleted
    | RunFailed
    | RunCancelled
)
Notification = (
    StepCompleted
    | StepFailed
    | TimerFired
    | EventReceived
    | EventTimedOut
    | InputAnswered
    | InputExpired
    | CancelRequested
    | RunTerminated
    | RunDescribed
    | RunBlocked
    | RunUnblocked
    | RunRetried
)
Entry = Command | Notification

COMMANDS: frozenset[type] = frozenset(get_args(Command))
NOTIFICATIONS: frozenset[type] = frozenset(get_args(Notification))
OUTCOMES: frozenset[type] = frozenset({RunCompleted, RunFailed, RunCancelled})


# -- codec -------------------------------------------------------------------------------------------------------------

_CLASSES: dict[str, type] = {cls.type: cls for cls in COMMANDS | NOTIFICATIONS}  # type: ignore[attr-defined]
_MEMBERS: dict[type, tuple[tuple[str, object], ...]] = {
    cls: tuple((member.name, member.default) for member in fields(cls)) for cls in _CLASSES.values()
}


def error_from_json(value: Mapping[str, Any]) -> Error:
    """Read an error as an entry has it."""
    if "frames" in value:
        value = {**value, "frames": tuple(Frame(**frame) for frame in value["frames"])}
    return Error(**value)


def _readers(cls: type) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    known: dict[str, Callable[[Any], Any]] = {
        "Error": error_from_json,
        "Error | None": lambda value: value and error_from_json(value),
        "DecidedBy": lambda value: DecidedBy(**value),
        "tuple[str, ...]": tuple,
    }
    return tuple((member.name, known[str(member.type)]) for member in fields(cls) if str(member.type) in known)


_READERS: dict[type, tuple[tuple[str, Callable[[Any], Any]], ...]] = {cls: _readers(cls) for cls in _CLASSES.values()}
_RECORDS: dict[type, tuple[str, ...]] = {
    Error: ("code", "message", "type", "public"),
    DecidedBy: ("kind", "id"),
}


def to_json(entry: Entry) -> dict[str, Any]:
    """Write an entry as JSON. Optional members that have their default are left out.

    Example:
        >>> to_json(TimerFired(5, "sleep:0"))
        {'v': 1, 'type': 'timer.fired', 'at': 5, 'id': 'sleep:0'}
    """
    written: dict[str, Any] = {"v": VERSION, "type": entry.type}
    for name, default in _MEMBERS[type(entry)]:
        value = getattr(entry, name)
        if default is MISSING or value != default:
            record = _RECORDS.get(type(value))
            if record is not None:
                frames = getattr(value, "frames", ())
                value = {part: getattr(value, part) for part in record}
                if frames:
                    value["frames"] = [asdict(frame) for frame in frames]
            elif type(value) is tuple:
                value = list(value)
            written[name] = value
    return written


def from_json(written: Mapping[str, Any]) -> Entry:
    """Read an entry.

    Raises:
        WorkflowError: the version or the type is not known here, or members are missing or unknown; it names them.
    """
    return _read(dict(written))


def _read(members: Any) -> Entry:
    """Read an entry from an object that nobody else needs."""
    if not isinstance(members, dict):
        raise WorkflowError(f"The journal has an entry that is no object: {members!r:.100}.")
    version = members.pop("v", None)
    if version != VERSION:
        raise WorkflowError(f"The journal has an entry of version {version!r}; this release reads version {VERSION}.")
    kind = members.pop("type", None)
    cls = _CLASSES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise WorkflowError(f"The journal has an entry of the type {kind!r}, unknown to this release.")
    try:
        for name, read in _READERS[cls]:
            if name in members:
                members[name] = read(members[name])
        return cast("Entry", cls(**members))
    except TypeError as error:
        raise WorkflowError(f"The journal has a malformed {kind} entry: {error}.") from error


def dumps(entries: Iterable[Entry]) -> bytes:
    """Write entries as stored: JSON messages joined by commas, without brackets."""
    return b",".join([orjson.dumps(to_json(entry)) for entry in entries])


def loads(data: bytes) -> list[Entry]:
    """Read entries as `dumps` wrote them.

    Raises:
        WorkflowError: the data is not JSON, or has entries this release cannot read.
    """
    try:
        messages = orjson.loads(b"[" + data + b"]")
    except orjson.JSONDecodeError as error:
        raise WorkflowError(f"The journal is not JSON: {error}.") from error
    return [_read(message) for message in messages]
