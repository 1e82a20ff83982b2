"""What a server is told once, at its start."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from signoff.errors import Forbidden
from signoff.server.http.address import LOOPBACK
from signoff.server.http11.limits import HttpLimits
from signoff.server.notify.people import PeopleTarget
from signoff.server.streams.read import Limits
from signoff.server.streams.wire import ALLOW_HEADERS
from signoff.signing import Keyring, check_secret
from signoff.streams.subscriptions.limits import SubscriptionLimits
from signoff.streams.subscriptions.target import Targets

PAGE_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Content-Security-Policy of the served page: a bundler's output runs, inline and foreign scripts do not."""


NO_PUBLIC_URL = (
    "Messages to people have links, and nobody knows where people reach this server. "
    "Say it: --public-url URL, SIGNOFF_PUBLIC_URL, or `public_url` of a ServerConfig."
)

_STREAMS = Limits()
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s@*]+/?")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What a server is told at its start.

    Attributes:
        secret: the HS256 key that signs tokens; None: keyless mode, for one machine alone (see `access/`).
        old_secrets: keys that tokens and links were signed with before, and that are still good for them.
        jwks_url: where an issuer publishes the keys that tokens are signed with (a JWK Set); with or without a secret.
        issuer: what a token's `iss` must be; None: anything.
        rate: calls of the API that each person may make a second in the long run, operators aside; 0: any number.
        burst: as many at once.
        audience: what a token's `aud` must name; None: tokens must not have an `aud`.
        origins: page origins (`https://app.example`) that may call the API from a browser; its own may without that.
        allow_headers: what pages of other origins may send beside what the protocol has; those that trace requests.
        hosts: names beyond localhost by which a keyless server may be called.
        page: a folder with a built page to serve at `/`.
        console: serve the built-in console at `/console/`; without a `page` visitors of `/` are sent there.
        page_policy: the page's Content-Security-Policy.
        max_body: bytes a request body may have.
        max_depth: levels a JSON body may nest.
        max_append: bytes one append to a stream may have.
        max_readers: live readers (SSE and long-poll) at a time; one more is answered 503.
        chunk: about how many bytes one catch-up read returns; what was appended at once is not parted.
        long_poll_s: seconds a long-poll waits for news.
        sse_keep_alive_s: seconds after which a silent SSE connection gets a comment.
        sse_max_age_s: seconds after which an SSE connection is ended, for the client to connect anew.
        sse_stuck_s: seconds beyond that after which an SSE client that does not read is dropped.
        http: sizes and times of connections.
        public_url: under which others reach this application, e.g. `https://app.example` or, below a prefix,
            `https://app.example/signoff`; it stands in `Location` and in what receivers of webhooks are told. None: as
            they call it.
        notify: where people are told by mail and chat of what they are asked; their links need a `public_url`.
        webhooks: where webhooks may be sent; None: to public addresses, and without a key to this machine too.
        subscriptions: how many streams one may follow, and how many are told of at a time.

    Raises:
        Forbidden: the secret is too short.
        TypeError: it is no bytes.
        ValueError: `jwks_url` does not begin with https:// (or http:// and this machine), `rate` or `burst` is no
            bound, `notify` has an id twice or lacks a `public_url`, one of `origins` is no origin, or a name in
            `allow_headers` no header's.
    """

    secret: bytes | None = field(default=None, repr=False)
    old_secrets: tuple[bytes, ...] = field(default=(), repr=False)
    jwks_url: str | None = field(default=None, repr=False)
    issuer: str | None = None
    rate: float = 100.0
    burst: int = 1_000
    audience: str | None = None
    origins: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ALLOW_HEADERS
    hosts: tuple[str, ...] = ()
    page: Path | None = None
    console: bool = True
    page_policy: str = PAGE_POLICY
    max_body: int = 1 << 20
    max_depth: int = 64
    public_url: str | None = None
    notify: tuple[PeopleTarget, ...] = ()
    webhooks: Targets | None = None
    max_append: int = _STREAMS.max_body
    max_readers: int = _STREAMS.max_readers
    chunk: int = _STREAMS.chunk
    long_poll_s: float = _STREAMS.long_poll_s
    sse_keep_alive_s: float = _STREAMS.keep_alive_s
    sse_max_age_s: float = _STREAMS.max_age_s
    sse_stuck_s: float = _STREAMS.stuck_s
    http: HttpLimits = field(default_factory=HttpLimits)
    subscriptions: SubscriptionLimits = field(default_factory=SubscriptionLimits)

    def __post_init__(self) -> None:
        check_secret(self.secret)
        for old in self.old_secrets:
            check_secret(old)
        if self.old_secrets and self.secret is None:
            raise Forbidden("There are old secrets and no secret that signs (SIGNOFF_SECRET).")
        if self.jwks_url is not None and not is_jwks_url(self.jwks_url):
            raise ValueError("The address of keys begins with https://; http:// is for this machine alone.")
        if self.rate < 0 or self.burst < 1:
            raise ValueError("A rate is 0 (none) or more, and a burst 1 or more.")
        if self.notify and self.public_url is None:
            raise ValueError(NO_PUBLIC_URL)
        if len({one.id for one in self.notify}) < len(self.notify):
            raise ValueError("Two of `notify` have the same id.")
        for origin in self.origins:
            if not is_origin(origin):
                raise ValueError(f"{origin!r:.100} is no origin; write https://app.example.")
        for name in self.allow_headers:
            if not is_header(name):
                raise ValueError(f"{name!r:.100} is no header's name.")

    @property
    def keyring(self) -> Keyring | None:
        """Return the secrets that tokens and links are signed with; None: there are none."""
        return None if self.secret is None else Keyring((self.secret, *self.old_secrets))

    @property
    def webhook_targets(self) -> Targets:
        """Return where webhooks may be sent."""
        return self.webhooks or (Targets.LOOPBACK if self.keyless else Targets.PUBLIC)

    @property
    def stream_limits(self) -> Limits:
        """Return the sizes and times of the stream endpoints."""
        return Limits(
            max_body=self.max_append,
            chunk=self.chunk,
            long_poll_s=self.long_poll_s,
            keep_alive_s=self.sse_keep_alive_s,
            max_age_s=self.sse_max_age_s,
            stuck_s=self.sse_stuck_s,
            max_readers=self.max_readers,
        )

    @property
    def keyless(self) -> bool:
        """Tell whether nobody needs a key: whoever is on this machine is the operator."""
        return self.secret is None and self.jwks_url is None


def is_origin(text: str) -> bool:
    """Tell whether a text can be the origin of a page, such as `https://app.example`; a slash after it is let be."""
    return _ORIGIN.fullmatch(text) is not None


def is_header(name: str) -> bool:
    """Tell whether a text can be the name of a header (RFC 9110 §5.6.2)."""
    return _HEADER.fullmatch(name) is not None


def is_jwks_url(url: str) -> bool:
    """Return True if keys may be fetched from a URL: over HTTPS, or from this machine, so that none can be swapped."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def check_binding(host: str, config: ServerConfig) -> None:
    """Refuse to offer the engine to a network without a key.

    Raises:
        Forbidden: `host` is not a loopback address and there is neither a secret nor an issuer's keys.
    """
    if config.keyless and host not in LOOPBACK:
        raise Forbidden(
            f"Refusing to listen on {host} without a key: everybody who can reach it would be the operator. "
            "Set SIGNOFF_SECRET (32 bytes or more) or SIGNOFF_JWKS_URL, or use --host 127.0.0.1."
        )
