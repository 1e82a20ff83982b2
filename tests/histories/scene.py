"""Servers over one store, each behind a proxy that loses connections, and what is made of a history in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx

from signoff.stores.base import WorkflowStore
from signoff.testing.histories import RecordedCall, Recorder, SequentialModel, check, write
from tests.server.hosting import Host, hosting
from tests.servers import Proxy

LOST = (httpx.TransportError,)
"""What a client gets whose request may have been done, or not."""


@dataclass(frozen=True)
class Site:
    """Servers over one store, and the ways to them.

    Attributes:
        recorder: what the clients saw.
        seed: of what is random.
    """

    hosts: Sequence[Host]
    proxies: Sequence[Proxy]
    recorder: Recorder
    seed: int

    @asynccontextmanager
    async def client(self, number: int) -> AsyncIterator[httpx.AsyncClient]:
        """Make a client of one of the servers, by way of its proxy."""
        url = f"http://127.0.0.1:{self.proxies[number % len(self.proxies)].port}"
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as http:
            yield http

    @asynccontextmanager
    async def direct(self, number: int = 0) -> AsyncIterator[httpx.AsyncClient]:
        """Make a client of one of the servers whose connections do not break."""
        url = self.hosts[number % len(self.hosts)].url
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as http:
            yield http

    def chance(self, name: object) -> Random:
        """Return what one client draws from: the same again for the same seed."""
        return Random(f"{self.seed} {name}")

    @asynccontextmanager
    async def troubled(self) -> AsyncIterator[None]:
        """Cut connections, and lose replies, while the block runs: one in so many replies, however fast they come."""

        async def trouble() -> None:
            chance, wanted = self.chance("trouble"), 0
            while True:
                wanted += chance.randrange(4, 12)
                while self._replies() < wanted:
                    await asyncio.sleep(0.005)
                proxy = chance.choice(self.proxies)
                if chance.random() < 0.6:
                    proxy.lose_reply()
                else:
                    proxy.cut()

        task = asyncio.create_task(trouble())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _replies(self) -> int:
        return sum(not one.unknown for one in self.recorder.operations)


@asynccontextmanager
async def serving(store: str | WorkflowStore, seed: int) -> AsyncIterator[Site]:
    """Serve a store by two servers where it can be shared, else by one that has two ways to it."""
    async with AsyncExitStack() as stack:
        shared = isinstance(store, str) and store != "memory:"
        hosts = [await stack.enter_async_context(hosting(store)) for _ in range(2 if shared else 1)]
        for host in hosts:
            # A worker that never claims: the search for runs nobody knows leaves these alone.
            host.engine.workers.announce(f"w{id(host)}", ["expense"], 600_000)
        ports = [httpx.URL(hosts[number % len(hosts)].url).port or 0 for number in range(2)]
        proxies = []
        for port in ports:
            proxies.append(Proxy(port))
            stack.callback(proxies[-1].close)
        yield Site(hosts, proxies, Recorder(unknown=LOST), seed)


def judge(site: Site, folder: Path, model: SequentialModel, *, more: Sequence[str] = ()) -> Sequence[RecordedCall]:  # type: ignore[type-arg]
    """Fail if the history could not have been, and leave it in a file for whoever looks why; return it."""
    calls = site.recorder.operations
    violation = check(calls, model)
    if violation is not None or more:
        why = "\n".join([*([str(violation)] if violation else []), *more])
        file = write(folder / "history.txt", calls, seed=site.seed, why=why)
        raise AssertionError(f"seed {site.seed}, history in {file}:\n{why}")
    return calls
