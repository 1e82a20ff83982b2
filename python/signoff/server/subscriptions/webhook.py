"""Webhooks over HTTP: signed with Ed25519 (Durable Streams §7.1), and sent only where they may go (§12.8).

A delivery resolves the host once, checks every address it got, and connects to one of those: a name that answers
differently the next time gains nothing. TLS still verifies the name. Redirects are not followed, proxies of the
environment are not used, a connection serves one delivery, and of a long answer the beginning is read, as it comes over
the wire: nothing is decompressed.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson

from signoff.clock import Clock
from signoff.errors import WebhookUrlRejected
from signoff.server.subscriptions.resolver import SystemResolver
from signoff.service import ed25519
from signoff.service.subscriptions.delivery import DeliveryResult
from signoff.streams.subscriptions.target import Address, Targets, WebhookTarget, check, literal, parse

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Resolver = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Return all addresses of a name; raises OSError if there are none."""

LONGEST_ANSWER: Final = 64 * 1024
"""Bytes of an answer that are read."""

RESOLVE_S: Final = 5.0
CONNECT_S: Final = 5.0


class HttpWebhooks:
    """A client that calls webhooks over HTTP.

    Args:
        clock: for the timestamp that is signed.
        targets: which addresses may be called.
        resolve: the system's resolver unless given.
        tls: verifies receivers; the usual authorities unless given.
    """

    def __init__(
        self, clock: Clock, targets: Targets, *, resolve: Resolver | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._clock = clock
        self._targets = targets
        self._resolve = resolve or SystemResolver()
        self._tls = tls
        self._keys: dict[bytes, Ed25519PrivateKey] = {}

    def public_key(self, seed: bytes) -> dict[str, str]:
        """Return the JSON Web Key (RFC 8037) that verifies what `seed` signs; its `kid` is its thumbprint."""
        return ed25519.public_key(seed)

    async def check(self, url: str) -> None:
        """Refuse a URL that will not be called. A name that cannot be resolved now may be later: it is not refused.

        Raises:
            WebhookUrlRejected: the URL is malformed, or leads where webhooks may not go.
        """
        target = parse(url)
        try:
            await self._addresses(target)
        except OSError:
            return

    async def post(self, url: str, body: bytes, seed: bytes, timeout_s: float) -> DeliveryResult:
        """Send a signed body; whatever goes wrong is a DeliveryResult."""
        return await self.call(url, body, {"webhook-signature": self.sign(body, seed)}, timeout_s)

    async def call(self, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> DeliveryResult:
        """Send a body with headers that sign it; whatever goes wrong is a DeliveryResult."""
        try:
            async with asyncio.timeout(timeout_s):
                target = parse(url)
                return await self._post(url, target, await self._addresses(target), body, headers)
        except WebhookUrlRejected as error:
            return DeliveryResult(ok=False, why=error.detail)
        except TimeoutError:
            return DeliveryResult(ok=False, why=f"no answer within {timeout_s:g} s")
        except (OSError, httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, ValueError) as error:
            return DeliveryResult(ok=False, why=f"{type(error).__name__}: {str(error)[:200]}")

    async def _addresses(self, target: WebhookTarget) -> Sequence[Address]:
        """Resolve and check; one address that may not be called spoils them all."""
        given = literal(target.host)
        if given is not None:
            addresses: Sequence[Address] = [given]
        else:
            async with asyncio.timeout(RESOLVE_S):
                addresses = await self._resolve(target.host, target.port)
        for address in addresses:
            check(address, target.scheme, self._targets)
        if not addresses:
            raise OSError(f"{target.host} has no address")
        return addresses

    async def _post(
        self, url: str, target: WebhookTarget, addresses: Sequence[Address], body: bytes, signed: Mapping[str, str]
    ) -> DeliveryResult:
        failure: httpx.HTTPError = httpx.ConnectError("no address")
        for address in addresses:
            try:
                return await self._send(url, target, address, body, signed)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error  # the name may have another address that answers
        raise failure

    async def _send(
        self, url: str, target: WebhookTarget, address: Address, body: bytes, signed: Mapping[str, str]
    ) -> DeliveryResult:
        there = httpx.URL(url).copy_with(host=str(address))
        headers = {
            "host": httpx.URL(url).netloc.decode("ascii"),
            "content-type": "application/json",
            "accept-encoding": "identity",
            "user-agent": "signoff",
            **signed,
        }
        extensions = {"sni_hostname": target.host, "timeout": {"connect": CONNECT_S}}
        request = httpx.Request("POST", there, content=body, headers=headers, extensions=extensions)
        # One a delivery: a connection is never reused for another name at the same address. Not a client, which would
        # log the address, and that may be all that its receiver asks for.
        async with (
            httpx.AsyncHTTPTransport(verify=self._context(), trust_env=False) as way,
            aclosing(await way.handle_async_request(request)) as response,
        ):
            if not response.is_success:
                return DeliveryResult(ok=False, why=f"the receiver answered {response.status_code}")
            return DeliveryResult(ok=True, done=_done(await _beginning(response)))

    def sign(self, body: bytes, seed: bytes) -> str:
        """Return the value of `Webhook-Signature` for a body."""
        stamp = str(self._clock.now_ms() // 1000)
        signature = self._key(seed).sign(stamp.encode() + b"." + body)
        return f"t={stamp},kid={self.public_key(seed)['kid']},ed25519={_base64url(signature)}"

    def _key(self, seed: bytes) -> Ed25519PrivateKey:
        # Loaded by the first webhook: it takes a while, and most processes send none.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

        if seed not in self._keys:
            self._keys[seed] = Ed25519PrivateKey.from_private_bytes(seed)
        return self._keys[seed]

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpx.create_ssl_context(trust_env=False)
        return self._tls


async def _beginning(response: httpx.Response) -> bytes:
    """Read an answer that is short and not encoded; any other says nothing, however small it was made for the way."""
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        return b""
    data = b""
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > LONGEST_ANSWER:
            return b""  # nothing that says no more than whether it is done is as long
    return data


def _done(data: bytes) -> bool:
    """Tell whether an answer says `{"done": true}`; anything else says nothing."""
    try:
        answer: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return isinstance(answer, dict) and answer.get("done") is True


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
