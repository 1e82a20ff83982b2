"""The public keys of whoever issues tokens, as they publish them (RFC 7517): fetched when needed, and kept.

A token signed with an unknown key makes us look again, but rarely, whatever is sent; keys that are known stay known
while their publisher is away. What is published says for which algorithm a key is good, and a token cannot choose
another: a public key is never a secret for HS256.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final

import orjson

from signoff.clock import Clock
from signoff.errors import ServerBusy
from signoff.outages import OutageLog

log = logging.getLogger(__name__)

ALGORITHMS: Final = frozenset({"RS256", "ES256", "EdDSA"})
_FITS: Final = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}

EVERY_S: Final = 600.0
"""Seconds after which keys are fetched anew, so that one that is taken back does not stay good."""

AGAIN_S: Final = 5.0
"""Seconds between two fetches, whatever is asked for."""

TIMEOUT_S: Final = 5.0
MOST_BYTES: Final = 256 << 10
_MOST_KEYS: Final = 100
_LEAST_RSA_BITS: Final = 2048


class PublishedKeys:
    """The keys published at one address.

    Args:
        url: of the JWK Set.
        clock: says how old they are.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._keys: dict[tuple[str | None, str], Any] = {}
        self._fingerprint: bytes | None = None
        self._tried_ms = -inf
        self._ended_ms = -inf
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._told: list[Callable[[], None]] = []
        self._outage = OutageLog(log, "the keys that tokens are checked with cannot be fetched")

    def on_change(self, told: Callable[[], None]) -> None:
        """Have somebody told whenever other keys are published than before."""
        self._told.append(told)

    def find(self, kid: str | None, algorithm: str) -> Any:
        """Return a known key; None: it is not known. Without `kid`, the only one for that algorithm."""
        self._refresh_later()
        if kid is not None:
            return self._keys.get((kid, algorithm))
        fitting = [key for (_, good_for), key in self._keys.items() if good_for == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    async def fetch(self) -> None:
        """Fetch the keys, unless that was tried a moment ago; calls at the same time share a fetch.

        Raises:
            ServerBusy: none are known and they cannot be fetched.
        """
        asked_ms = self._clock.now_ms()
        async with self._lock:
            shared = asked_ms < self._ended_ms  # a fetch that takes long is for all who have waited for it, not for one
            if not shared and self._clock.now_ms() - self._tried_ms >= AGAIN_S * 1000:
                self._tried_ms = self._clock.now_ms()
                try:
                    self._take(await self._download())
                    self._outage.over()
                except Exception as error:  # whatever it is: known keys stay good
                    self._outage.failed(error)
                self._ended_ms = self._clock.now_ms()
        if not self._keys:
            raise ServerBusy("Tokens cannot be checked now: their issuer's keys are not to be had. Nothing was done.")

    def _refresh_later(self) -> None:
        old = self._clock.now_ms() - self._tried_ms >= EVERY_S * 1000
        if old and self._keys and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self.fetch(), name="signoff-jwks")

    async def _download(self) -> bytes:
        # Loaded by the first token: servers without published keys never need it.
        import httpx  # noqa: PLC0415

        data = b""
        async with asyncio.timeout(TIMEOUT_S), httpx.AsyncClient() as http, http.stream("GET", self._url) as response:
            if response.status_code != 200:
                raise ValueError(f"their address answers {response.status_code}")
            async for piece in response.aiter_bytes():
                data += piece
                if len(data) > MOST_BYTES:
                    raise ValueError(f"they have more than {MOST_BYTES} bytes")
        return data

    def _take(self, data: bytes) -> None:
        document = orjson.loads(data)
        listed = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(listed, list):
            raise ValueError("what is published is no JWK Set")  # noqa: TRY004 - of data, not of a call
        keys: dict[tuple[str | None, str], Any] = {}
        for jwk in listed[:_MOST_KEYS]:
            found = _read(jwk) if isinstance(jwk, dict) else None
            if found is not None:
                algorithm, key = found
                keys.setdefault((jwk.get("kid"), algorithm), key)
        if not keys:
            raise ValueError("none of what is published is a key that tokens may be signed with")
        if data != self._fingerprint:
            self._keys, self._fingerprint = keys, data
            for told in self._told:
                told()


def _read(jwk: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return a public key with the only algorithm it is good for; None: it is none for signatures of tokens."""
    import jwt  # noqa: PLC0415

    kty, kid = jwk.get("kty"), jwk.get("kid")
    algorithm = _FITS.get((kty, None if kty == "RSA" else jwk.get("crv"))) if isinstance(kty, str) else None
    if algorithm is None or jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig" or "d" in jwk:
        return None
    if not isinstance(kid, str | None):
        return None
    try:
        key = jwt.PyJWK(dict(jwk), algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if algorithm == "RS256" and key.key_size < _LEAST_RSA_BITS:
        return None
    return algorithm, key
