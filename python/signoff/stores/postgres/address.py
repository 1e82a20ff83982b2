"""Read the URL of a PostgreSQL store: what is the server's, and what is ours."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from signoff.errors import StoreError
from signoff.stores.server_url import split_server_url

_OURS: Final = ("schema", "pool", "lanes", "listen", "statement_timeout", "application_name", "connect_timeout")
_SCHEMA: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")

_USE: Final = "Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"

POLL: Final = "poll"
"""What `listen` says if nobody listens: news are looked for every now and then."""


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """Where a store is, and how it is used.

    Attributes:
        dsn: what is the driver's: host, database, user, password, TLS.
        shown: the same without the password, for people.
        schema: where tables are.
        pool: connections that read, at most.
        lanes: connections that write, side by side.
        listen: the DSN to listen at; None: the same; `poll`: nowhere.
        statement_timeout_ms: after how long the server gives a statement up.
        connect_timeout_s: after how long we give up to connect.
        application_name: as the server lists us.
        user: as whom we connect; empty: the URL does not say.
    """

    dsn: str = field(repr=False)
    shown: str
    schema: str = "signoff"
    pool: int = 8
    lanes: int = 2
    listen: str | None = field(default=None, repr=False)
    statement_timeout_ms: int = 30_000
    connect_timeout_s: int = 10
    application_name: str = "signoff"
    user: str = ""


def read_address(url: str) -> PostgresAddress:
    """Read a URL.

    Args:
        url: `postgresql://user:password@host:port/database` with options: `schema`, `pool`, `lanes`, `listen` (another
            such URL that leads to the server itself, or `poll`), `statement_timeout` and `connect_timeout` (seconds),
            `application_name`, and what libpq knows of TLS (`sslmode`, `sslrootcert`, …).

    Raises:
        StoreError: it is none, or an option has no such value.

    Example:
        >>> read_address("postgresql://db.example/claims?schema=claims&pool=4").schema
        'claims'
    """
    parts = split_server_url(url, "PostgreSQL", _USE)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    ours: dict[str, str] = {name: options.pop(name) for name in _OURS if name in options}
    dsn = urlunsplit(("postgresql", parts.netloc, parts.path or "/", urlencode(options), ""))
    schema = ours.get("schema", "signoff")
    if not _SCHEMA.fullmatch(schema):
        raise StoreError(
            f"{schema!r} cannot be the name of a schema: use at most 63 letters, digits and _, beginning with a letter."
        )
    return PostgresAddress(
        dsn=dsn,
        shown=shown_dsn(dsn),
        schema=schema,
        pool=_number(ours, "pool", 8, most=1_000),
        lanes=_number(ours, "lanes", 2, most=64),
        listen=_listen(ours.get("listen", "")),
        statement_timeout_ms=_number(ours, "statement_timeout", 30, most=86_400) * 1000,
        connect_timeout_s=_number(ours, "connect_timeout", 10, most=3_600),
        application_name=ours.get("application_name", "signoff"),
        user=unquote(parts.username or options.get("user", "")),
    )


def _listen(text: str) -> str | None:
    if text in ("", POLL):
        return text or None
    if not text.startswith(("postgresql://", "postgres://")):
        raise StoreError(f"listen is another PostgreSQL URL, or {POLL!r}; correct the URL.")
    split_server_url(text, "PostgreSQL", _USE)
    return text


def _number(options: dict[str, str], name: str, default: int, *, most: int) -> int:
    text = options.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise StoreError(f"{name}={text} is not a whole number from 1 to {most}; correct the URL.")
    return int(text)


def shown_dsn(dsn: str) -> str:
    """Return a DSN without what only its owner may know."""
    parts = urlsplit(dsn)
    user, at, host = parts.netloc.rpartition("@")
    names = {name: value for name, value in parse_qsl(parts.query) if name in {"host", "port", "dbname"}}
    query = f"?{urlencode(names, safe='/')}" if names else ""
    return f"postgresql://{user.partition(':')[0]}{at}{host}{parts.path}{query}"
