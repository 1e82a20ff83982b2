"""Subscriptions as a state machine (Durable Streams §6, §7): links with cursors, and at most one wake at a time.

    idle ──advance: something is pending──▶ sending ──delivered──▶ sent ──ack, callback──▶ idle
                                               │                     │ lease over ──▶ idle (and another wake at once)
                                               │ claim (pull-wake)   └─▶ held ──ack, release, lease over──▶ idle
                                               └─ not delivered, or nobody said so ──▶ idle until `next_attempt_at`

Pure: times, ids and chance are handed in. Every transition ends in a state that says by itself when something is to be
done about it (`due_at`), so that whoever finds it after a crash goes on. A wake has a generation that only grows and an
id that is never used again; whoever acts in the name of another one is fenced (§7.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain, islice
from typing import Final

from signoff.errors import AlreadyClaimed, BadRequest, Fenced, InvalidAck, InvalidOffset, NoPendingWork
from signoff.streams import offset
from signoff.streams.subscriptions.config import PULL_WAKE, WEBHOOK
from signoff.streams.subscriptions.limits import SubscriptionLimits
from signoff.streams.subscriptions.state import (
    ANNOUNCE_MS,
    LONGEST_RETRY_MS,
    Link,
    Moment,
    Request,
    Subscription,
    Tail,
    Tails,
    Wake,
    WakePhase,
)

FIRST_RETRY_MS: Final = 1_000
JITTER: Final = 0.2


def begun(sub: Subscription, tails: Tails, limits: SubscriptionLimits) -> Subscription:
    """Link a new subscription to what exists, at its tails: history is not replayed (§6.2).

    Raises:
        BadRequest: it names more streams than it may follow.
    """
    links = {path: _at_tail(tails.get(path), explicit=True) for path in sub.config.streams}
    _check_room(links, limits)
    matching = [path for path, tail in tails.items() if tail and path not in links and sub.follows(path)]
    room = limits.followed - len(links)
    links |= {path: _at_tail(tails[path], explicit=False) for path in matching[:room]}
    return replace(sub, links=links, left_out=len(matching) > room)


def linked(sub: Subscription, added: Iterable[str], moment: Moment) -> Subscription:
    """Add explicit links, at the tail where the stream is not linked yet (§6.4).

    Raises:
        BadRequest: it would follow more streams than it may.
    """
    links = dict(sub.links)
    for path in added:
        known = links.get(path)
        tail = moment.tails.get(path)
        links[path] = _at_tail(tail, explicit=True) if known is None else replace(known, explicit=True)
    if len(links) > len(sub.links):
        _check_room(links, moment.limits)
    return replace(sub, links=links)


def _check_room(links: Mapping[str, Link], limits: SubscriptionLimits) -> None:
    if len(links) > limits.followed:
        raise BadRequest(
            f"The subscription would follow {len(links)} streams, and {limits.followed} are allowed here. Nothing was "
            "changed; let it follow fewer, or make another one for the rest."
        )


def unlinked(sub: Subscription, path: str) -> Subscription:
    """Remove an explicit link; one by the pattern stays (§6.4)."""
    link = sub.links.get(path)
    if link is None or not link.explicit:
        return sub
    links = dict(sub.links)
    if sub.follows(path):
        links[path] = replace(link, explicit=False)
    else:
        del links[path]
    return replace(sub, links=links)


def is_full(sub: Subscription, limits: SubscriptionLimits) -> bool:
    """Tell whether it follows as many streams as it may, and is known to leave some out."""
    return sub.left_out and len(sub.links) >= limits.followed


def none_left_out(sub: Subscription) -> Subscription:
    """Note that nothing is left out any more."""
    return replace(sub, left_out=False)


def pending(sub: Subscription, tails: Tails) -> list[str]:
    """Return those linked streams, out of the ones looked up, that have grown beyond their cursor."""
    links = sub.links
    return [
        path
        for path, tail in tails.items()
        if tail is not None and (link := links.get(path)) is not None and tail.position > link.acked
    ]


def listed(sub: Subscription, moment: Moment) -> list[str]:
    """Return the streams a wake tells of: those with pending work, then the others, as many as a wake may tell of."""
    first = pending(sub, moment.tails)
    known = set(first)
    others = (path for path in moment.tails if path in sub.links and path not in known)
    return list(islice(chain(first, others), moment.limits.listed))


# -- transitions -------------------------------------------------------------------------------------------------------


def advance(sub: Subscription, moment: Moment) -> Subscription:
    """Do what is to be done: link what is new, end what is over, wake if something is pending.

    The caller compares the wakes before and after: a new one is to be sent.
    """
    sub = _ended_if_over(_relinked(sub, moment), moment)
    waiting = pending(sub, moment.tails)
    if not waiting and moment.whole and sub.wake is not None and sub.wake.until is None:
        sub = _released(sub)  # nobody has claimed it, and what it told of is gone
    if sub.wake is not None or sub.waits(moment.now):
        return sub
    if waiting:
        return _woken(sub, waiting[0], moment)
    if sub.next_attempt_at is None or not moment.whole:
        return sub
    return replace(sub, failures=0, next_attempt_at=None)


def delivered(sub: Subscription, wake_id: str, moment: Moment, *, done: bool = False) -> Subscription:
    """Note that a wake was delivered, and if `done` that its snapshot is worked off (§7.1)."""
    wake = sub.wake
    if wake is None or wake.id != wake_id:
        return sub
    sub = replace(sub, failures=0)
    if done:
        return _released(_acked(sub, wake.snapshot))
    if wake.phase is not WakePhase.SENDING:
        return sub
    until = moment.now + sub.config.lease_ttl_ms if sub.config.type == WEBHOOK else None
    return replace(sub, wake=replace(wake, phase=WakePhase.SENT, until=until))


def not_delivered(sub: Subscription, wake_id: str, moment: Moment) -> Subscription:
    """Plan another wake for one that was not delivered, after 1 s, 2 s, … 60 s, give or take a fifth (§7.1)."""
    wake = sub.wake
    if wake is None or wake.id != wake_id or wake.phase is not WakePhase.SENDING:
        return sub
    wait = min(FIRST_RETRY_MS * 2 ** min(sub.failures, 16), LONGEST_RETRY_MS)
    jittered = round(wait * (1 + JITTER * (2 * moment.chance - 1)))
    return replace(sub, wake=None, failures=sub.failures + 1, next_attempt_at=moment.now + jittered)


def claimed(sub: Subscription, worker: str, moment: Moment) -> Subscription:
    """Give a worker the lease (§7.2).

    Raises:
        AlreadyClaimed: another has it.
        NoPendingWork: there is nothing to do.
    """
    sub = _ended_if_over(_relinked(sub, moment), moment)
    if (wake := sub.wake) is not None and wake.phase is WakePhase.HELD:
        raise AlreadyClaimed(
            "Another worker holds the lease; wait for the next wake event.",
            current_holder=wake.holder,
            generation=sub.generation,
        )
    waiting = pending(sub, moment.tails)
    if not waiting:
        raise NoPendingWork("There is nothing to claim; wait for the next wake event.")
    if sub.wake is None:
        sub = _woken(sub, waiting[0], moment)
    assert sub.wake is not None
    until = moment.now + sub.config.lease_ttl_ms
    held = replace(sub.wake, phase=WakePhase.HELD, holder=worker, until=until)
    return replace(sub, wake=held, failures=0, next_attempt_at=None)


def acknowledged(sub: Subscription, request: Request, moment: Moment) -> Subscription:
    """Move cursors; extend the lease, or end it if the request is `done` (§7.1, §7.2).

    Raises:
        Fenced: the wake is not the request's, or its lease is over.
        InvalidAck: a stream is not linked, or an offset is before the cursor or beyond the tail; no cursor moved.
    """
    wake = _check_fence(sub, request, moment)
    sub = _relinked(sub, moment)
    sub = _acked(sub, {path: _position(sub, path, token, moment.tails) for path, token in request.acks})
    if request.done:
        return replace(_released(sub), failures=0)
    phase = WakePhase.HELD if sub.config.type == PULL_WAKE else WakePhase.SENT
    kept = replace(wake, phase=phase, until=moment.now + sub.config.lease_ttl_ms)
    return replace(sub, wake=kept, failures=0)


def released(sub: Subscription, request: Request, moment: Moment) -> Subscription:
    """Give the lease up without moving a cursor (§7.2).

    Raises:
        Fenced: the wake is not the request's, or its lease is over.
    """
    _check_fence(sub, request, moment)
    return _released(sub)


# -- parts -------------------------------------------------------------------------------------------------------------


def _at_tail(tail: Tail | None, *, explicit: bool) -> Link:
    return Link(explicit, 0) if tail is None else Link(explicit, tail.position, tail.incarnation)


def _relinked(sub: Subscription, moment: Moment) -> Subscription:
    """Link streams that are new since the creation, from their start; forget those that are gone."""
    changes: dict[str, Link | None] = {}
    new: dict[str, Link] = {}
    for path, tail in moment.tails.items():
        link = sub.links.get(path)
        if tail is None:
            if link is not None and not link.explicit:
                changes[path] = None
            elif link is not None and link.incarnation is not None:
                changes[path] = Link(explicit=True, acked=0)
        elif link is None:
            if sub.follows(path):
                new[path] = Link(False, 0, tail.incarnation)
        elif link.incarnation != tail.incarnation:
            changes[path] = Link(link.explicit, 0, tail.incarnation)
    if not changes and not new:
        return sub
    links = {path: link for path, link in (dict(sub.links) | changes).items() if link is not None}
    room = max(0, moment.limits.followed - len(links))
    links |= islice(new.items(), room)
    left_out = sub.left_out or len(new) > room
    wake = sub.wake
    if wake is not None and not changes.keys().isdisjoint(wake.snapshot):
        # What the wake told of is another stream than the one that is there now.
        snapshot = {path: position for path, position in wake.snapshot.items() if path not in changes}
        wake = replace(wake, snapshot=snapshot)
    return replace(sub, links=links, wake=wake, left_out=left_out)


def _ended_if_over(sub: Subscription, moment: Moment) -> Subscription:
    """End a lease that is over. Whether an attempt arrived that nobody reported on is unknown: it counts as failed."""
    wake = sub.wake
    if wake is None or wake.until is None or sub.waits(moment.now):
        return sub
    return not_delivered(sub, wake.id, moment) if wake.phase is WakePhase.SENDING else _released(sub)


def _woken(sub: Subscription, stream: str, moment: Moment) -> Subscription:
    snapshot = {path: tail.position for path in listed(sub, moment) if (tail := moment.tails.get(path))}
    length = sub.config.lease_ttl_ms if sub.config.type == WEBHOOK else ANNOUNCE_MS
    wake = Wake(moment.wake_id, WakePhase.SENDING, moment.now + length, snapshot, stream)
    return replace(sub, generation=sub.generation + 1, wake=wake, next_attempt_at=None)


def _released(sub: Subscription) -> Subscription:
    return replace(sub, wake=None)


def _acked(sub: Subscription, positions: Mapping[str, int]) -> Subscription:
    """Move cursors forward; one that is further already stays."""
    links = dict(sub.links)
    for path, position in positions.items():
        link = links.get(path)
        if link is not None and position > link.acked:
            links[path] = replace(link, acked=position)
    return replace(sub, links=links)


def _check_fence(sub: Subscription, request: Request, moment: Moment) -> Wake:
    wake = sub.wake
    if (
        wake is None
        or wake.id != request.wake_id
        or not request.token_generation == request.generation == sub.generation
        or (wake.until is not None and moment.now >= wake.until)
        or (sub.config.type == PULL_WAKE and wake.phase is not WakePhase.HELD)
    ):
        raise Fenced("This wake is over: it was finished, released, or its lease ended. Stop, and wait for the next.")
    return wake


def _position(sub: Subscription, path: str, token: str, tails: Tails) -> int:
    link, tail = sub.links.get(path), tails.get(path)
    if link is None:
        raise InvalidAck(f"The subscription does not follow {path[:140]!r}. No cursor moved.", stream=path)
    try:
        position = -1 if token == offset.START else offset.decode(token)
    except InvalidOffset:
        raise InvalidAck(f"{token[:40]!r} is no offset of {path[:140]!r}. No cursor moved.", stream=path) from None
    if position < link.acked or position > (tail.position if tail else 0):
        raise InvalidAck(
            f"The offset {token} of {path[:140]!r} is before the cursor or beyond the tail. No cursor moved.",
            stream=path,
        )
    return position
