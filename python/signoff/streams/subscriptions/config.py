"""What a subscription is created with: read, normalized, and compared by its digest (Durable Streams §6.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from signoff.errors import BadRequest
from signoff.names import LONGEST_PATH
from signoff.streams import path as paths
from signoff.streams.subscriptions import glob as globs
from signoff.streams.subscriptions.limits import SubscriptionLimits

WEBHOOK: Final = "webhook"
PULL_WAKE: Final = "pull-wake"

LEASE_MS: Final = 30_000
SHORTEST_LEASE_MS: Final = 1_000
LONGEST_LEASE_MS: Final = 600_000
LONGEST_URL: Final = 2_048
LONGEST_DESCRIPTION: Final = 1_000

_NOTHING: Final = "Nothing was done."
_LIMITS: Final = SubscriptionLimits()


@dataclass(frozen=True, slots=True)
class Config:
    """What a subscription is created with; paths are normalized.

    Attributes:
        type: how its workers are woken.
        streams: paths linked explicitly at creation, sorted.
        webhook: the URL that is called; only with `webhook`.
        wake_stream: the stream that gets wake events; only with `pull-wake`.
    """

    type: Literal["webhook", "pull-wake"]
    pattern: str | None = None
    streams: tuple[str, ...] = ()
    webhook: str | None = field(default=None, repr=False)  # an address may be all that a receiver asks for
    wake_stream: str | None = None
    lease_ttl_ms: int = LEASE_MS
    description: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the members of the request that says the same."""
        return {
            "type": self.type,
            "pattern": self.pattern,
            "streams": list(self.streams),
            "webhook": None if self.webhook is None else {"url": self.webhook},
            "wake_stream": self.wake_stream,
            "lease_ttl_ms": self.lease_ttl_ms,
            "description": self.description,
        }

    @property
    def digest(self) -> str:
        """Return a hash that is the same for the same configuration."""
        return hashlib.sha256(orjson.dumps(self.to_json(), option=orjson.OPT_SORT_KEYS)).hexdigest()


def parse(body: object, limits: SubscriptionLimits = _LIMITS) -> Config:
    """Read the body of a creation; members that are not known are ignored, as clients of later versions may send them.

    Raises:
        BadRequest: a member is missing or wrong.
    """
    members = _object(body)
    kind = members.get("type")
    if kind not in (WEBHOOK, PULL_WAKE):  # no set: what JSON can say may not be hashable
        raise BadRequest(f"`type` is `webhook` or `pull-wake`. {_NOTHING}")
    pattern = _text(members, "pattern", LONGEST_PATH)
    streams = parse_streams(members, limits) if members.get("streams") is not None else ()
    if pattern is None and not streams:
        raise BadRequest(f"Say which streams: a `pattern`, or `streams`. {_NOTHING}")
    return Config(
        type=kind,
        pattern=None if pattern is None else globs.check(pattern),
        streams=streams,
        webhook=_webhook(members) if kind == WEBHOOK else None,
        wake_stream=_wake_stream(members, streams) if kind == PULL_WAKE else None,
        lease_ttl_ms=_lease(members),
        description=_text(members, "description", LONGEST_DESCRIPTION),
    )


def parse_streams(body: object, limits: SubscriptionLimits = _LIMITS) -> tuple[str, ...]:
    """Read the `streams` of a body: paths without leading slashes, each once, sorted.

    Raises:
        BadRequest: it is no list of paths where streams may live.
    """
    given = _object(body).get("streams")
    if not isinstance(given, Sequence) or isinstance(given, str | bytes) or len(given) > limits.named:
        raise BadRequest(f"`streams` is a list of at most {limits.named} paths. {_NOTHING}")
    return tuple(sorted({path_of(one) for one in given}))


def path_of(given: object) -> str:
    """Read the path of a stream.

    Raises:
        BadRequest: no stream may live there.
    """
    if not isinstance(given, str):
        raise BadRequest(f"A stream is named by its path, a string. {_NOTHING}")
    path = paths.check(given.lstrip("/"))
    if paths.reserved(path):
        raise BadRequest(f"The streams below `__ds` are the protocol's own. {_NOTHING}")
    return path


def _object(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise BadRequest(f"The body is a JSON object. {_NOTHING}")
    return body


def _text(members: Mapping[str, Any], name: str, longest: int) -> str | None:
    value = members.get(name)
    if value is not None and not (isinstance(value, str) and len(value) <= longest):
        raise BadRequest(f"`{name}` is a string of at most {longest} characters. {_NOTHING}")
    return value


def _webhook(members: Mapping[str, Any]) -> str:
    webhook = members.get("webhook")
    url = _text(webhook, "url", LONGEST_URL) if isinstance(webhook, Mapping) else None
    if not url:
        raise BadRequest(f'A webhook subscription needs `"webhook": {{"url": …}}`. {_NOTHING}')
    return url


def _wake_stream(members: Mapping[str, Any], streams: Sequence[str]) -> str:
    given = members.get("wake_stream")
    if not given:
        raise BadRequest(f"A pull-wake subscription needs a `wake_stream`. {_NOTHING}")
    path = path_of(given)
    if paths.engine_owned(path):
        raise BadRequest(f"The wake stream is one of yours, not the engine's. {_NOTHING}")
    if path in streams:
        raise BadRequest(f"A subscription that followed its own wake stream would wake itself for ever. {_NOTHING}")
    return path


def _lease(members: Mapping[str, Any]) -> int:
    given = members.get("lease_ttl_ms")
    if given is None:
        return LEASE_MS
    if type(given) is not int or not SHORTEST_LEASE_MS <= given <= LONGEST_LEASE_MS:
        raise BadRequest(f"`lease_ttl_ms` is a number from {SHORTEST_LEASE_MS} to {LONGEST_LEASE_MS}. {_NOTHING}")
    return given
