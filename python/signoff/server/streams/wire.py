"""The wire format of durable streams: headers and queries (Durable Streams §5, §10, §12.7, §13.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from signoff.errors import BadRequest, PayloadTooLarge, ProducerFenced, ProducerGap, SignoffError, StreamClosed
from signoff.server.http.address import HOST, raw_below, raw_path
from signoff.server.http.problems import problem
from signoff.server.http.reply import Header, Reply, Scope
from signoff.streams import compaction, live, offset, producer
from signoff.streams.stream import Head, ProducerMark

METHODS: Final = "GET, HEAD, POST, PUT, DELETE, OPTIONS"

REQUEST_HEADERS: Final = (
    "authorization, content-type, if-none-match, last-event-id, stream-ttl, stream-expires-at, stream-seq, "
    "stream-closed, stream-compaction, stream-forked-from, stream-fork-offset, stream-fork-sub-offset, producer-id, "
    "producer-epoch, producer-seq"
)
"""What pages of other origins may send."""

ALLOW_HEADERS: Final = ("traceparent", "tracestate", "baggage")
"""What they may send beside, unless a server is told otherwise: what traces requests (W3C Trace Context, Baggage)."""

RESPONSE_HEADERS: Final = (
    "etag, location, retry-after, stream-next-offset, stream-cursor, stream-up-to-date, stream-closed, stream-ttl, "
    "stream-expires-at, stream-compaction, stream-sse-data-encoding, producer-epoch, producer-seq, "
    "producer-expected-seq, producer-received-seq"
)
"""What pages of other origins may see."""

NEXT_OFFSET: Final = b"stream-next-offset"

SAFE: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    # A stream may hold HTML: shown in a browser, it must not act in this server's name.
    (b"content-security-policy", b"default-src 'none'; sandbox"),
)
"""On every response (§12.7), together with one of the next two."""

EMBEDDABLE: Final[Header] = (b"cross-origin-resource-policy", b"cross-origin")
NOT_EMBEDDABLE: Final[Header] = (b"cross-origin-resource-policy", b"same-origin")
"""What people are asked and told is not for foreign pages, not even unseen; `fetch` with CORS is not concerned."""

DOWNLOAD: Final[Header] = (b"content-disposition", b"attachment")
"""On what people have sent: a browser keeps it as a file, and shows it nowhere."""

NO_STORE: Final[Header] = (b"cache-control", b"no-store")
UP_TO_DATE: Final[Header] = (b"stream-up-to-date", b"true")
CLOSED: Final[Header] = (b"stream-closed", b"true")
COMPACTED: Final[Header] = (b"stream-compaction", compaction.OPTION.encode())

SHARED_CACHE: Final = b"public, max-age=60, stale-while-revalidate=300"
PRIVATE_CACHE: Final = b"private, max-age=60, stale-while-revalidate=300"
SENSITIVE: Final = b"private, no-store"
SHARED_ROWS: Final = b"public, no-cache"
PRIVATE_ROWS: Final = b"private, no-cache"
"""A copy of rows is shown only after asking: its offset may be gone, and starting over must not find the same copy."""

_ONCE: Final = frozenset(
    {
        b"content-type", b"stream-closed", b"stream-seq", b"stream-ttl", b"stream-expires-at", b"producer-id",
        b"producer-epoch", b"producer-seq", b"authorization", b"if-none-match", b"stream-forked-from",
        b"stream-fork-offset", b"stream-fork-sub-offset", b"stream-compaction",
    }
)  # fmt: skip
_MOST_PARAMETERS: Final = 64


class Headers(dict[bytes, bytes]):
    """Request headers by lower-case name."""

    def text(self, name: bytes) -> str | None:
        """Return a header's value; None if it is absent."""
        value = self.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def closing(self) -> bool:
        """Tell whether `Stream-Closed` is `true`, in any case; other values count as absent (§4.1)."""
        return self.get(b"stream-closed", b"").strip().lower() == b"true"

    def producer(self) -> ProducerMark | None:
        """Return who appends, if the request says so.

        Raises:
            BadRequest: see `streams.producer.parse`.
        """
        return producer.parse(self.text(b"producer-id"), self.text(b"producer-epoch"), self.text(b"producer-seq"))


def request_headers(scope: Scope) -> Headers:
    """Read the request's headers.

    Raises:
        BadRequest: a header that decides something stands there twice.
    """
    pairs: list[Header] = scope["headers"]
    headers = Headers(pairs)
    if len(headers) != len(pairs):
        names = [name for name, _ in pairs]
        for name in _ONCE.intersection(names):
            if names.count(name) > 1:
                raise BadRequest(f"The header {name.decode()} may be sent once only. Nothing was done.")
    return headers


@dataclass(frozen=True, slots=True)
class Query:
    """What the query of a read asks for.

    Attributes:
        offset: the token; `-1` if there is none in a catch-up read.
        live: None, `long-poll` or `sse`.
        cursor: as echoed by the client.
    """

    offset: str = offset.START
    live: str | None = None
    cursor: str | None = None


def query(raw: bytes) -> Query:
    """Read the query of a GET; parameters of others are ignored.

    Raises:
        BadRequest: a parameter stands there twice, `live` is unknown, or `live` comes without `offset`.
        InvalidOffset: the offset is malformed; found when it is used.
    """
    if not raw:
        return Query()
    given: dict[str, str] = {}
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise BadRequest("The query has too many parameters.") from error
    for name, value in pairs:
        if name in {"offset", "live", "cursor"}:
            if name in given:
                raise BadRequest(f"The parameter `{name}` may be given once only.")
            given[name] = value
    live = given.get("live")
    if live not in {None, "long-poll", "sse"}:
        raise BadRequest("`live` is `long-poll` or `sse`.")
    if live is not None and "offset" not in given:
        raise BadRequest("A live read needs an `offset`: `-1`, `now`, or the last Stream-Next-Offset.")
    return Query(given.get("offset", offset.START), live, given.get("cursor"))


def next_offset(head: Head, position: int) -> Header:
    """Return the header that says where to read on."""
    return NEXT_OFFSET, live.token(head, position).encode() if head.engine else offset.line(position)


def stream_headers(head: Head) -> list[Header]:
    """Return the headers that describe a stream (§5.5)."""
    headers = [(b"content-type", head.content_type.encode("latin-1")), next_offset(head, head.tail)]
    if head.ttl_s is not None:
        headers.append((b"stream-ttl", str(head.ttl_s).encode()))
    if head.expires_at is not None:
        headers.append((b"stream-expires-at", head.expires_at.encode("latin-1")))
    if compaction.compacted(head):
        headers.append(COMPACTED)
    if head.closed:
        headers.append(CLOSED)
    return headers


def error_headers(error: SignoffError) -> list[Header]:
    """Return the headers by which clients understand a refusal without reading its body."""
    match error:
        case StreamClosed(extra={"offset": str(tail)}):
            return [CLOSED, (b"stream-next-offset", tail.encode())]
        case ProducerFenced(extra={"epoch": epoch}):
            return [(b"producer-epoch", str(epoch).encode())]
        case ProducerGap(extra={"expected": expected, "received": received}):
            return [
                (b"producer-expected-seq", str(expected).encode()),
                (b"producer-received-seq", str(received).encode()),
            ]
        case _:
            return []


def stream_problem(error: Exception) -> Reply:
    """Return the response to a request that failed: a problem document, with the headers clients go by."""
    reply = problem(error)
    headers = [*reply.headers, NO_STORE]
    if isinstance(error, SignoffError):
        headers += error_headers(error)
    if isinstance(error, PayloadTooLarge):
        headers.append((b"connection", b"close"))  # the rest of the body is not worth reading
    return Reply(reply.status, reply.body, tuple(headers))


_EXPOSED: Final[Header] = (b"access-control-expose-headers", RESPONSE_HEADERS.encode())
_ANYBODY: Final[list[Header]] = [(b"access-control-allow-origin", b"*"), _EXPOSED]


def cors(origins: tuple[str, ...], headers: Headers, method: str) -> list[Header]:
    """Return the CORS headers of a response.

    Who is no page needs none, except of what a cache may keep, for a page that comes later.

    Args:
        origins: pages that may read streams; `*` is any, since access is by token and never by cookie.
        headers: of the request.
    """
    if method == "POST" and b"origin" not in headers:
        return []
    if "*" in origins:
        return _ANYBODY
    origin = headers.get(b"origin")
    if origin is None or origin.decode("latin-1") not in origins:
        return [(b"vary", b"origin")]
    return [(b"access-control-allow-origin", origin), (b"vary", b"origin"), _EXPOSED]


def location(scope: Scope, headers: Headers, public_url: str | None) -> Header:
    """Return the `Location` of a new stream: its URL (§5.1).

    Args:
        public_url: where callers reach this application. If None, the URL is made of what the request says: its host,
            and the scheme of the connection, since anybody can send `X-Forwarded-Proto`. Without a host it is a path.
    """
    if public_url is not None:
        return b"location", public_url.rstrip("/").encode() + raw_below(scope)
    path = raw_path(scope)
    host = headers.get(b"host", b"")
    if not HOST.fullmatch(host.decode("latin-1")):
        return b"location", path
    return b"location", scope.get("scheme", "http").encode() + b"://" + host + path
