"""The head of a request: what the parser found, checked, as an ASGI scope."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

import httptools

from signoff.server.http.reply import Header, Scope
from signoff.server.http11.rejection import Rejection

SocketAddress = tuple[str, int]
"""Host and port, as ASGI has them."""

_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}


def scope_of(
    parser: Any,
    target: bytes,
    headers: list[Header],
    *,
    root: str,
    client: SocketAddress | None,
    server: SocketAddress | None,
) -> Scope:
    """Return the ASGI scope of a request whose head was parsed.

    Raises:
        Rejection: the target is not a path, or see `_check`.
    """
    version: str = parser.get_http_version()
    _check(headers, version)
    try:
        url = httptools.parse_url(target)
        raw_path: bytes = url.path
        path = raw_path.decode("ascii")
    except (httptools.HttpParserInvalidURLError, AttributeError, UnicodeDecodeError):
        raise Rejection(400, "bad_request", "The target of the request is not a path. Nothing was done.") from None
    return {
        "type": "http",
        "asgi": _ASGI,
        "http_version": version,
        "method": parser.get_method().decode("ascii"),
        "scheme": "http",
        "path": root + (unquote(path) if "%" in path else path),
        "raw_path": root.encode() + raw_path if root else raw_path,
        "query_string": url.query or b"",
        "root_path": root,
        "headers": headers,
        "server": server,
        "client": client,
    }


def length_of(headers: list[Header]) -> int:
    """Return the length of the body of a request that asks for another protocol.

    Raises:
        Rejection: it is in chunks, which nobody takes apart there.
    """
    found = dict(headers)
    if b"transfer-encoding" in found:
        detail = "A request with an Upgrade tells the Content-Length of its body, if it has one. Nothing was done."
        raise Rejection(501, "not_supported", detail)
    return int(found.get(b"content-length", b"0"))


def _check(headers: list[Header], version: str) -> None:
    """Refuse what two readers could take for two different requests.

    Raises:
        Rejection: more or less than one `Host` (RFC 9112 §3.2); HTTP/1.0 may go without. A transfer coding other than
            `chunked`, which would be stored as it came (§6.1).
    """
    hosts = codings = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding":
            codings += 1
            if codings > 1 or value.strip().lower() != b"chunked":
                detail = "The only Transfer-Encoding understood here is `chunked`, once. Nothing was done."
                raise Rejection(501, "not_supported", detail)
    if hosts != 1 and (hosts or version == "1.1"):
        raise Rejection(400, "bad_request", f"A request has one Host header, not {hosts}. Nothing was done.")


def address_of(found: Any) -> SocketAddress | None:
    """Return a socket's address as ASGI has it; None if it has none of its own, as one in the file system."""
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None
