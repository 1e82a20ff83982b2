"""What the sub-commands that serve are told, by options and by the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from signoff.cli import options
from signoff.cli.grouped import grouped
from signoff.cli.misuse import Misuse
from signoff.server.config import NO_PUBLIC_URL, ServerConfig, is_header, is_jwks_url, is_origin
from signoff.server.http11.limits import HttpLimits
from signoff.server.notify.people import PeopleTarget, read_people
from signoff.server.notify.people_messenger import check_people
from signoff.streams.subscriptions.target import Targets

_UNLESS_GIVEN = ServerConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The options of a sub-command that serves; each member is one."""

    host: options.BindHost = "127.0.0.1"
    port: options.Port = 4437
    page: options.PageFolder = None
    console: options.Console = True
    allow_origin: options.Origins = None
    allow_header: options.AllowHeaders = None
    public_url: options.PublicUrl = None
    notify: options.NotifyFile = None
    webhook_targets: options.WebhookTargets = None
    access_log: options.AccessLog = False
    max_append: options.MaxAppend = _UNLESS_GIVEN.max_append
    max_readers: options.MaxReaders = _UNLESS_GIVEN.max_readers
    max_connections: options.MaxConnections = _UNLESS_GIVEN.http.connections
    max_headers: options.MaxHeaders = _UNLESS_GIVEN.http.header_bytes
    header_timeout: options.HeaderTimeout = _UNLESS_GIVEN.http.header_s
    body_timeout: options.BodyTimeout = _UNLESS_GIVEN.http.body_s
    keep_alive: options.KeepAlive = _UNLESS_GIVEN.http.keep_alive_s
    write_timeout: options.WriteTimeout = _UNLESS_GIVEN.http.write_s
    write_bytes: options.WriteBytes = _UNLESS_GIVEN.http.write_bytes
    long_poll: options.LongPoll = _UNLESS_GIVEN.long_poll_s
    sse_keep_alive: options.SseKeepAlive = _UNLESS_GIVEN.sse_keep_alive_s
    sse_max_age: options.SseMaxAge = _UNLESS_GIVEN.sse_max_age_s
    rate: options.Rate = _UNLESS_GIVEN.rate
    burst: options.Burst = _UNLESS_GIVEN.burst
    retention: options.Retention = None

    def config(self) -> ServerConfig:
        """Return the configuration: keys, issuer and audience from SIGNOFF_SECRET, SIGNOFF_OLD_SECRETS (each after a
        comma), SIGNOFF_JWKS_URL, SIGNOFF_ISSUER and SIGNOFF_AUDIENCE.

        Raises:
            Misuse: the page's folder is not there, the public URL, an origin or a header's name is none,
                SIGNOFF_WEBHOOK_TARGETS or the file of --notify is not understood, or apprise is not installed.
            Forbidden: the key is too short.
        """
        secret = os.environ.get("SIGNOFF_SECRET") or None
        public_url = _public_url(self.public_url or os.environ.get("SIGNOFF_PUBLIC_URL"))
        return ServerConfig(
            secret=os.fsencode(secret) if secret else None,
            old_secrets=tuple(os.fsencode(old) for old in os.environ.get("SIGNOFF_OLD_SECRETS", "").split(",") if old),
            jwks_url=_keys_url(os.environ.get("SIGNOFF_JWKS_URL")),
            issuer=os.environ.get("SIGNOFF_ISSUER") or None,
            rate=self.rate,
            burst=self.burst,
            audience=os.environ.get("SIGNOFF_AUDIENCE") or None,
            origins=_each("--allow-origin", self.allow_origin, is_origin, "an origin, such as https://app.example"),
            allow_headers=_each("--allow-header", self.allow_header, is_header, "a header's name")
            or _UNLESS_GIVEN.allow_headers,
            page=_folder(self.page),
            console=self.console,
            public_url=public_url,
            notify=_people(self.notify or os.environ.get("SIGNOFF_NOTIFY"), public_url),
            webhooks=self.webhook_targets or _targets(os.environ.get("SIGNOFF_WEBHOOK_TARGETS")),
            max_append=self.max_append,
            max_readers=self.max_readers,
            long_poll_s=self.long_poll,
            sse_keep_alive_s=self.sse_keep_alive,
            sse_max_age_s=self.sse_max_age,
            http=HttpLimits(
                connections=self.max_connections,
                header_bytes=self.max_headers,
                header_s=self.header_timeout,
                body_s=self.body_timeout,
                keep_alive_s=self.keep_alive,
                write_s=self.write_timeout,
                write_bytes=self.write_bytes,
            ),
        )


serves = grouped("serving", Serving)
"""Give a sub-command the options of `Serving`, in place of its parameter `serving`."""


def _each(option: str, given: list[str] | None, fits: Callable[[str], bool], what: str) -> tuple[str, ...]:
    for one in given or ():
        if not fits(one):
            raise Misuse(f"{option} {one}: it takes {what}.")
    return tuple(given or ())


def _folder(page: str | None) -> Path | None:
    folder = Path(page) if page is not None else None
    if folder is not None and not (folder / "index.html").is_file():
        raise Misuse(f"--page {page}: there is no index.html in it; build the page first.")
    return folder


def _public_url(given: str | None) -> str | None:
    if given and not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", given):
        raise Misuse(f"--public-url {given}: it begins with https:// (or http://), and has no query.")
    return given or None


def _keys_url(given: str | None) -> str | None:
    if given and not is_jwks_url(given):
        raise Misuse("SIGNOFF_JWKS_URL begins with https://; http:// is for this machine alone.")
    return given or None


def _people(given: str | None, public_url: str | None) -> tuple[PeopleTarget, ...]:
    if not given:
        return ()
    if public_url is None:
        raise Misuse(f"--notify {given}: {NO_PUBLIC_URL}")
    try:
        targets = read_people(Path(given), os.environ)
        check_people(targets)
    except OSError as error:
        raise Misuse(f"--notify {given}: {error.strerror or 'it cannot be read'}.") from error
    except (ImportError, ValueError) as error:
        raise Misuse(f"--notify {given}: {error}") from error
    return targets


def _targets(given: str | None) -> Targets | None:
    try:
        return Targets(given) if given else None
    except ValueError:
        known = ", ".join(target.value for target in Targets)
        raise Misuse(f"SIGNOFF_WEBHOOK_TARGETS is {given!r}; it is one of {known}.") from None


def store_url(store: str | None) -> str:
    """Return the store's URL from the option or SIGNOFF_STORE.

    Raises:
        Misuse: neither is given.
    """
    chosen = store or os.environ.get("SIGNOFF_STORE")
    if not chosen:
        raise Misuse("Say --store URL (or set SIGNOFF_STORE), for example sqlite:///signoff.db.")
    return chosen
