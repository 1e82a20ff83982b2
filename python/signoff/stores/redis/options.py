"""What a Redis URL says: where the server is, how to log in, and how data is kept."""

from __future__ import annotations

import re
import secrets
import ssl
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote

from signoff.errors import StoreError
from signoff.stores.server_url import shown_url, split_server_url

DurabilityOption = Literal["aof", "wait", "none"]

_DURABILITIES: Final[tuple[DurabilityOption, ...]] = ("aof", "wait", "none")

MOST_SHARDS: Final = 256

_PREFIX: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,100}")
_USE: Final = "Write redis://HOST:PORT/DB, rediss:// for TLS, or redis:///DB?socket=/path/to/socket"
_KNOWN: Final = frozenset(
    {
        "prefix",
        "shards",
        "durability",
        "socket",
        "ca",
        "cert",
        "key",
        "verify",
        "connect_timeout",
        "timeout",
        "replicas",
    }
)


class NodeAddress(NamedTuple):
    """Where a server listens."""

    host: str
    port: int
    socket: str = ""

    def __str__(self) -> str:
        return self.socket or f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Options:
    """What a URL says.

    Attributes:
        address: of the server, or of any node of a cluster.
        prefix: what all keys begin with, in the braces that decide their slot.
        shards: how many slots the data is spread over.
        durability: `aof`: the server must keep an append-only file; `wait`: and a commit waits until it is synced;
            `none`: whatever the server does.
        replicas: of how many replicas `wait` waits for the file too.
        connect_s, reply_s: seconds to wait for a connection, and for a reply.
    """

    address: NodeAddress
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    prefix: str = "signoff"
    shards: int = 1
    durability: DurabilityOption = "aof"
    replicas: int = 0
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    connect_s: float = 5.0
    reply_s: float = 30.0
    client_name: str = ""


def read(url: str) -> Options:
    """Read a URL.

    Raises:
        StoreError: it is not understood, or an option has a value it cannot have.
    """
    parts = split_server_url(url, "Redis", _USE)
    try:
        port = parts.port
    except ValueError as error:
        raise StoreError(f"{shown_url(url)} is not a Redis URL: {error}. {_USE}.") from error
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := given.keys() - _KNOWN:
        raise StoreError(f"{shown_url(url)} has options that Redis URLs do not take: {', '.join(sorted(unknown))}.")
    socket = given.get("socket", "")
    host = parts.hostname or ""
    if bool(socket) == bool(host):
        raise StoreError(f"{shown_url(url)} names {'two servers' if socket else 'no server'}. {_USE}.")
    secure = parts.scheme == "rediss"
    tls, name = _tls(given, host) if secure else (None, None)
    if not secure and (wrong := given.keys() & {"ca", "cert", "key", "verify"}):
        raise StoreError(f"{shown_url(url)} has TLS options ({', '.join(sorted(wrong))}) without TLS; write rediss://.")
    return Options(
        address=NodeAddress(host, port or 6379, socket),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password is not None else None,
        database=_number(parts.path.strip("/") or "0", "The database", 0, 1_000_000),
        prefix=_prefix(given.get("prefix", "signoff")),
        shards=_number(given.get("shards", "1"), "shards", 1, MOST_SHARDS),
        durability=_durability(given.get("durability", "aof")),
        replicas=_number(given.get("replicas", "0"), "replicas", 0, 100),
        tls=tls,
        server_name=name,
        connect_s=_seconds(given.get("connect_timeout", "5"), "connect_timeout"),
        reply_s=_seconds(given.get("timeout", "30"), "timeout"),
        client_name=f"signoff-{secrets.token_hex(8)}",
    )


def _tls(given: dict[str, str], host: str) -> tuple[ssl.SSLContext, str | None]:
    verify = given.get("verify", "full")
    if verify not in {"full", "ca", "none"}:
        raise StoreError("verify is full, ca (whatever the certificate's name) or none.")
    try:
        context = ssl.create_default_context(cafile=given.get("ca") or None)
        if verify != "full":
            context.check_hostname = False
        if verify == "none":
            context.verify_mode = ssl.CERT_NONE
        if "cert" in given:
            context.load_cert_chain(given["cert"], given.get("key") or None)
    except (OSError, ssl.SSLError) as error:
        raise StoreError(f"The TLS files of the Redis URL cannot be used: {error}.") from error
    return context, host


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise StoreError("prefix is 1 to 100 of the characters A-Z a-z 0-9 _ . : / -.")
    return text


def _durability(text: str) -> DurabilityOption:
    for one in _DURABILITIES:
        if text == one:
            return one
    raise StoreError("durability is aof (the server keeps an append-only file), wait (a commit waits for it) or none.")


def _number(text: str, what: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise StoreError(f"{what} of a Redis URL is a whole number from {least} to {most}, not {text!r}.")
    return int(text)


def _seconds(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 86_400:
        raise StoreError(f"{what} of a Redis URL is a number of seconds, not {text!r}.")
    return value
