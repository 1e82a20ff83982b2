"""Signed links: whoever has one answers one request as one person, until a time, with the actions it names.

A link is a JWT (HS256) signed with the keys for links alone (`Keyring.of("link")`): it is no bearer token, and no
bearer token is a link.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

from signoff.errors import Gone, NotFound
from signoff.names import check_name, check_texts, is_key, is_name, is_principal
from signoff.signing import Keyring, decoded, new_jti
from signoff.timestamps import is_rfc3339

TTL_S: Final = 7 * 86_400.0
"""Seconds that a link is good for unless something else is said."""

LONGEST: Final = 1024
"""Characters of a link as a URL; mail programs and chats cut longer ones."""

PATH: Final = "/v1/answer/"
_PURPOSE: Final = "link"
_MALFORMED: Final = (
    "This link is not one of ours, or a part of it was lost on the way. Nothing was recorded. "
    "Open it anew from the message, or ask for another."
)


@dataclass(frozen=True, slots=True)
class SignedLink:
    """What a link says.

    Attributes:
        id: by which it is revoked, and named in evidence.
        run_id, key: the one request it is for.
        to: the principals as which its holder acts; one of them is a `user:`.
        actions: what may be chosen with it; None: whatever the request offers.
        expires_at: seconds since the epoch.
        once: one answer alone is taken through it.
        asked_at: when the request was asked, as its row says; None: whatever stands at its place is meant.
    """

    id: str
    run_id: str
    key: str
    to: tuple[str, ...]
    actions: tuple[str, ...] | None
    expires_at: int
    once: bool
    token: str = field(repr=False)
    asked_at: str | None = None

    @property
    def person(self) -> str:
        """Return the one person it is for."""
        return next(one for one in self.to if one.startswith("user:"))

    def url(self, base_url: str) -> str:
        """Return the link as an address.

        Raises:
            ValueError: it would be longer than `LONGEST`.
        """
        made = f"{base_url.rstrip('/')}{PATH}{self.token}"
        if len(made) > LONGEST:
            raise ValueError(
                f"The link would have {len(made)} characters, and {LONGEST} is the most; name fewer actions."
            )
        return made


def mint(
    keyring: Keyring,
    run_id: str,
    key: str,
    to: str | Sequence[str],
    *,
    base_url: str,
    actions: Sequence[str] | None = None,
    ttl_s: float = TTL_S,
    once: bool = False,
    asked_at: str | None = None,
) -> str:
    """Make a link to one request, as an address to send to the person it is for.

    Args:
        keyring: the secrets of the deployment.
        run_id, key: the request, such as `r1` and `approve:0`.
        to: as whom its holder answers: `user:alice`, or that and the groups in whose name she was asked.
        base_url: under which people reach the server, e.g. `https://app.example`.
        actions: the only ones to be chosen with it; None: all that the request offers.
        ttl_s: seconds until it ends.
        once: take one answer through it alone.
        asked_at: the `asked_at` of the request's row; with it the link opens nothing of a later run that has got the
            id of this one after that was deleted.

    Raises:
        InvalidName: the run's id is none.
        TypeError: `actions` is a single text.
        ValueError: the key, the principals, the actions or a time cannot be so, or the link would be too long.

    Example:
        >>> keyring = Keyring((b"s" * 32,))
        >>> mint(keyring, "r1", "approve:0", "user:alice", base_url="https://app.example").split("ey")[0]
        'https://app.example/v1/answer/'
    """
    link = make(keyring, run_id, key, to, actions=actions, ttl_s=ttl_s, once=once, asked_at=asked_at)
    return link.url(base_url)


def make(
    keyring: Keyring,
    run_id: str,
    key: str,
    to: str | Sequence[str],
    *,
    actions: Sequence[str] | None = None,
    ttl_s: float = TTL_S,
    once: bool = False,
    asked_at: str | None = None,
    now_s: float | None = None,
) -> SignedLink:
    """Make a link as `mint` does, and return all that is known of it.

    Args:
        now_s: seconds since the epoch; None: by this machine's clock.

    Raises:
        InvalidName, TypeError, ValueError: see `mint`.
    """
    import jwt  # noqa: PLC0415 - it brings all of cryptography, which only who has a link needs

    people = (to,) if isinstance(to, str) else tuple(dict.fromkeys(to))
    check_name(run_id, "run id")
    if not is_key(key):
        raise ValueError(f"{key!r:.140} is no request's key, such as approve:0.")
    if not all(is_principal(one) for one in people) or sum(one.startswith("user:") for one in people) != 1:
        raise ValueError("A link is for one person, such as user:alice; groups may be named beside.")
    if actions is not None:
        check_texts(actions, "`actions` of a link", 'actions=["approve"]')
    if actions is not None and not (actions and all(isinstance(one, str) and one for one in actions)):
        raise ValueError("A link allows at least one action, or None for all that are offered.")
    if not 0 < ttl_s < 1 << 32:
        raise ValueError(f"A link ends after some seconds, not {ttl_s!r}.")
    if asked_at is not None and not is_rfc3339(asked_at):
        raise ValueError(f"{asked_at!r:.100} is not the `asked_at` of a request's row.")
    ends = ceil((time.time() if now_s is None else now_s) + ttl_s)
    claims: dict[str, Any] = {"r": run_id, "k": key, "to": list(people), "exp": ends, "jti": new_jti()}
    if actions is not None:
        claims["a"] = list(dict.fromkeys(actions))
    if once:
        claims["o"] = 1
    if asked_at is not None:
        claims["q"] = asked_at
    token = jwt.encode(claims, keyring.of(_PURPOSE).signing, "HS256")
    return _link(claims, token)


def read(keyring: Keyring, token: str, now_s: float) -> SignedLink:
    """Return what a link says, if it is good; whether it was revoked or used is another question.

    Args:
        keyring: the secrets of the deployment, old ones too.
        token: the last part of the address.
        now_s: seconds since the epoch.

    Raises:
        NotFound: it is none of ours.
        Gone: its time is over.
    """
    import jwt  # noqa: PLC0415 - as above

    if len(token) > LONGEST:
        raise NotFound(_MALFORMED)
    checks = {"require": ["exp", "jti"], "verify_exp": False}
    try:
        link = _link(decoded(token, keyring.of(_PURPOSE).secrets, "HS256", options=checks), token)
    except (jwt.InvalidTokenError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise NotFound(_MALFORMED) from error
    if link.expires_at <= now_s:
        raise Gone("This link has ended. Nothing was recorded. Ask whoever sent it for another.")
    return link


def _link(claims: dict[str, Any], token: str) -> SignedLink:
    """Read the claims.

    Raises:
        ValueError: they are not what a link says.
    """
    to, actions, asked_at = tuple(claims["to"]), claims.get("a"), claims.get("q")
    people = [one for one in to if isinstance(one, str) and is_principal(one)]
    if len(people) != len(to) or not is_name(claims["r"]) or not is_key(claims["k"]) or not is_name(claims["jti"]):
        raise ValueError("These are not the claims of a link.")
    if asked_at is not None and not is_rfc3339(asked_at):
        raise ValueError("It does not say when the request was asked.")
    kept = None if actions is None else tuple(str(one) for one in actions)
    return SignedLink(
        claims["jti"], claims["r"], claims["k"], to, kept, int(claims["exp"]), bool(claims.get("o")), token, asked_at
    )
