"""Calls of one server over HTTP: JSON there, JSON back, and what the server refuses as the exception it raised."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import orjson

from signoff.client.problems import from_problem
from signoff.errors import BadRequest, ServerUnreachable

DEFAULT_URL = "http://127.0.0.1:4437"

TokenSource = str | Callable[[], str | Awaitable[str | None] | None] | None
"""A bearer token, or a function that returns the current one."""


class HttpCalls:
    """Calls of one server, each with a token.

    Args:
        url: the server's address, without `/v1`.
        token: a bearer token, or a function (async, too) that returns the current one.
        timeout: seconds for one call.
        transport: another way for requests to travel, e.g. into an application in the same process.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: TokenSource = None,
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._http = httpx.AsyncClient(
            base_url=self.url,
            timeout=timeout,
            transport=transport,
            # A proxy from the environment has no business between us and this machine.
            trust_env=urlsplit(url).hostname not in {"localhost", "127.0.0.1", "::1"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        params = {
            name: [*map(str, value)] if isinstance(value, list | tuple) else str(value)
            for name, value in (query or {}).items()
            if value is not None
        }
        return await self._call("GET", path, params=params)

    async def _post(self, path: str, body: Mapping[str, Any], wait_s: int | None = None) -> dict[str, Any]:
        try:
            content = orjson.dumps(body)
        except TypeError as error:
            raise BadRequest(f"This cannot be sent as JSON: {error}.") from error
        headers = {"content-type": "application/json"} | ({} if wait_s is None else {"prefer": f"wait={wait_s}"})
        return await self._call("POST", path, content=content, headers=headers)

    async def _call(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        reply = orjson.loads(await self._bytes(method, path, **how))
        assert isinstance(reply, dict)
        return reply

    async def _bytes(self, method: str, path: str, **how: Any) -> bytes:
        response = await self._open(method, path, **how)
        try:
            return await response.aread()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    async def _open(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Send a request; return the response with its body unread.

        Raises:
            SignoffError: what the server refused.
        """
        headers = {**how.pop("headers", {}), **await self._authorization()}
        try:
            request = self._http.build_request(method, path, headers=headers, **how)
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise BadRequest(f"This cannot be sent: {error}.") from error
        try:
            response = await self._http.send(request, stream=True)
            if response.status_code >= 400:
                await response.aread()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.status_code >= 400:
            raise from_problem(response.status_code, response.content)
        return response

    def _unreachable(self, error: Exception) -> ServerUnreachable:
        reason = str(error) or type(error).__name__
        return ServerUnreachable(f"No Signoff server answers at {self.url} ({reason}); start one with: signoff dev")

    async def _authorization(self) -> dict[str, str]:
        token = self._token() if callable(self._token) else self._token
        if inspect.isawaitable(token):
            token = await token
        return {"authorization": f"Bearer {token}"} if token else {}
