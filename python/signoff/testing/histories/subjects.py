"""One subject of a store, as its clients may rely on it: a version, a lease, and what its own stream holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from signoff.testing.histories.recording import RecordedCall


class RecordWrite(NamedTuple):
    """What `write` is given: a record of the next version, with one message for its stream.

    Attributes:
        expect: the version it was decided on; 0: there is none yet.
        version: the one it writes.
        message: for its own stream.
        epoch: of the lease of who writes; None: no lease holder's.
        release: give the lease up.
    """

    expect: int
    version: int
    message: str
    epoch: int | None = None
    release: bool = False


class HeldLease(NamedTuple):
    """What `claim` results in, and `renew` and `release` are given."""

    owner: str
    epoch: int


class Look(NamedTuple):
    """What `load` results in, if there is a record."""

    version: int
    epoch: int
    owner: str | None


@dataclass(frozen=True, slots=True)
class SubjectState:
    """A subject that is there."""

    version: int
    epoch: int = 0
    owner: str | None = None
    messages: tuple[str, ...] = ()


class SubjectModel:
    """A subject, which is always ready to be claimed; None is one that is not there.

    | operation | given | result |
    |---|---|---|
    | `write` | `RecordWrite` | `committed`, `version` or `epoch` |
    | `delete` | the version it expects | `committed` or `version` |
    | `load` | | `Look`, or None |
    | `read` | | the messages of its stream, or None |
    | `claim` | the owner | `HeldLease`; not recorded if nothing was found, as a claim may pass over what is busy |
    | `renew` | `HeldLease` | whether it was kept |
    | `release` | `HeldLease` | None |
    """

    initial: SubjectState | None = None

    def step(self, state: SubjectState | None, operation: RecordedCall) -> Iterable[SubjectState | None]:
        """Return the states an operation may lead to."""
        result: object
        after: SubjectState | None
        match operation.name:
            case "write":
                result, after = _write(state, operation.given)
            case "delete":
                fits = state is not None and state.version == operation.given
                result, after = ("committed", None) if fits else ("version", state)
            case "load":
                result, after = None if state is None else Look(state.version, state.epoch, state.owner), state
            case "read":
                result, after = None if state is None else state.messages, state
            case "claim":
                return _claim(state, operation)
            case "renew":
                result, after = _held(state, operation.given), state
            case "release":
                freed = replace(state, owner=None) if state is not None and _held(state, operation.given) else state
                result, after = None, freed
            case _:
                raise ValueError(operation.name)
        if operation.unknown:
            return [] if after == state else [after]
        return [after] if result == operation.result else []


def _write(state: SubjectState | None, write: RecordWrite) -> tuple[str, SubjectState | None]:
    fenced = write.epoch is not None
    if fenced and (state is None or state.epoch != write.epoch or state.owner is None):
        return "epoch", state
    if (state.version if state else 0) != write.expect:
        return "version", state
    before = state or SubjectState(0)
    owner = None if write.release else before.owner
    return "committed", SubjectState(write.version, before.epoch, owner, (*before.messages, write.message))


def _claim(state: SubjectState | None, operation: RecordedCall) -> Iterable[SubjectState | None]:
    if state is None or state.owner is not None:
        return []
    after = replace(state, owner=operation.given, epoch=state.epoch + 1)
    if operation.unknown or operation.result == HeldLease(operation.given, after.epoch):
        return [after]
    return []


def _held(state: SubjectState | None, lease: HeldLease) -> bool:
    return state is not None and (state.owner, state.epoch) == lease
