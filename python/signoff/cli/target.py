"""Where a command's operations go: to a server over HTTP, or straight to a store.

Both are the same client; only the way of its requests differs, so each command is written once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from signoff.cli import options
from signoff.cli.grouped import grouped
from signoff.cli.misuse import Misuse
from signoff.client import DEFAULT_URL, SignoffClient

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """The place where operations go: exactly one of `store` and `server` is set.

    Attributes:
        store: URL of a store.
        server: URL of a server.
        token: for the server.
        create: make the store if there is none.
    """

    store: str | None = field(repr=False)  # a URL may have a password
    server: str | None = field(repr=False)
    token: str | None = field(repr=False)
    create: bool = False

    @classmethod
    def of(cls, store: str | None, server: str | None, token: str | None) -> Target:
        """Choose from options, else from the environment, else the server on this machine.

        Raises:
            Misuse: both are given.
        """
        if store is None and server is None:
            store, server = os.environ.get("SIGNOFF_STORE") or None, os.environ.get("SIGNOFF_SERVER") or None
            if store and server:
                raise Misuse("SIGNOFF_STORE and SIGNOFF_SERVER are both set; say --store or --server.")
        if store is not None and server is not None:
            raise Misuse("--store and --server exclude each other.")
        if store is None:
            server = _http_url(server or DEFAULT_URL)
        return cls(store, server, token or os.environ.get("SIGNOFF_TOKEN") or None)

    def creating(self) -> Target:
        """Return the same place, where the store is made if there is none."""
        return replace(self, create=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    """The options that name a target."""

    store: options.Store = field(default=None, repr=False)
    server: options.Server = field(default=None, repr=False)
    token: options.Token = field(default=None, repr=False)


aimed = grouped("target", _Where, Target.of)
"""Give a sub-command `--store`, `--server` and `--token`, in place of its parameter `target`."""


def _http_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or not url.isprintable():
        raise Misuse(f"--server takes an address such as {DEFAULT_URL}, not {url!r}.")
    return url


@asynccontextmanager
async def connect(target: Target) -> AsyncIterator[SignoffClient]:
    """Open the target for some operations."""
    if target.store is None:
        async with SignoffClient(target.server or DEFAULT_URL, token=target.token) as client:
            yield client
        return
    # Only who works on a store needs all of the server.
    from signoff.cli.local import LocalTransport  # noqa: PLC0415
    from signoff.server.app import create_app  # noqa: PLC0415
    from signoff.service.engine import Engine  # noqa: PLC0415
    from signoff.stores.open import open_store  # noqa: PLC0415

    engine = await Engine.open(open_store(target.store, create=target.create))
    try:
        async with SignoffClient("http://localhost", transport=LocalTransport(create_app(engine))) as client:
            yield client
    finally:
        await engine.close()


def on(target: Target, operation: Callable[[SignoffClient], Awaitable[T]]) -> T:
    """Run one operation to its end."""

    async def run() -> T:
        async with connect(target) as client:
            return await operation(client)

    return run_here(run())


def run_here(work: Coroutine[Any, Any, T]) -> T:
    """Run something asynchronous to its end."""
    return asyncio.run(work)
