"""What a server is told once, at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from signoff.errors import Forbidden
from signoff.server.limits import HttpLimits
from signoff.streams.subscription_target import Targets

MIN_SECRET = 32
"""Bytes a HS256 key needs (RFC 7518 §3.2)."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

PAGE_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Content-Security-Policy of the served page: a bundler's output runs, inline and foreign scripts do not."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Hold what a server is told at its start.

    Attributes:
        secret: the HS256 key that signs tokens; None: keyless mode, for one machine alone (see `access.py`).
        audience: what a token's `aud` must name; None: tokens must not have an `aud`.
        origins: page origins (`https://app.example`) that may call the API from a browser.
        hosts: names beyond localhost by which a keyless server may be called.
        page: a folder with a built page to serve at `/`.
        page_policy: the page's Content-Security-Policy.
        max_body: bytes a request body may have.
        max_depth: levels a JSON body may nest.
        max_append: bytes one append to a stream may have.
        max_readers: live SSE readers at a time; one more is answered 503.
        http: sizes and times of connections.
        public_url: under which receivers of webhooks reach this server, e.g. `https://signoff.example`; None: as those
            who create subscriptions call it.
        webhooks: where webhooks may be sent; None: to public addresses, and without a key to this machine too.
    """

    secret: bytes | None = None
    audience: str | None = None
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    page: Path | None = None
    page_policy: str = PAGE_POLICY
    max_body: int = 1 << 20
    max_depth: int = 64
    public_url: str | None = None
    webhooks: Targets | None = None
    max_append: int = 10 << 20
    max_readers: int = 8_000
    http: HttpLimits = field(default_factory=HttpLimits)

    @property
    def webhook_targets(self) -> Targets:
        """Return where webhooks may be sent."""
        return self.webhooks or (Targets.LOOPBACK if self.keyless else Targets.PUBLIC)

    @property
    def keyless(self) -> bool:
        """Tell whether nobody needs a key: whoever is on this machine is the operator."""
        return self.secret is None


def check_binding(host: str, secret: bytes | None) -> None:
    """Refuse to offer the engine to a network without a key.

    Raises:
        Forbidden: `host` is not a loopback address and there is no secret, or the secret is too short.
    """
    if secret is not None and len(secret) < MIN_SECRET:
        raise Forbidden(
            f"SIGNOFF_SECRET has {len(secret)} bytes and needs at least {MIN_SECRET}; "
            "make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    if secret is None and host not in LOOPBACK:
        raise Forbidden(
            f"Refusing to listen on {host} without a key: everybody who can reach it would be the operator. "
            "Set SIGNOFF_SECRET (32 bytes or more), or use --host 127.0.0.1."
        )
