"""What a subscription is: links with cursors, the wake in flight, and what its transitions are told.

The transitions are in `rules.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from signoff.streams.subscriptions.config import Config
from signoff.streams.subscriptions.glob import Glob
from signoff.streams.subscriptions.limits import SubscriptionLimits

LONGEST_RETRY_MS: Final = 60_000
ANNOUNCE_MS: Final = 10_000
"""How long writing a wake event may take before it counts as lost with the process that did it."""

SKEW_MS: Final = 60_000
"""A time further ahead than it can have been set, by more than clocks of several servers differ, is of a clock that was
set back since: it counts as over, or nobody would be woken until the clock is there again."""


@dataclass(frozen=True, slots=True)
class Tail:
    """How far a stream has grown, and which of the streams that ever lived at its path it is."""

    incarnation: str
    position: int


Tails = Mapping[str, Tail | None]
"""What was looked up: None where there is no stream."""


@dataclass(frozen=True, slots=True)
class Link:
    """One followed stream, with the cursor on it.

    Attributes:
        explicit: named by somebody; otherwise the pattern matches.
        acked: everything before this position is done.
        incarnation: the stream it is a position in; None: there was none yet.
    """

    explicit: bool
    acked: int
    incarnation: str | None = None


class WakePhase(Enum):
    """How far a wake has come."""

    SENDING = "sending"
    SENT = "sent"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Wake:
    """The wake in flight.

    Attributes:
        until: when the lease ends, or the attempt counts as lost; None: a wake event that waits to be claimed.
        holder: the worker that claimed it.
        snapshot: up to where each stream told of had grown; what `{"done": true}` acknowledges.
        stream: one with pending work, named in a wake event.
    """

    id: str
    phase: WakePhase
    until: int | None
    snapshot: Mapping[str, int]
    stream: str
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """All there is to know about a subscription.

    Attributes:
        root_url: of the stream root, as its creator called it.
        generation: of the latest wake.
        failures: attempts that failed since one succeeded.
        next_attempt_at: milliseconds; no wake before it.
        left_out: the pattern matches more streams than it may follow.
    """

    id: str
    config: Config
    created_at: int
    root_url: str
    links: Mapping[str, Link] = field(default_factory=dict)
    generation: int = 0
    wake: Wake | None = None
    failures: int = 0
    next_attempt_at: int | None = None
    left_out: bool = False

    @property
    def glob(self) -> Glob | None:
        """Return the pattern, if there is one."""
        return None if self.config.pattern is None else Glob(self.config.pattern)

    def follows(self, path: str) -> bool:
        """Tell whether the pattern matches a path; never its own wake stream, or it would wake itself for ever."""
        glob = self.glob
        return glob is not None and path != self.config.wake_stream and glob.matches(path)

    @property
    def due_at(self) -> int | None:
        """Return when something is to be done about it by itself; None: nothing."""
        return self.wake.until if self.wake is not None else self.next_attempt_at

    def waits(self, now: int) -> bool:
        """Tell whether it waits for `due_at`: for the end of a wake, or for the next attempt."""
        longest = max(self.config.lease_ttl_ms, ANNOUNCE_MS) if self.wake is not None else 2 * LONGEST_RETRY_MS
        return self.due_at is not None and now < self.due_at <= now + longest + SKEW_MS

    @property
    def status(self) -> str:
        """Return `failed` while deliveries fail, `active` otherwise (§6.3)."""
        return "failed" if self.failures else "active"


@dataclass(frozen=True, slots=True)
class Request:
    """What a callback, an ack or a release says.

    Attributes:
        token_generation: what its token was given out for.
        acks: stream and offset pairs.
    """

    wake_id: str
    generation: int
    token_generation: int
    acks: tuple[tuple[str, str], ...] = ()
    done: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """What a transition is told of the world.

    Attributes:
        now: milliseconds.
        tails: of linked streams, and of others that may have to be linked.
        wake_id: a fresh id.
        chance: a random number in [0, 1).
        limits: of what it may follow and tell.
        whole: the tails of all linked streams are there, so that nothing pending among them means nothing pending.
    """

    now: int
    tails: Tails
    wake_id: str
    chance: float = 0.5
    limits: SubscriptionLimits = field(default_factory=SubscriptionLimits)
    whole: bool = True
