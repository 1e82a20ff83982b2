"""How a subscription is kept: JSON, versioned by its `v`."""

from __future__ import annotations

from typing import Any, Final

import orjson

from signoff.errors import SchemaTooNew
from signoff.streams.subscriptions.config import Config
from signoff.streams.subscriptions.state import Link, Subscription, Wake, WakePhase

VERSION: Final = 1


def dumps(sub: Subscription) -> bytes:
    """Write a subscription; its id is the record's."""
    wake = sub.wake
    return orjson.dumps(
        {
            "v": VERSION,
            "config": sub.config.to_json(),
            "created_at": sub.created_at,
            "root_url": sub.root_url,
            "links": {path: [link.explicit, link.acked, link.incarnation] for path, link in sub.links.items()},
            "generation": sub.generation,
            "failures": sub.failures,
            "next_attempt_at": sub.next_attempt_at,
            "left_out": sub.left_out,
            "wake": None
            if wake is None
            else {
                "id": wake.id,
                "phase": wake.phase.value,
                "until": wake.until,
                "snapshot": dict(wake.snapshot),
                "stream": wake.stream,
                "holder": wake.holder,
            },
        }
    )


def loads(subscription_id: str, data: bytes) -> Subscription:
    """Read a subscription back.

    Raises:
        SchemaTooNew: it was written by a newer version.
    """
    kept: dict[str, Any] = orjson.loads(data)
    if kept["v"] != VERSION:
        raise SchemaTooNew(f"The subscription {subscription_id} was written by a newer version of Signoff.")
    config = dict(kept["config"])
    webhook = config.pop("webhook")
    wake = kept["wake"]
    return Subscription(
        id=subscription_id,
        config=Config(**config | {"streams": tuple(config["streams"]), "webhook": webhook and webhook["url"]}),
        created_at=kept["created_at"],
        root_url=kept["root_url"],
        links={path: Link(*link) for path, link in kept["links"].items()},
        generation=kept["generation"],
        wake=None if wake is None else Wake(**wake | {"phase": WakePhase(wake["phase"])}),
        failures=kept["failures"],
        next_attempt_at=kept["next_attempt_at"],
        left_out=kept.get("left_out", False),
    )
