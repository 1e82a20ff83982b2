"""The secrets of a deployment, and the keys that are made from them: one for each purpose, so that what was signed for
one can be shown for no other."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from signoff.errors import Forbidden

MIN_SECRET = 32
"""Bytes a HS256 key needs (RFC 7518 §3.2)."""

_TOKEN: Final = re.compile(r"eyJ[A-Za-z0-9_%.~-]{16,}")
"""How each JWT begins, and goes on: `eyJ` is `{"`."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The secrets that what is signed may be signed with.

    Attributes:
        secrets: each of at least `MIN_SECRET` bytes. The first signs; all of them are good for what was signed before,
            so that secrets can be rotated without a refusal.

    Raises:
        Forbidden: a secret is too short, or there is none.
        TypeError: one is no bytes.

    Example:
        >>> keys = Keyring((b"n" * 32, b"o" * 32)).of("link")
        >>> len(keys.secrets), keys.secrets[0] == Keyring((b"n" * 32,)).of("link").secrets[0]
        (2, True)
    """

    secrets: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.secrets:
            raise Forbidden("There is no secret to sign with; set SIGNOFF_SECRET.")
        for secret in self.secrets:
            check_secret(secret)

    @property
    def signing(self) -> bytes:
        """Return the secret that signs."""
        return self.secrets[0]

    def of(self, purpose: str) -> Keyring:
        """Return the keys for one purpose, e.g. `link`: made from these, and of no use for any other."""
        made = [hmac.digest(one, f"signoff/{purpose}".encode(), hashlib.sha256) for one in self.secrets]
        return Keyring(tuple(made))


def decoded(token: str, keys: Sequence[Any], algorithm: str, **checks: Any) -> dict[str, Any]:
    """Return the claims of a JWT that one of the keys has signed.

    Args:
        token: the JWT.
        keys: at least one, each good for the algorithm.
        algorithm: how it has to be signed, e.g. `HS256`; what the token says of that counts for nothing.
        checks: what else `jwt.decode` takes.

    Raises:
        jwt.InvalidTokenError: none has, or a check fails.
    """
    import jwt  # noqa: PLC0415 - it brings all of cryptography, which comes with the first token

    for key in keys[:-1]:
        try:
            return jwt.decode(token, key, algorithms=[algorithm], **checks)
        except jwt.InvalidSignatureError:
            continue
    return jwt.decode(token, keys[-1], algorithms=[algorithm], **checks)


def without_tokens(text: str) -> str:
    """Return a text, such as an address, as a log or an error may show it: whoever holds a signed link may use it.

    Example:
        >>> without_tokens("/v1/answer/eyJhbGciOiJIUzI1NiJ9.eyJyIjoicjEifQ.c2ln")
        '/v1/answer/…'
    """
    return _TOKEN.sub("…", text)


def new_jti() -> str:
    """Return the id of something that is signed: of letters and digits, so that no shell takes it for an option."""
    return secrets.token_hex(10)


def check_secret(secret: bytes | None) -> None:
    """Refuse a secret that is too short to sign with; none at all is fine.

    Raises:
        Forbidden: it is too short.
        TypeError: it is no bytes.
    """
    if secret is None:
        return
    if not isinstance(secret, bytes):
        raise TypeError(
            f"The secret is bytes, not {type(secret).__name__}: os.environb[b'SIGNOFF_SECRET'], for example."
        )
    if len(secret) < MIN_SECRET:
        raise Forbidden(
            f"The secret (SIGNOFF_SECRET) has {len(secret)} bytes and needs at least {MIN_SECRET}; "
            "make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
