"""The reserved control API: everything below `/v1/stream/__ds/` (Durable Streams §6, §7).

Who manages subscriptions or claims one is an operator; who calls back, acks or releases shows the token of its wake.
Refusals are `{"error": {"code", "message"}}`, as the protocol writes them.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import orjson

from signoff.errors import BadRequest, MethodNotAllowed, NotFound, SignoffError, Unauthorized
from signoff.server.http import body, query
from signoff.server.http.address import HOST
from signoff.server.http.problems import document, problem
from signoff.server.http.reply import JSON_TYPE, Header, Receive, Reply, Scope, header, ok
from signoff.service.subscriptions.subscriptions import Subscriptions
from signoff.streams.subscriptions import config as configs
from signoff.streams.subscriptions.state import Request

PREFIX: Final = b"__ds/"
"""Below the stream root."""

MOST_BODY: Final = 1 << 20
DEEPEST: Final = 8
MOST_ACKS: Final = 10_000
LONGEST_WORKER: Final = 200

_ID: Final = re.compile(r"(?!\.+\Z)[A-Za-z0-9_.:@~-]{1,200}")
_NO_STORE: Final[Header] = (b"cache-control", b"no-store")

_WORDS: Final = {"bad_request": "INVALID_REQUEST", "invalid_ack": "INVALID_OFFSET"}
"""Codes that the protocol's implementations write otherwise than ours in capitals."""

Operators = Callable[[Scope], Awaitable[None]]
"""Raises Unauthorized or Forbidden unless an operator calls."""


async def everybody(_scope: Scope) -> None:
    """Allow everybody what operators do: access was checked before, or is not wanted."""


@dataclass(frozen=True, slots=True)
class ControlCall:
    """One request to the control API.

    Attributes:
        rest: the path below the subscription, undecoded.
        root_url: of the stream root, as the caller addressed it.
    """

    subscriptions: Subscriptions
    id: str
    rest: bytes
    root_url: str
    scope: Scope = field(repr=False)  # its headers hold the token
    receive: Receive

    async def json(self) -> Any:
        """Return the parsed body."""
        body.check_content_type(self.scope)
        return body.parse(await body.read(self.scope, self.receive, MOST_BODY), DEEPEST)

    def after(self) -> str:
        """Return where the page of streams begins that is asked for.

        Raises:
            BadRequest: there is another query than that.
        """
        after: str = query.query(self.scope["query_string"], {"after": str}).get("after", "")
        return after

    def token(self) -> str:
        """Return the bearer token.

        Raises:
            Unauthorized: there is none.
        """
        scheme, _, token = (header(self.scope, b"authorization") or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("Send the token that came with the wake: `Authorization: Bearer …`. Nothing was done.")
        return token.strip()


class ControlEndpoints:
    """The control API.

    Args:
        subscriptions: what to serve; started by the first request that needs it, if it is not yet.
        operators: refuses others than operators; nobody by default.
    """

    def __init__(self, subscriptions: Subscriptions, operators: Operators = everybody) -> None:
        self._subscriptions = subscriptions
        self._operators = operators

    async def serve(self, raw: bytes, root: str, scope: Scope, receive: Receive) -> Reply:
        """Answer one request.

        Args:
            raw: the path below the stream root, undecoded; `__ds` or below it.
            root: path of the stream root.
        """
        try:
            reply = await self._route(raw.removeprefix(PREFIX), root, scope, receive)
        except SignoffError as error:
            return _refusal(error)
        return reply if any(name == _NO_STORE[0] for name, _ in reply.headers) else _with(reply, _NO_STORE)

    async def _route(self, raw: bytes, root: str, scope: Scope, receive: Receive) -> Reply:
        first, _, rest = raw.partition(b"/")
        if raw == b"jwks.json":
            _choose(scope, {"GET": _keys})
            return await _keys(self._subscriptions)
        if first != b"subscriptions" or not rest:
            raise NotFound("There is nothing at this address.")
        given, _, rest = rest.partition(b"/")
        action, _, below = rest.partition(b"/")
        handlers = _ACTIONS.get((action, bool(below)))
        if handlers is None:
            raise NotFound("There is nothing at this address.")
        handler: ControlHandler = _choose(scope, handlers)
        if action not in _BY_TOKEN:
            await self._operators(scope)
        self._subscriptions.start()
        call = ControlCall(self._subscriptions, _id(given), below, _root_url(scope, root), scope, receive)
        return await handler(call)


async def _keys(subscriptions: Subscriptions) -> Reply:
    headers = ((b"content-type", b"application/jwk-set+json"), (b"cache-control", b"public, max-age=300"))
    return Reply(200, orjson.dumps(await subscriptions.jwks()), headers)


async def _create(call: ControlCall) -> Reply:
    config = configs.parse(await call.json(), call.subscriptions.limits)
    shown, new = await call.subscriptions.create(call.id, config, call.root_url)
    return ok(shown, 201 if new else 200)


async def _get(call: ControlCall) -> Reply:
    return ok(await call.subscriptions.get(call.id, call.after()))


async def _delete(call: ControlCall) -> Reply:
    await call.subscriptions.delete(call.id)
    return _nothing()


async def _link(call: ControlCall) -> Reply:
    paths = configs.parse_streams(await call.json(), call.subscriptions.limits)
    await call.subscriptions.link(call.id, paths)
    return _nothing()


async def _unlink(call: ControlCall) -> Reply:
    await call.subscriptions.unlink(call.id, configs.path_of(_decoded(call.rest)))
    return _nothing()


async def _claim(call: ControlCall) -> Reply:
    worker = _members(await call.json()).get("worker")
    if not isinstance(worker, str) or not 0 < len(worker) <= LONGEST_WORKER:
        raise BadRequest(f"`worker` names the worker in 1 to {LONGEST_WORKER} characters. Nothing was done.")
    return ok(await call.subscriptions.claim(call.id, worker))


async def _callback(call: ControlCall) -> Reply:
    token, request = call.token(), _request(await call.json())
    return ok(await call.subscriptions.acknowledge(call.id, configs.WEBHOOK, token, request))


async def _ack(call: ControlCall) -> Reply:
    token, request = call.token(), _request(await call.json())
    return ok(await call.subscriptions.acknowledge(call.id, configs.PULL_WAKE, token, request))


async def _release(call: ControlCall) -> Reply:
    token, request = call.token(), _request(await call.json())
    await call.subscriptions.release(call.id, token, request)
    return _nothing()


ControlHandler = Callable[[ControlCall], Awaitable[Reply]]

_ACTIONS: Mapping[tuple[bytes, bool], Mapping[str, ControlHandler]] = {
    (b"", False): {"PUT": _create, "GET": _get, "DELETE": _delete},
    (b"streams", False): {"POST": _link},
    (b"streams", True): {"DELETE": _unlink},
    (b"callback", False): {"POST": _callback},
    (b"claim", False): {"POST": _claim},
    (b"ack", False): {"POST": _ack},
    (b"release", False): {"POST": _release},
}
"""What follows a subscription's id, and whether something follows that."""

_BY_TOKEN: Final = frozenset({b"callback", b"ack", b"release"})


def _choose(scope: Scope, handlers: Mapping[str, Any]) -> Any:
    method: str = scope["method"]
    handler = handlers.get("GET" if method == "HEAD" else method)
    if handler is None:
        allow = ", ".join(sorted(handlers))
        raise MethodNotAllowed(f"This address takes {allow}, not {method[:20]}. Nothing was done.", allow=allow)
    return handler


def _request(given: Any) -> Request:
    said = _members(given)
    wake_id, generation, done = said.get("wake_id"), said.get("generation"), said.get("done", False)
    if not isinstance(wake_id, str) or type(generation) is not int or not isinstance(done, bool):
        raise BadRequest("Send `wake_id`, a string, and `generation`, a number, and perhaps `done`. No cursor moved.")
    acks = said.get("acks") or []
    if not isinstance(acks, list) or len(acks) > MOST_ACKS:
        raise BadRequest(f"`acks` is a list of at most {MOST_ACKS}. No cursor moved.")
    return Request(wake_id, generation, -1, tuple(map(_one_ack, acks)), done)


def _one_ack(given: Any) -> tuple[str, str]:
    offset = given.get("offset") if isinstance(given, dict) else None
    if not isinstance(offset, str):
        raise BadRequest('An ack is `{"stream": …, "offset": …}`. No cursor moved.')
    return configs.path_of(given.get("stream")), offset


def _members(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise BadRequest("The body is a JSON object. Nothing was done.")
    return given


def _id(raw: bytes) -> str:
    text = _decoded(raw)
    if not _ID.fullmatch(text):
        raise BadRequest(
            "A subscription's id has 1 to 200 characters out of A-Z a-z 0-9 _ . : @ ~ -. Nothing was done."
        )
    return text


def _decoded(raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("The address is not UTF-8. Nothing was done.") from None


def _root_url(scope: Scope, root: str) -> str:
    host = header(scope, b"host") or ""
    if not HOST.fullmatch(host):
        host = "localhost"
    return f"{scope.get('scheme', 'http')}://{host}{scope.get('root_path', '')}{root}"


def _nothing() -> Reply:
    return Reply(204, b"", ())


def _with(reply: Reply, *more: Header) -> Reply:
    return Reply(reply.status, reply.body, (*reply.headers, *more))


def _refusal(error: SignoffError) -> Reply:
    described = document(error)
    code = _WORDS.get(error.code, error.code.upper())
    extra = {name: described[name] for name in error.extra if name in described}
    refused = {"code": code, "message": error.public_detail, **extra}
    kept = tuple(pair for pair in problem(error).headers if pair[0] != b"content-type")
    return Reply(error.status, orjson.dumps({"error": refused}), (JSON_TYPE, _NO_STORE, *kept))
