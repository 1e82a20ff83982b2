"""URLs of stores on servers: those that can be read in one way alone, and how they are shown."""

from __future__ import annotations

import re
from typing import Final, NoReturn
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from signoff.errors import StoreError

_HOST: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(:[0-9]*)?")
_OPTION: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_SECRET: Final = re.compile(r".*password|listen")
"""Options that are, or may hold, what only the owner of a URL may know."""


def split_server_url(url: str, kind: str, use: str) -> SplitResult:
    """Split a URL whose parts are where they seem to be.

    A password with an `@`, a `/` or the like, written as it is, moves the borders: part of it would be taken for a host
    or a path, and be shown. So nothing of a URL that is refused here stands in the error.

    Args:
        url: with `//` and what follows.
        kind: of which server, e.g. `Redis`.
        use: how such a URL is written.

    Raises:
        StoreError: it is not clear where the host is.

    Example:
        >>> split_server_url("redis://:a%40b@cache:6379/0", "Redis", "redis://HOST:PORT/DB").hostname
        'cache'
    """
    if "#" in url:
        raise StoreError(f"A {kind} URL has no part behind `#`; write a `#` in a password as %23.")
    try:
        parts = urlsplit(url)
    except ValueError:
        _refuse(kind, use)
    user, _, hosts = parts.netloc.rpartition("@")
    clear = (
        not re.search(r"[@\[\]]", user)
        and "@" not in parts.path
        and all(_HOST.fullmatch(one) for one in hosts.split(","))
        and all(_OPTION.fullmatch(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    )
    if not clear:
        _refuse(kind, use)
    return parts


def shown_url(url: str) -> str:
    """Return how a URL may be written where others read it: a file's as it is, a server's without passwords.

    Example:
        >>> shown_url("postgresql://app:secret@db/claims?pool=4")
        'postgresql://app@db/claims?pool=4'
    """
    scheme = url.partition(":")[0]
    if "://" not in url or scheme == "sqlite":
        return url
    try:
        parts = split_server_url(url, "", "")
    except StoreError:
        return f"{scheme}://…"
    user, _, hosts = parts.netloc.rpartition("@")
    who = user.partition(":")[0]
    options = [(name, value) for name, value in parse_qsl(parts.query) if not _SECRET.fullmatch(name)]
    query = f"?{urlencode(options, safe='/')}" if options else ""
    return f"{scheme}://{who}{'@' if who else ''}{hosts}{parts.path}{query}"


def _refuse(kind: str, use: str) -> NoReturn:
    raise StoreError(
        f"What was given is not a {kind} URL: where its host and port are is not clear. {use}. In a name or a password "
        "write @ as %40, : as %3A, / as %2F, ? as %3F, [ as %5B, ] as %5D and % as %25."
    ) from None
