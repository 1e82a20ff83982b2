"""Bearer tokens: from an `Authorization` header to an `Identity`.

With a key, a caller is what its token says (`Authorization: Bearer`, a JWT signed with HS256); no token is nobody, who
may do nothing. Without a key the server listens on loopback alone and whoever is on this machine is the operator; an
*unsecured* token (`alg: none`, RFC 7519 §6) is accepted there so that an application can be tried as one of its people.

Claims: `sub` (a person), `groups`, and `grants` (`identity.py`).
"""

from __future__ import annotations

from math import inf
from typing import Any, Final

from signoff.clock import Clock, SystemClock
from signoff.errors import Unauthorized
from signoff.names import ID_RULE, is_id
from signoff.server.access.identity import ANONYMOUS, LOCAL_OPERATOR, Identity

LEEWAY_S: Final = 10
"""Seconds that clocks may disagree about `exp` and `nbf`; what is read live ends so long after `exp` too."""

REMEMBERED: Final = 1_000
"""Tokens whose check is not repeated: one takes 40 µs, more than half of an append (`bench/streams.py`)."""

_MOST_CLAIMS = 1_000
_LATEST_S: Final = 1 << 43
"""An `exp` beyond that (in 280,000 years) is as good as that: what is later has no place in a float's milliseconds."""


class TokenVerifier:
    """The check of `Authorization` headers, which says who sends them.

    Args:
        secret: the HS256 key that signs tokens; None: there is none, and who sends no token is the operator.
        audience: what a token's `aud` must name; None: tokens must not have an `aud`.
        clock: for the end of tokens.
    """

    def __init__(self, secret: bytes | None, audience: str | None = None, clock: Clock | None = None) -> None:
        self._secret = secret
        self._audience = audience
        self._clock = clock or SystemClock()
        self._nobody = ANONYMOUS if self._secret is not None else LOCAL_OPERATOR
        self._known: dict[str, tuple[Identity, float]] = {}

    def identify(self, authorization: str | None) -> Identity:
        """Return who sends this header; the same header means the same until `Identity.until`.

        Tokens are remembered while they last: checking a signature takes longer than an append.

        Raises:
            Unauthorized: the token is malformed, has the wrong signature, has expired, or is not valid yet.
        """
        if authorization is None:
            return self._nobody
        known = self._known.get(authorization)
        if known is None or self._clock.now_ms() >= known[1]:
            self._known.pop(authorization, None)
            identity = self._check(authorization)
            known = identity, inf if identity.until is None else identity.until * 1000
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[authorization] = known
        return known[0]

    def _check(self, authorization: str) -> Identity:
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("The Authorization header must read `Bearer` and a token. Nothing was done.")
        return _identity(self._claims(token.strip()))

    def _claims(self, token: str) -> dict[str, Any]:
        # Loaded by the first token: commands that work on a store have none, and it brings all of cryptography.
        import jwt  # noqa: PLC0415

        try:
            if self._secret is not None:
                return jwt.decode(token, self._secret, algorithms=["HS256"], audience=self._audience, leeway=LEEWAY_S)
            if jwt.get_unverified_header(token).get("alg") != "none" or not token.endswith("."):
                raise Unauthorized(
                    "This server has no key and cannot check a signed token: start it with SIGNOFF_SECRET, "
                    "or send no token. Nothing was done."
                )
            checks = {"verify_signature": False, "verify_exp": True, "verify_nbf": True, "verify_sub": True}
            return jwt.decode(token, options=checks, leeway=LEEWAY_S)  # type: ignore[arg-type]
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("The token has expired; get a new one. Nothing was done.") from error
        except jwt.ImmatureSignatureError as error:
            raise Unauthorized("The token is not valid yet. Nothing was done.") from error
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthorized("The token is not valid here. Nothing was done.") from error


def _identity(claims: dict[str, Any]) -> Identity:
    sub = claims.get("sub")
    if not isinstance(sub, str) or not is_id(sub):
        raise Unauthorized(f"The token's claim `sub` must be a text, {ID_RULE}. Nothing was done.")
    groups = _texts(claims, "groups")
    if not all(map(is_id, groups)):
        raise Unauthorized(f"The token's claim `groups` must hold texts, each {ID_RULE}. Nothing was done.")
    ends = claims.get("exp")
    until = None if ends is None else float(min(int(ends), _LATEST_S) + LEEWAY_S)
    return Identity(sub, groups, _texts(claims, "grants"), until=until)


def _texts(claims: dict[str, Any], name: str) -> frozenset[str]:
    value = claims.get(name, [])
    if not isinstance(value, list) or len(value) > _MOST_CLAIMS or not all(isinstance(item, str) for item in value):
        raise Unauthorized(f"The token's claim `{name}` must be a list of texts. Nothing was done.")
    return frozenset(value)
