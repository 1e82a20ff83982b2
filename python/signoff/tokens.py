"""Tokens for people's browsers: narrow, and soon over.

An application knows its people; for one that is logged in it makes a token, and hands it to the page. No token means
nothing by itself: what it allows is in its groups and grants (`signoff.server.access.identity`).

Example:
    >>> token = mint(b"a secret of 32 bytes or far more", "alice", groups={"finance"}, ttl_s=600)
    >>> token.count(".")
    2
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from signoff.errors import Forbidden
from signoff.names import ID_RULE, is_id
from signoff.signing import Keyring, check_secret, new_jti

DEFAULT_TTL_S: Final = 900.0
"""Seconds a token lasts unless said otherwise."""

LONGEST_TTL_S: Final = 366 * 86_400.0
"""Seconds a token lasts at most."""

ACTIONS: Final = (
    "run:read",
    "run:start",
    "run:cancel",
    "run:audit",
    "run:link",
    "workflow:list",
    "event:send",
    "stream:read",
    "stream:write",
)
"""What a grant may allow, each with a subject after it (`signoff.server.access.identity`)."""

_OPERATOR: Final = "operator"


def mint(
    secret: bytes | Keyring,
    sub: str,
    *,
    groups: Iterable[str] = (),
    grants: Iterable[str] = (),
    ttl_s: float = DEFAULT_TTL_S,
    audience: str | None = None,
    issuer: str | None = None,
    jti: str | None = None,
    operator: bool = False,
    now: float | None = None,
) -> str:
    """Return a token that says who somebody is and what they may do.

    Args:
        secret: of the deployment (SIGNOFF_SECRET), of 32 bytes or more; of a keyring the first signs.
        sub: the person.
        groups: theirs.
        grants: what they may do beside answering what is asked of them, e.g. `run:read:mine`.
        ttl_s: seconds until the token ends.
        audience: what the server is told to expect (SIGNOFF_AUDIENCE).
        issuer: what it is told to expect (SIGNOFF_ISSUER).
        jti: the token's name, unique, for its revocation and for evidence; drawn if None.
        operator: let it have the grant `operator`, which allows everything; not for browsers.
        now: seconds since the epoch; the system's clock if None.

    Raises:
        Forbidden: the secret is too short, or `grants` has `operator` and `operator` is not said.
        ValueError: `sub` or a group cannot stand in a principal, there is no such grant, or the token would last no
            time, or over a year.
        TypeError: the secret is no bytes, or `groups` or `grants` is a single text.

    Example:
        >>> page_token = mint(secret, "alice", groups={"finance"}, grants={"run:read:mine"}, ttl_s=600)
    """
    import jwt  # noqa: PLC0415 - it brings all of cryptography

    if isinstance(groups, str) or isinstance(grants, str):
        raise TypeError("`groups` and `grants` are several texts, not one: {'finance'}.")
    key = secret.signing if isinstance(secret, Keyring) else secret
    check_secret(key)
    groups, grants = sorted(set(groups)), sorted(set(grants))
    for who in (sub, *groups):
        if not is_id(who):
            raise ValueError(f"{who!r:.100} cannot stand in a principal, which takes {ID_RULE}.")
    for grant in grants:
        _check_grant(grant)
    if not 0 < ttl_s <= LONGEST_TTL_S:
        raise ValueError("A token lasts more than 0 seconds and a year at most.")
    if _OPERATOR in grants and not operator:
        raise Forbidden(
            "The grant `operator` allows everything and is nothing for a browser. "
            "For a program of yours say operator=True."
        )
    if operator:
        grants = sorted({*grants, _OPERATOR})
    issued = time.time() if now is None else now
    claims: dict[str, Any] = {
        "sub": sub,
        "groups": groups,
        "grants": grants,
        "iat": int(issued),
        "exp": int(issued + ttl_s + 0.999),
        "jti": jti or new_jti(),
    }
    if audience is not None:
        claims["aud"] = audience
    if issuer is not None:
        claims["iss"] = issuer
    return jwt.encode(claims, key, "HS256")


def _check_grant(grant: str) -> None:
    action, colon, subject = grant.partition(":")
    name, second, subject = subject.partition(":")
    if grant != _OPERATOR and not (colon and second and subject and f"{action}:{name}" in ACTIONS):
        raise ValueError(
            f"There is no grant {grant!r:.100}. One is an action, a colon and a subject, such as run:read:r1, or * for "
            f"all; the actions are {', '.join(ACTIONS)}."
        )


__all__ = ["ACTIONS", "DEFAULT_TTL_S", "LONGEST_TTL_S", "mint"]
