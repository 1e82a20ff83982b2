"""Secrets are exchanged on one server after the other, while people go on: nobody's token or link is refused."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from signoff import links, tokens
from signoff.server.config import ServerConfig
from signoff.signing import Keyring
from tests.server.hosting import Host, hosting

OLD, NEW = b"o" * 40, b"n" * 40

STEPS = ((OLD, ()), (OLD, (NEW,)), (NEW, (OLD,)), (NEW, ()))
"""What servers are told, one after the other: the secret that signs, and those that are good as well."""


@dataclass
class Servers:
    """Servers over one store, each of which is replaced by one that is told something else.

    Attributes:
        hosts: those that are called at present.
        calls: under way at each.
        held: tokens and links that people have.
        statuses: of all calls.
    """

    url: str
    hosts: dict[str, Host] = field(default_factory=dict)
    stacks: dict[str, AsyncExitStack] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    held: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    async def replace(self, name: str, secret: bytes, others: tuple[bytes, ...]) -> None:
        """Start a server in another's place, and end that one once nobody calls it."""
        stack = AsyncExitStack()
        config = ServerConfig(secret=secret, old_secrets=others, rate=0)
        host = await stack.enter_async_context(hosting(self.url, config=config))
        before, self.stacks[name] = self.stacks.get(name), stack
        left = self.hosts.get(name)
        self.hosts[name] = host
        if before is not None and left is not None:
            while self.calls.get(left.url):
                await asyncio.sleep(0)
            await before.aclose()
        self._hand_out(Keyring((secret, *others)))

    def _hand_out(self, keys: Keyring) -> None:
        self.held.append(("/v1/inputs", {"authorization": f"Bearer {tokens.mint(keys, 'alice')}"}))
        self.held.append((links.PATH + links.make(keys, "r1", "approve:0", "user:alice").token, {}))

    async def people(self, http: httpx.AsyncClient) -> None:
        """Go on calling all servers with all that was handed out."""
        while True:
            for path, headers in list(self.held):
                for name in tuple(self.hosts):
                    if (path, headers) not in self.held:  # it has ended meanwhile
                        break
                    url = self.hosts[name].url
                    self.calls[url] = self.calls.get(url, 0) + 1
                    try:
                        reply = await http.get(f"{url}{path}", headers={**headers, "connection": "close"})
                    finally:
                        self.calls[url] -= 1
                    self.statuses[reply.status_code] = self.statuses.get(reply.status_code, 0) + 1

    async def called(self, times: int) -> None:
        """Wait until people have called so often again."""
        enough = sum(self.statuses.values()) + times
        while sum(self.statuses.values()) < enough:
            await asyncio.sleep(0)


async def test_secrets_rotate_on_one_server_after_the_other_without_a_refused_token_or_link(tmp_path: Path) -> None:
    servers = Servers(f"sqlite:///{tmp_path}/a.db")
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        for name in ("a", "b"):
            await servers.replace(name, *STEPS[0])
        await servers.hosts["a"].ask("r1", to=("user:alice",))
        people = [asyncio.create_task(servers.people(http)) for _ in range(4)]
        for step in STEPS[1:3]:
            for name in ("a", "b"):
                await servers.replace(name, *step)
                await servers.called(2 * len(servers.held))
        assert servers.statuses.keys() == {200}, servers.statuses
        signed_before, servers.held = servers.held, servers.held[-2:]  # the rest has ended by itself
        for name in ("a", "b"):
            await servers.replace(name, *STEPS[3])
            await servers.called(2 * len(servers.held))
        assert servers.statuses.keys() == {200}, servers.statuses
        for one in people:
            assert not one.done()
            one.cancel()
        await asyncio.gather(*people, return_exceptions=True)
        host = servers.hosts["a"]
        refused = [(await host.http.get(path, headers=headers)).status_code for path, headers in signed_before[:2]]
        assert refused == [401, 404]
        for stack in servers.stacks.values():
            await stack.aclose()
