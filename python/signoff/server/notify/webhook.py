"""Webhooks that are told of requests, signed by the Standard Webhooks scheme; sent only where subscriptions' may be."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

import orjson

from signoff.clock import Clock
from signoff.server.subscriptions.webhook import HttpWebhooks
from signoff.service.notify.notifier import TIMEOUT_S
from signoff.service.notify.target import NotifyTarget
from signoff.service.notify.targets import secret_bytes
from signoff.timestamps import rfc3339
from signoff.workflow.notice import RequestEvent


class WebhookMessenger:
    """What tells webhooks.

    Args:
        webhooks: calls them, with the rules of where they may be.
        clock: for the timestamp that is signed.
    """

    def __init__(self, webhooks: HttpWebhooks, clock: Clock) -> None:
        self._webhooks = webhooks
        self._clock = clock

    def reaches(self, target: NotifyTarget) -> bool:
        """Tell that any server can call any webhook."""
        return target.kind == "webhook"

    def each(self, target: NotifyTarget, event: RequestEvent) -> Sequence[RequestEvent]:  # noqa: ARG002
        """Return the event: a webhook is told of it once, for all who are asked."""
        return (event,)

    async def tell(self, target: NotifyTarget, event: RequestEvent) -> str | None:
        """Post an event; return why the receiver did not take it, or None."""
        data = event.to_json()
        body = orjson.dumps({"type": f"request.{event.event}", "timestamp": rfc3339(event.at), "data": data})
        headers = signed(event.id, self._clock.now_ms() // 1000, body, target.secrets)
        result = await self._webhooks.call(target.url, body, headers, TIMEOUT_S)
        return None if result.ok else result.why


def signed(id_: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers that sign a body, with a signature by each secret.

    Args:
        id_: the same for every attempt.
        timestamp: seconds.
    """
    content = b"%b.%d.%b" % (id_.encode(), timestamp, body)
    digests = (hmac.digest(secret_bytes(secret), content, hashlib.sha256) for secret in secrets)
    signatures = " ".join(f"v1,{base64.b64encode(one).decode()}" for one in digests)
    return {"webhook-id": id_, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}
