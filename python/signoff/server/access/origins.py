"""Which pages may call: CORS, and the checks that protect a server without a key.

Without a key whoever reaches the server is the operator, and a browser on this machine lets every page reach it. So
there a request that names a page (`Origin`) is refused, whatever its method, unless the page is this server's own or
was allowed: another application on another port of this machine is as foreign as any. What a browser sends for a
foreign page without naming it (an image, a script) it marks as such (`Sec-Fetch-Site`), and that is refused too. And a
request must be addressed to this machine (`Host`), or else a page could point its own name at 127.0.0.1 (DNS
rebinding), and come from it, in case the application was bound to an outside address by whoever embeds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from signoff.errors import BadRequest, Forbidden
from signoff.links import PATH as LINKS
from signoff.server.http.address import LOOPBACK, path_below
from signoff.server.http.reply import Header, Reply, Scope, header

_METHODS: Header = (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, DELETE, OPTIONS")
_ALLOWED_HEADERS = ("authorization", "content-type", "prefer")
_PORTS = {"http": 80, "https": 443}
_EXPOSED: Header = (b"access-control-expose-headers", b"idempotency-replayed, location, retry-after, allow")


class OriginPolicy:
    """The pages that may call, and the hosts by which they may: whether a request may go on, and what CORS says.

    Args:
        keyless: whoever reaches the server is the operator, so foreign pages are refused.
        origins: pages that may call from a browser, beside the server's own.
        hosts: names beyond localhost by which a keyless server may be called.
        public_url: under which others reach this application; its origin may call.
        allow_headers: what pages of other origins may send beside what the API needs.
    """

    def __init__(
        self,
        *,
        keyless: bool,
        origins: Sequence[str] = (),
        hosts: Sequence[str] = (),
        public_url: str | None = None,
        allow_headers: Sequence[str] = (),
    ) -> None:
        self._keyless = keyless
        public = () if public_url is None else (_origin_of(public_url),)
        self._allowed = frozenset((*(origin.rstrip("/").lower() for origin in origins), *public))
        self._hosts = LOOPBACK | {host.lower() for host in hosts}
        self._preflight: tuple[Header, ...] = (
            _METHODS,
            (b"access-control-allow-headers", ", ".join((*_ALLOWED_HEADERS, *allow_headers)).encode("ascii")),
            (b"access-control-max-age", b"600"),
        )

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
        # A link is a secret of its own, which no foreign page knows; its page sends `Origin: null`.
        origin = header(scope, b"origin")
        if origin is not None and not self._may_call(origin, host) and not path_below(scope).startswith(LINKS):
            raise Forbidden(
                f"This server has no key and takes no requests from pages of {origin[:140]!r}. If they are yours, "
                f"start it with --allow-origin {origin[:140]}, or let their server pass /v1 on with the Host header as "
                "it is. Nothing was done."
            )
        if origin is None and _foreign_part(scope):
            raise Forbidden(
                "This server has no key and is no part of other pages: nothing of it can be an image, script or "
                "style of theirs. Nothing was done."
            )

    def headers(self, scope: Scope) -> list[Header]:
        """Return the CORS headers for a response of the API; none for pages that may not call."""
        origin = header(scope, b"origin")
        if origin is None or not self._may_call(origin, header(scope, b"host")):
            return []
        return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin"), _EXPOSED]

    def preflight(self, scope: Scope) -> Reply | None:
        """Answer a CORS preflight; None if the request is none."""
        if scope["method"] != "OPTIONS" or header(scope, b"access-control-request-method") is None:
            return None
        allowed = self._may_call(header(scope, b"origin") or "", header(scope, b"host"))
        return Reply(204, b"", self._preflight if allowed else ())

    def _may_call(self, origin: str, host: str | None) -> bool:
        return origin in self._allowed or (host is not None and _own(origin, host))


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


@lru_cache(maxsize=1024)
def _own(origin: str, host: str) -> bool:
    """Tell whether a page comes from where its request goes to; no page can send another `Host` than that."""
    scheme, _, authority = origin.partition("://")
    port = _PORTS.get(scheme)
    if port is None or "@" in authority:
        return False
    try:
        page, here = urlsplit(f"//{authority}"), urlsplit(f"//{host}")
        same = page.hostname == here.hostname and (page.port or port) == (here.port or port)
    except ValueError:
        return False
    return same and page.netloc == authority


def _foreign_part(scope: Scope) -> bool:
    """Tell whether a browser asks for a part of a foreign page; to go from there to a page of ours is another thing."""
    site, mode = header(scope, b"sec-fetch-site"), header(scope, b"sec-fetch-mode")
    return site in {"cross-site", "same-site"} and mode != "navigate"


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
