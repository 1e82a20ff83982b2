"""Where a request is addressed to, seen from this application: below whatever it is mounted at.

ASGI tells in `root_path` where an application is mounted, decoded, and leaves it in front of `path` and `raw_path`. A
server may give no `raw_path` at all.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from signoff.errors import BadRequest
from signoff.server.http.reply import Scope, header

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that are this machine."""

HOST: Final = re.compile(r"[A-Za-z0-9._\-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
"""A host as it may stand in a URL, with or without a port."""


def raw_path(scope: Scope) -> bytes:
    """Return the whole path as it was sent, percent-encoded; made from the decoded one if the server does not tell."""
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"]).encode() if raw is None else raw


def raw_below(scope: Scope) -> bytes:
    """Return the path below the mount point, percent-encoded as it was sent."""
    return below(raw_path(scope), scope)


def path_below(scope: Scope) -> str:
    """Return the path below the mount point, decoded."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root) and path[len(root) :].startswith("/") else path


def url_of(path: str, scope: Scope, public_url: str | None) -> bytes:
    """Return the URL of what this application has at a path of its own; without a public one a path (RFC 3986 §4.2).

    Args:
        path: percent-encoded.
        public_url: where others reach this application.
    """
    return (
        quote(scope.get("root_path", "")) if public_url is None else public_url.rstrip("/")
    ).encode() + path.encode()


def base_of(scope: Scope, public_url: str | None) -> str:
    """Return the URL of this application, for addresses that are opened elsewhere: in a mail, by another program.

    Args:
        public_url: where others reach this application. None: by the host of the request, and the scheme of its
            connection, since anybody can send `X-Forwarded-Proto`.

    Raises:
        BadRequest: there is none, and the request does not name a host.
    """
    if public_url is not None:
        return public_url.rstrip("/")
    host = header(scope, b"host") or ""
    if not HOST.fullmatch(host):
        raise BadRequest("The request names no host, so where this server is cannot be told. Nothing was made.")
    return f"{scope.get('scheme', 'http')}://{host}{quote(scope.get('root_path', ''))}"


def below(raw: bytes, scope: Scope) -> bytes:
    """Return what follows the mount point in an encoded path; the whole of it if it does not begin with that.

    Args:
        raw: of an address that this application may have given out, such as that of a stream.
        scope: says where the application is mounted.
    """
    root: str = scope.get("root_path", "")
    if not root:
        return raw
    decoded = root.encode()
    if raw.startswith(decoded) and raw[len(decoded) : len(decoded) + 1] == b"/" and b"%" not in decoded:
        return raw[len(decoded) :]
    # A client may encode what needs no encoding: what decodes to the mount point is the mount point.
    cut = raw.find(b"/", 1)
    while cut > 0:
        if unquote_to_bytes(raw[:cut]) == decoded:
            return raw[cut:]
        cut = raw.find(b"/", cut + 1)
    return raw
