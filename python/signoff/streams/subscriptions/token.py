"""Tokens of one wake: who holds one may call back, ack and release in its name (Durable Streams §7.1, §12.9).

`{payload}.{mac}`, both base64url: the payload is JSON `{"sub", "gen", "exp"}`, the MAC is HMAC-SHA-256 over it. A token
says which wake it was given out for; whether that wake is still on is the state machine's to say.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

import orjson

from signoff.errors import TokenInvalid

LIFETIME_MS: Final = 24 * 3_600_000
"""Longer than any lease is likely to be extended; a lease that goes on needs a new wake by then."""

_LONGEST: Final = 2_048


def mint(key: bytes, subscription_id: str, generation: int, now: int) -> str:
    """Make a token for one wake.

    Args:
        key: secret bytes.
        now: milliseconds.
    """
    payload = _encode(orjson.dumps({"sub": subscription_id, "gen": generation, "exp": now + LIFETIME_MS}))
    return f"{payload}.{_mac(key, payload)}"


def generation(key: bytes, subscription_id: str, token: str, now: int) -> int:
    """Return the generation a token was given out for.

    Raises:
        TokenInvalid: it is not ours, is another subscription's, or has expired.
    """
    payload, _, mac = token.partition(".")
    ours = len(token) <= _LONGEST and token.isascii() and hmac.compare_digest(mac, _mac(key, payload))
    if not ours:
        raise TokenInvalid("Send the token that came with the wake: `Authorization: Bearer …`. No cursor moved.")
    claims = orjson.loads(_decode(payload))
    if claims["sub"] != subscription_id:
        raise TokenInvalid("The token is another subscription's. No cursor moved.")
    if now >= claims["exp"]:
        raise TokenInvalid("The token has expired. No cursor moved.")
    found: int = claims["gen"]
    return found


def _mac(key: bytes, payload: str) -> str:
    return _encode(hmac.digest(key, payload.encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
