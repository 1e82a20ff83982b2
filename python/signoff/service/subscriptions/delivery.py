"""How a wake reaches its workers: a signed webhook, or an event in the wake stream (Durable Streams §7.1, §7.2)."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from signoff.clock import Clock
from signoff.errors import SignoffError
from signoff.service.streams.streams import StreamService
from signoff.service.subscriptions.keys import Keys
from signoff.streams import json_mode, offset
from signoff.streams.stream import JSON
from signoff.streams.subscriptions import token as tokens
from signoff.streams.subscriptions.config import WEBHOOK
from signoff.streams.subscriptions.rules import listed
from signoff.streams.subscriptions.state import Link, Moment, Subscription, Tail, Wake

log = logging.getLogger(__name__)

LONGEST_S: Final = 30.0
"""Seconds a receiver has to answer at most; less where the lease is shorter. Who needs longer calls back."""


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """How a delivery ended.

    Attributes:
        ok: it arrived.
        done: the receiver has finished with what it was told of.
        why: if it did not arrive, for the log.
    """

    ok: bool
    done: bool = False
    why: str = ""


class Webhooks(Protocol):
    """What calls webhooks, with the rules of where they may be sent."""

    async def check(self, url: str) -> None:
        """Refuse a URL that will not be called.

        Raises:
            WebhookUrlRejected: see `streams.subscriptions.target`.
        """
        ...

    async def post(self, url: str, body: bytes, seed: bytes, timeout_s: float) -> DeliveryResult:
        """Send a signed body; whatever goes wrong is a DeliveryResult."""
        ...

    def public_key(self, seed: bytes) -> dict[str, str]:
        """Return the JSON Web Key that verifies what `seed` signs, with its `kid`."""
        ...


class Delivery:
    """The sending of one wake, by webhook or as an event."""

    def __init__(self, streams: StreamService, webhooks: Webhooks, keys: Keys, clock: Clock) -> None:
        self._streams = streams
        self._webhooks = webhooks
        self._keys = keys
        self._clock = clock

    async def send(self, sub: Subscription, wake: Wake, moment: Moment) -> DeliveryResult:
        """Send a wake once.

        Args:
            sub: as it is with this wake.
            moment: in which it woke.
        """
        try:
            if sub.config.type == WEBHOOK:
                result = await self._call(sub, wake, moment)
            else:
                result = await self._announce(sub, wake)
        except SignoffError as error:
            result = DeliveryResult(ok=False, why=error.detail)
        if not result.ok:
            log.warning("subscription %s: wake %d was not delivered: %s", sub.id, sub.generation, result.why)
        return result

    async def _call(self, sub: Subscription, wake: Wake, moment: Moment) -> DeliveryResult:
        token = await self.token(sub)
        body = orjson.dumps(
            {
                "subscription_id": sub.id,
                "wake_id": wake.id,
                "generation": sub.generation,
                "streams": streams_json(sub, moment),
                "callback_url": f"{sub.root_url}__ds/subscriptions/{sub.id}/callback",
                "callback_token": token,
            }
        )
        assert sub.config.webhook is not None, "read so from its configuration"
        assert wake.until is not None, "a webhook's wake ends by itself"
        left = (wake.until - self._clock.now_ms()) / 1000
        seconds = max(0.0, min(left, sub.config.lease_ttl_ms / 1000, LONGEST_S))
        return await self._webhooks.post(sub.config.webhook, body, await self._keys.seed(), seconds)

    async def _announce(self, sub: Subscription, wake: Wake) -> DeliveryResult:
        event = {
            "type": "wake",
            "subscription_id": sub.id,
            "stream": wake.stream,
            "generation": sub.generation,
            "ts": self._clock.now_ms(),
        }
        assert sub.config.wake_stream is not None, "read so from its configuration"
        await self._streams.append(sub.config.wake_stream, json_mode.payload(JSON, orjson.dumps(event)))
        return DeliveryResult(ok=True)

    async def token(self, sub: Subscription) -> str:
        """Make the token of the wake a subscription is in."""
        return tokens.mint(await self._keys.token_key(), sub.id, sub.generation, self._clock.now_ms())


def streams_json(sub: Subscription, moment: Moment) -> list[dict[str, Any]]:
    """Return what a wake or a claim says of the streams."""
    return [_stream_json(path, sub.links[path], moment.tails) for path in listed(sub, moment)]


def _stream_json(path: str, link: Link, tails: Mapping[str, Tail | None]) -> dict[str, Any]:
    tail = tails.get(path)
    position = 0 if tail is None else tail.position
    return {
        **link_json(path, link),
        "tail_offset": offset.encode(position),
        "has_pending": position > link.acked,
    }


def page_json(sub: Subscription, after: str, most: int) -> dict[str, Any]:
    """Return links in the order of their paths, those after a path, and where the next page begins if there is one."""
    paths = heapq.nsmallest(most + 1, (path for path in sub.links if path > after))
    return {
        "streams": [link_json(path, sub.links[path]) for path in paths[:most]],
        "streams_after": paths[most - 1] if len(paths) > most else None,
        "streams_count": len(sub.links),
        "streams_left_out": sub.left_out,
    }


def link_json(path: str, link: Link) -> dict[str, Any]:
    """Return a link as it is shown (§6.1)."""
    return {
        "path": path,
        "link_type": "explicit" if link.explicit else "glob",
        "acked_offset": offset.encode(link.acked),
    }
