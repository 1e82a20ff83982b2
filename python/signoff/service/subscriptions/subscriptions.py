"""Subscriptions: durable cursors that wake workers when streams grow (Durable Streams §6, §7).

The rules are in `streams/subscriptions/rules.py`; here they meet the store, the streams and the outside. Who finds that
a subscription must wake writes so into its record first, and only who succeeded with that sends: of several processes
over one store one delivers. What was not delivered when a process died is due again when the lease ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from signoff.clock import Clock
from signoff.errors import BadRequest, NoPendingWork, SignoffError, SubscriptionExists, SubscriptionNotFound
from signoff.service.commit import GroupCommitter
from signoff.service.streams.streams import StreamService
from signoff.service.subscriptions.delivery import Delivery, DeliveryResult, Webhooks, page_json, streams_json
from signoff.service.subscriptions.follower import Follower
from signoff.service.subscriptions.keys import Keys
from signoff.service.subscriptions.records import SubscriptionChange, SubscriptionRecords, tail_of
from signoff.service.subscriptions.sender import GRACE_S, Sender
from signoff.stores.base import WorkflowStore
from signoff.streams.subscriptions import rules
from signoff.streams.subscriptions import token as tokens
from signoff.streams.subscriptions.config import PULL_WAKE, WEBHOOK, Config
from signoff.streams.subscriptions.limits import SubscriptionLimits
from signoff.streams.subscriptions.state import Moment, Request, Subscription, Tail, Tails, Wake, WakePhase
from signoff.timestamps import rfc3339

log = logging.getLogger(__name__)

ALL = ""
"""In place of a path: look at all that a subscription follows."""


class Subscriptions:
    """The subscriptions of a server: created, read and deleted, and their workers woken.

    Args:
        store: opened.
        committer: tells of what this process writes.
        streams: for wake streams.
        webhooks: calls them.
        clock: for leases and retries.
        public_url: of the stream root, ending in `/`, if it is not the one requests are sent to.
        limits: of each subscription.

    Attributes:
        limits: of each subscription.

    Example:
        >>> subscriptions.start()
        >>> await subscriptions.create("jobs", config, root_url="https://streams.example/v1/stream/")
        >>> await subscriptions.close()
    """

    def __init__(
        self,
        store: WorkflowStore,
        committer: GroupCommitter,
        streams: StreamService,
        webhooks: Webhooks,
        clock: Clock,
        *,
        public_url: str | None = None,
        limits: SubscriptionLimits | None = None,
    ) -> None:
        self.limits = limits or SubscriptionLimits()
        self._clock = clock
        self._webhooks = webhooks
        self._public_url = public_url
        self._keys = Keys(store, committer, clock)
        self._records = SubscriptionRecords(store, committer, clock, self.limits)
        self._delivery = Delivery(streams, webhooks, self._keys, clock)
        self._sender = Sender(self._records, self._delivery, clock, self._delivered)
        self._follower = Follower(store, self._records, clock, self.limits, self._advance_soon)
        self._paths_asked: dict[str, set[str]] = {}
        self._advancing: dict[str, asyncio.Task[None]] = {}
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        committer.listen(self._follower.committed)

    def start(self) -> None:
        """Begin to look after subscriptions, those left behind by a process that died included."""
        if self._running is None and not self._closed:
            self._running = asyncio.get_running_loop().create_task(self._follower.run(), name="signoff-subscriptions")

    async def close(self) -> None:
        """Start nothing new, and give deliveries under way a little time."""
        self._closed = True
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self._sender.close()
        if looks := list(self._advancing.values()):
            await asyncio.wait(looks, timeout=GRACE_S)
            for task in looks:
                task.cancel()
            await asyncio.gather(*looks, return_exceptions=True)

    async def step(self) -> None:
        """Do once what is done all the time while started, and wait for it; for tests and tools."""
        await self._follower.sweep()
        await self._follower.due()
        await self.settled()

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while tasks := [*self._advancing.values(), *self._sender.under_way]:
            await asyncio.wait(tasks)

    # -- subscriptions ---------------------------------------------------------------------------------------------

    async def create(self, subscription_id: str, config: Config, root_url: str) -> tuple[dict[str, Any], bool]:
        """Create a subscription, or find that it exists with this configuration (§6.2).

        Returns:
            what `get` returns, and whether it is new.

        Raises:
            WebhookUrlRejected: the webhook may not be called.
            BadRequest: it names more streams than it may follow.
            SubscriptionExists: with another configuration.
        """
        root_url = self._public_url or root_url
        while True:
            try:
                sub, _ = await self._records.load(subscription_id)
            except SubscriptionNotFound:
                if config.webhook is not None:
                    await self._webhooks.check(config.webhook)
                blank = Subscription(subscription_id, config, self._clock.now_ms(), root_url)
                sub = rules.begun(blank, await self._existing_tails(blank), self.limits)
                if not await self._records.add(sub):
                    continue
                self._follower.changed()
                if sub.left_out:
                    _log_left_out(sub)
                self._advance_soon(subscription_id, ())
                return await self._to_json(sub), True
            if sub.config.digest != config.digest:
                raise SubscriptionExists(
                    f"The subscription {subscription_id!r} exists with another configuration; delete it first. "
                    "Nothing was changed."
                ) from None
            return await self._to_json(sub), False

    async def get(self, subscription_id: str, after: str = "") -> dict[str, Any]:
        """Return a subscription (§6.3), and a page of the streams it follows.

        Args:
            after: the `streams_after` of the page before.

        Raises:
            SubscriptionNotFound: there is none.
        """
        sub, _ = await self._records.load(subscription_id)
        return await self._to_json(sub, after)

    async def delete(self, subscription_id: str) -> None:
        """Delete a subscription; its wakes and tokens are worth nothing from now on (§6.3).

        Raises:
            SubscriptionNotFound: there is none.
        """
        await self._records.remove(subscription_id)

    async def link(self, subscription_id: str, paths: Iterable[str]) -> None:
        """Add explicit links, at the tails of the streams (§6.4).

        Raises:
            SubscriptionNotFound: there is none.
            BadRequest: it is the subscription's own wake stream, or it would follow too many.
        """
        added = tuple(paths)

        def transition(sub: Subscription, moment: Moment) -> Subscription:
            if sub.config.wake_stream in added:
                raise BadRequest("A subscription that followed its own wake stream would wake itself for ever.")
            return rules.advance(rules.linked(sub, added, moment), moment)

        await self._change(subscription_id, transition, added)

    async def unlink(self, subscription_id: str, path: str) -> None:
        """Remove an explicit link; one that the pattern makes stays (§6.4).

        Raises:
            SubscriptionNotFound: there is none.
        """
        await self._change(subscription_id, lambda sub, moment: rules.advance(rules.unlinked(sub, path), moment))

    async def jwks(self) -> dict[str, Any]:
        """Return the keys that verify webhooks (§6.5)."""
        return {"keys": [self._webhooks.public_key(await self._keys.seed())]}

    # -- workers ---------------------------------------------------------------------------------------------------

    async def claim(self, subscription_id: str, worker: str) -> dict[str, Any]:
        """Give a worker the lease (§7.2).

        Raises:
            SubscriptionNotFound, BadRequest, AlreadyClaimed, NoPendingWork.
        """
        self._check_type(PULL_WAKE, (await self._records.load(subscription_id))[0])
        try:
            done = await self._change(subscription_id, lambda sub, moment: rules.claimed(sub, worker, moment))
        except NoPendingWork:
            self._advance_soon(subscription_id, ())  # an event that tells of what is gone is taken back
            raise
        sub = done.after
        assert sub.wake is not None, "claimed"
        return {
            "wake_id": sub.wake.id,
            "generation": sub.generation,
            "token": await self._delivery.token(sub),
            "streams": streams_json(sub, done.moment),
            "lease_ttl_ms": sub.config.lease_ttl_ms,
        }

    async def acknowledge(self, subscription_id: str, kind: str, token: str, request: Request) -> dict[str, Any]:
        """Move cursors, and extend or end the lease (§7.1, §7.2).

        Args:
            kind: `webhook` for a callback, `pull-wake` for an ack.
            request: its `token_generation` is read from `token`.

        Raises:
            SubscriptionNotFound, BadRequest, TokenInvalid, Fenced, InvalidAck.
        """
        request = await self._authenticated(subscription_id, kind, token, request)

        def transition(sub: Subscription, moment: Moment) -> Subscription:
            sub = rules.acknowledged(sub, request, moment)
            return rules.advance(sub, moment) if request.done else sub

        paths, others = [path for path, _ in request.acks], None if request.done else 0
        done = await self._change(subscription_id, transition, paths, others=others)
        return {"ok": True, "next_wake": request.done and done.after.wake is not None}

    async def release(self, subscription_id: str, token: str, request: Request) -> None:
        """Give the lease up (§7.2).

        Raises:
            SubscriptionNotFound, BadRequest, TokenInvalid, Fenced.
        """
        request = await self._authenticated(subscription_id, PULL_WAKE, token, request)
        await self._change(
            subscription_id, lambda sub, moment: rules.advance(rules.released(sub, request, moment), moment)
        )

    async def _authenticated(self, subscription_id: str, kind: str, token: str, request: Request) -> Request:
        # The token first: who has none learns nothing, not even whether there is such a subscription.
        key, now = await self._keys.token_key(), self._clock.now_ms()
        generation = tokens.generation(key, subscription_id, token, now)
        self._check_type(kind, (await self._records.load(subscription_id))[0])
        return Request(request.wake_id, request.generation, generation, request.acks, request.done)

    # -- how it runs -----------------------------------------------------------------------------------------------

    async def _change(
        self,
        subscription_id: str,
        transition: Callable[[Subscription, Moment], Subscription],
        also: Iterable[str] = (),
        *,
        others: int | None = None,
    ) -> SubscriptionChange:
        """Change a subscription, and send the wake if the change began one; see `SubscriptionRecords.change`."""
        done = await self._records.change(subscription_id, transition, also, others=others)
        if done.after is not done.before:
            self._follower.changed()
        if done.after.left_out and not done.before.left_out:
            _log_left_out(done.after)
        wake, before = done.after.wake, done.before.wake
        if wake is not None and wake.phase is WakePhase.SENDING and (before is None or before.id != wake.id):
            self._sender.send(done)
        return done

    async def _delivered(self, subscription_id: str, wake: Wake, result: DeliveryResult) -> None:
        """Record how the delivery of a wake ended."""

        def transition(sub: Subscription, moment: Moment) -> Subscription:
            if not result.ok:
                return rules.not_delivered(sub, wake.id, moment)
            sub = rules.delivered(sub, wake.id, moment, done=result.done)
            return rules.advance(sub, moment) if result.done else sub

        change = self._change(subscription_id, transition, others=None if result.done else 0)
        await self._log_failure(subscription_id, change)

    def _advance_soon(self, subscription_id: str, paths: Collection[str]) -> None:
        """Advance a subscription soon; asking again before that costs nothing.

        Args:
            paths: streams that have moved; none: look at all it follows.
        """
        if self._closed:
            return
        self._paths_asked.setdefault(subscription_id, set()).update(paths or (ALL,))
        if subscription_id not in self._advancing:
            task = asyncio.get_running_loop().create_task(self._advance(subscription_id), name="signoff-subscription")
            self._advancing[subscription_id] = task

    async def _advance(self, subscription_id: str) -> None:
        try:
            while (paths := self._paths_asked.pop(subscription_id, None)) is not None:
                # A wake tells of so many streams; what else there is, is compared when it ends.
                others = None if ALL in paths else self.limits.listed
                change = self._change(subscription_id, rules.advance, sorted(paths - {ALL}), others=others)
                await self._log_failure(subscription_id, change)
        finally:
            del self._advancing[subscription_id]

    async def _log_failure(self, subscription_id: str, change: Awaitable[SubscriptionChange]) -> None:
        """Wait for a change nobody else waits for; what fails here is found again by sweep or time."""
        try:
            await change
        except SubscriptionNotFound:
            log.debug("subscription %s was deleted", subscription_id)
        except SignoffError as error:
            log.warning("subscription %s: %s", subscription_id, error.detail)

    async def _existing_tails(self, sub: Subscription) -> Tails:
        """Look up the streams that a new subscription follows, and one more if there are too many."""
        found: dict[str, Tail | None] = {}
        if (glob := sub.glob) is not None:
            async for page in self._follower.pages(glob.prefix):
                found |= {one.path: tail_of(one) for one in page if sub.follows(one.path)}
                if len(found) > self.limits.followed:
                    break
        return found | dict(await self._records.tails([path for path in sub.config.streams if path not in found]))

    async def _to_json(self, sub: Subscription, after: str = "") -> dict[str, Any]:
        config = sub.config.to_json()
        if sub.config.type == WEBHOOK:
            key = self._webhooks.public_key(await self._keys.seed())
            config["webhook"]["signing"] = {
                "alg": "ed25519",
                "kid": key["kid"],
                "jwks_url": f"{sub.root_url}__ds/jwks.json",
            }
        return {
            "id": sub.id,
            "subscription_id": sub.id,
            **config,
            **page_json(sub, after, self.limits.listed),
            "created_at": rfc3339(sub.created_at),
            "status": sub.status,
        }

    @staticmethod
    def _check_type(kind: str, sub: Subscription) -> None:
        if sub.config.type != kind:
            raise BadRequest(f"This is for {kind} subscriptions; {sub.id!r} is {sub.config.type}. Nothing was done.")


def _log_left_out(sub: Subscription) -> None:
    log.warning(
        "subscription %s follows %d streams, as many as it may; it leaves out others that match %s",
        sub.id, len(sub.links), sub.config.pattern,
    )  # fmt: skip
