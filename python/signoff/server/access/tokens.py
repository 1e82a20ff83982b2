"""Bearer tokens: from an `Authorization` header to an `Identity`.

With a key, a caller is what its token says (`Authorization: Bearer`, a JWT signed with HS256, or with a key that its
issuer publishes); no token is nobody, who may do nothing. Without a key the server listens on loopback alone and
whoever is on this machine is the operator; an *unsecured* token (`alg: none`, RFC 7519 §6) is accepted there so that an
application can be tried as one of its people.

Claims: `sub` (a person), `groups`, and `grants` (`identity.py`); `jti` names the token, so that it can be revoked.
Which keys fit is decided by the algorithm: secrets check HS256 and nothing else, published keys the one they are for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from signoff.clock import Clock, SystemClock
from signoff.errors import Unauthorized
from signoff.names import ID_RULE, is_id
from signoff.server.access.identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from signoff.server.access.jwks import ALGORITHMS, PublishedKeys
from signoff.signing import Keyring, decoded

LEEWAY_S: Final = 10
"""Seconds that clocks may disagree about `exp` and `nbf`; what is read live ends so long after `exp` too."""

REMEMBERED: Final = 1_000
"""Tokens whose check is not repeated: one takes 40 µs, more than half of an append (`bench/streams.py`)."""

_MOST_CLAIMS = 1_000
_JTI = re.compile(r"[!-~]{1,200}")
_LATEST_S: Final = 1 << 43
"""An `exp` beyond that (in 280,000 years) is as good as that: what is later has no place in a float's milliseconds."""


Revoked = Callable[[str, float | None], bool]
"""Tells whether what has this key (`jti:…`, `sub:…`) and was issued then (seconds; None: not known) is revoked."""

_INVALID: Final = "The token is not valid here. Nothing was done."


class KeyWanted(Unauthorized):
    """A token signed with a key that is not known yet; `TokenVerifier.fetch` may get it."""


@dataclass(frozen=True, slots=True)
class _Checked:
    identity: Identity
    until_ms: float
    keys: tuple[str, ...]
    issued_at: float | None


class TokenVerifier:
    """The check of `Authorization` headers, which says who sends them.

    Args:
        keys: the secrets that tokens are signed with; None: there are none.
        audience: what a token's `aud` must name; None: tokens must not have an `aud`.
        clock: for the end of tokens.
        issuer: what a token's `iss` must be; None: anything.
        published: keys of an issuer; None: there are none. Without secrets either, who sends no token is the operator.
        revoked: tells what is revoked; None: nothing is.
    """

    def __init__(
        self,
        keys: Keyring | None,
        audience: str | None = None,
        clock: Clock | None = None,
        *,
        issuer: str | None = None,
        published: PublishedKeys | None = None,
        revoked: Revoked | None = None,
    ) -> None:
        self._keys = keys
        self._published = published
        self._audience = audience
        self._issuer = issuer
        self._revoked = revoked
        self._clock = clock or SystemClock()
        self._keyless = keys is None and published is None
        self._nobody = LOCAL_OPERATOR if self._keyless else ANONYMOUS
        self._known: dict[str, _Checked] = {}
        if published is not None:
            published.on_change(self._known.clear)

    def identify(self, authorization: str | None) -> Identity:
        """Return who sends this header; the same header means the same until `Identity.until`, or a revocation.

        Tokens are remembered while they last: checking a signature takes longer than an append.

        Raises:
            KeyWanted: the token's key is not known; `fetch`, and ask again.
            Unauthorized: the token is malformed, has the wrong signature, has expired, is not valid yet, or is revoked.
        """
        if authorization is None:
            return self._nobody
        known = self._known.get(authorization)
        if known is None or self._clock.now_ms() >= known.until_ms:
            self._known.pop(authorization, None)
            known = self._check(authorization)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[authorization] = known
        if self._revoked is not None and not self._keyless:
            for key in known.keys:
                if self._revoked(key, known.issued_at):
                    raise Unauthorized("The token was revoked; get a new one. Nothing was done.")
        return known.identity

    async def fetch(self) -> None:
        """Fetch published keys that are not known yet, unless that was tried a moment ago.

        Raises:
            ServerBusy: none are known and they cannot be fetched.
        """
        if self._published is not None:
            await self._published.fetch()

    def _check(self, authorization: str) -> _Checked:
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("The Authorization header must read `Bearer` and a token. Nothing was done.")
        claims = self._claims(token.strip())
        identity, issued = _identity(claims), claims.get("iat")
        keys = (f"sub:{identity.sub}", *([f"jti:{claims['jti']}"] if identity.via else []))
        until = inf if identity.until is None else identity.until * 1000
        return _Checked(identity, until, keys, None if issued is None else float(max(int(issued), 0)))

    def _claims(self, token: str) -> dict[str, Any]:
        # Loaded by the first token: commands that work on a store have none, and it brings all of cryptography.
        import jwt  # noqa: PLC0415

        try:
            header = jwt.get_unverified_header(token)
            if self._keyless:
                return self._unsecured(token, header)
            return self._signed(token, header)
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("The token has expired; get a new one. Nothing was done.") from error
        except jwt.ImmatureSignatureError as error:
            raise Unauthorized("The token is not valid yet. Nothing was done.") from error
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthorized(_INVALID) from error

    def _unsecured(self, token: str, header: dict[str, Any]) -> dict[str, Any]:
        import jwt  # noqa: PLC0415

        if header.get("alg") != "none" or not token.endswith("."):
            raise Unauthorized(
                "This server has no key and cannot check a signed token: start it with SIGNOFF_SECRET, "
                "or send no token. Nothing was done."
            )
        checks = {"verify_signature": False, "verify_exp": True, "verify_nbf": True, "verify_sub": True}
        return jwt.decode(token, options=checks, leeway=LEEWAY_S)  # type: ignore[arg-type]

    def _signed(self, token: str, header: dict[str, Any]) -> dict[str, Any]:
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm == "HS256" and self._keys is not None:
            return self._decoded(token, algorithm, self._keys.secrets)
        if self._published is None or algorithm not in ALGORITHMS:
            raise Unauthorized(_INVALID)
        key = self._published.find(kid, algorithm)
        if key is None:
            raise KeyWanted("The token is signed with a key that is not known here. Nothing was done.")
        return self._decoded(token, algorithm, (key,))

    def _decoded(self, token: str, algorithm: str, keys: Sequence[Any]) -> dict[str, Any]:
        return decoded(token, keys, algorithm, audience=self._audience, issuer=self._issuer, leeway=LEEWAY_S)


def is_jti(text: str) -> bool:
    """Return whether a text is a valid token id (`jti`)."""
    return _JTI.fullmatch(text) is not None


def _identity(claims: dict[str, Any]) -> Identity:
    sub = claims.get("sub")
    if not isinstance(sub, str) or not is_id(sub):
        raise Unauthorized(f"The token's claim `sub` must be a text, {ID_RULE}. Nothing was done.")
    groups = _texts(claims, "groups")
    if not all(map(is_id, groups)):
        raise Unauthorized(f"The token's claim `groups` must hold texts, each {ID_RULE}. Nothing was done.")
    ends = claims.get("exp")
    until = None if ends is None else float(min(int(ends), _LATEST_S) + LEEWAY_S)
    jti = claims.get("jti")
    if jti is not None and not (isinstance(jti, str) and is_jti(jti)):
        raise Unauthorized("The token's claim `jti` must be 1 to 200 visible ASCII characters. Nothing was done.")
    return Identity(sub, groups, _texts(claims, "grants"), until=until, via=None if jti is None else f"token:{jti}")


def _texts(claims: dict[str, Any], name: str) -> frozenset[str]:
    value = claims.get(name, [])
    if not isinstance(value, list) or len(value) > _MOST_CLAIMS or not all(isinstance(item, str) for item in value):
        raise Unauthorized(f"The token's claim `{name}` must be a list of texts. Nothing was done.")
    return frozenset(value)
