"""Which pages may call: CORS, and the three checks that protect a server without a key.

Without a key whoever reaches the server is the operator, and a browser on this machine lets every page reach it. So
there a request that names a foreign page (`Origin`) is refused whatever its method, and a request must be addressed to
this machine (`Host`), or else a page could point its own name at 127.0.0.1 (DNS rebinding). And it must come from this
machine, in case the application was bound to an outside address by whoever embeds it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from signoff.errors import BadRequest, Forbidden
from signoff.server.config import LOOPBACK, ServerConfig
from signoff.server.reply import Header, Reply, Scope, header

_LOCAL_ORIGIN = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?\Z")
_PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, HEAD, POST, OPTIONS"),
    (b"access-control-allow-headers", b"authorization, content-type, prefer"),
    (b"access-control-max-age", b"600"),
)
_EXPOSED: Header = (b"access-control-expose-headers", b"idempotency-replayed, location, retry-after, allow")


class Origins:
    """Decide from `Host` and `Origin` whether a request may go on, and what CORS says about it."""

    def __init__(self, config: ServerConfig) -> None:
        self._keyless = config.keyless
        self._allowed = frozenset(origin.rstrip("/") for origin in config.origins)
        self._hosts = LOOPBACK | {host.lower() for host in config.hosts}

    def check(self, scope: Scope) -> None:
        """Refuse what only a foreign page would send to a server without a key.

        Raises:
            BadRequest: no `Host`.
            Forbidden: another `Host` than this machine, or a page that is not allowed.
        """
        if not self._keyless:
            return
        client = scope.get("client")
        if client is not None and not _on_this_machine(client[0]):
            raise Forbidden(
                "This server has no key and serves this machine alone. Start it with SIGNOFF_SECRET to serve others. "
                "Nothing was done."
            )
        host = header(scope, b"host")
        if not host:
            raise BadRequest("The request has no Host header.")
        if _hostname(host) not in self._hosts:
            raise Forbidden(
                f"This server has no key and answers to localhost alone, not to {host[:140]!r}. "
                "Call it as http://127.0.0.1, or start it with SIGNOFF_SECRET. Nothing was done."
            )
        origin = header(scope, b"origin")
        if origin is not None and not self._may_call(origin):
            raise Forbidden(
                f"This server has no key and takes no requests from pages of {origin[:140]!r}. "
                "Allow that origin with --allow-origin. Nothing was done."
            )

    def headers(self, scope: Scope) -> list[Header]:
        """Return the CORS headers for a response of the API; none for pages that may not call."""
        origin = header(scope, b"origin")
        if origin is None or not self._may_call(origin):
            return []
        return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin"), _EXPOSED]

    def preflight(self, scope: Scope) -> Reply | None:
        """Answer a CORS preflight; None if the request is none."""
        if scope["method"] != "OPTIONS" or header(scope, b"access-control-request-method") is None:
            return None
        allowed = self._may_call(header(scope, b"origin") or "")
        return Reply(204, b"", _PREFLIGHT if allowed else ())

    def _may_call(self, origin: str) -> bool:
        return origin in self._allowed or (self._keyless and _LOCAL_ORIGIN.match(origin) is not None)


@lru_cache(maxsize=1024)
def _on_this_machine(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:  # a test's or a socket file's name, not an address
        return True


@lru_cache(maxsize=1024)
def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
