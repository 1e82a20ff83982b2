"""The servers, as one event loop reaches them: which connection carries which shard, and scripts run there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from signoff.errors import OutcomeUnknown, StoreUnavailable
from signoff.stores.redis.keys import KeyNames
from signoff.stores.redis.link import DroppedReply, RedisArg, RefusedReply, ServerLink, Then, unwritten
from signoff.stores.redis.options import NodeAddress, Options
from signoff.stores.redis.scripts import ALL, LuaScript
from signoff.stores.redis.slots import slot_of, slots_of

_TIMES: Final = 5
"""How often a command that was refused before it was run is sent again: to another node, or with its script."""

_PAUSE_S: Final = 0.1

_GONE: Final = (
    "The store's data is gone from Redis: somebody has emptied the server, or it was started without its files. Stop "
    "all servers and workers, and put a backup in place; without one, start them again, and begin anew."
)

_REFUSED_BEFORE: Final = re.compile(
    r"-?\b(OOM|READONLY|MISCONF|NOREPLICAS|LOADING|BUSY|NOAUTH|NOPERM|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOSCRIPT|MOVED|ASK)\b"
)
"""Errors by which a server refuses the first write of a script, or all of it, so that nothing of it was written."""


class Nodes:
    """The servers of a store.

    Args:
        options: what the URL says.
        shards: the keys of each shard.
    """

    def __init__(self, options: Options, shards: Sequence[KeyNames]) -> None:
        self._options = options
        self._slots = [slot_of(keys.tag) for keys in shards]
        self._links: dict[NodeAddress, ServerLink] = {}
        self._connecting: dict[NodeAddress, asyncio.Task[ServerLink]] = {}
        self._addresses: list[NodeAddress] = [options.address] * len(shards)
        self._clustered = False
        self._closed = False

    @property
    def addresses(self) -> tuple[NodeAddress, ...]:
        """Return where the shards are, each server once."""
        return tuple(dict.fromkeys(self._addresses))

    @property
    def clustered(self) -> bool:
        """Tell whether the servers are a cluster."""
        return self._clustered

    async def open(self) -> None:
        """Connect, find the shards and load the scripts.

        Raises:
            StoreUnavailable: a server cannot be reached.
        """
        self._closed = False
        first = await self._link(self._options.address)
        about = await self._plain(first, "INFO", "cluster")
        self._clustered = b"cluster_enabled:1" in about
        if self._clustered:
            await self._find_shards(first)
        for address in self.addresses:
            await self._link(address)

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        connecting = tuple(self._connecting.values())
        for task in connecting:
            task.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)
        links, self._links = self._links, {}
        await asyncio.gather(*(link.close() for link in links.values()))

    def link(self, shard: int) -> ServerLink | None:
        """Return the connection to a shard if it is there; None: connect first."""
        link = self._links.get(self._addresses[shard])
        return link if link is not None and link.up else None

    async def reach(self, shard: int) -> ServerLink:
        """Return the connection to a shard."""
        return self.link(shard) or await self._link(self._addresses[shard])

    async def at(self, address: NodeAddress) -> ServerLink:
        """Return the connection to a server."""
        return await self._link(address)

    # -- scripts ---------------------------------------------------------------------------------------------------

    async def run(self, shard: int, script: LuaScript, keys: Sequence[bytes], args: Sequence[RedisArg]) -> Any:
        """Run a script that writes.

        Raises:
            OutcomeUnknown: the reply was lost, or the script failed.
            StoreUnavailable: nothing was written.
        """
        link = await self.reach(shard)
        return await self.finish(shard, send(link, script, keys, args), script, keys, args)

    async def finish(
        self,
        shard: int,
        sent: asyncio.Future[Any],
        script: LuaScript,
        keys: Sequence[bytes],
        args: Sequence[RedisArg],
        *,
        behind: Callable[[ServerLink], None] | None = None,
    ) -> Any:
        """Wait for the reply to a script; what was refused before it was run is sent again.

        Args:
            behind: sends what must follow the script on its connection, whenever it is sent again.
        """
        for _ in range(_TIMES):
            try:
                return await sent
            except DroppedReply as error:
                why = "The connection to Redis was lost; whether the last write was kept is not known yet."
                raise OutcomeUnknown(why, public_detail=why) from error
            except RefusedReply as error:
                link = await self._again(shard, error, script)
                if link is None:
                    raise told(error) from error
                sent = send(link, script, keys, args)
                if behind is not None:
                    behind(link)
        raise unwritten("Redis sends every command elsewhere. Is the cluster in order?")

    async def read(self, shard: int, script: LuaScript, keys: Sequence[bytes], args: Sequence[RedisArg] = ()) -> Any:
        """Run a script that reads: that can be done again when the connection was lost.

        Raises:
            StoreUnavailable: the server cannot be reached.
        """
        try:
            return await self.run(shard, script, keys, args)
        except OutcomeUnknown:
            return await self._read_again(shard, script, keys, args)

    async def _read_again(self, shard: int, script: LuaScript, keys: Sequence[bytes], args: Sequence[RedisArg]) -> Any:
        try:
            return await self.run(shard, script, keys, args)
        except OutcomeUnknown as error:
            why = "The store cannot be read: the connection to Redis was lost."
            raise StoreUnavailable(why, public_detail=why) from error

    async def ask(self, shard: int, *command: RedisArg) -> Any:
        """Send a command that reads.

        Raises:
            StoreUnavailable: the server cannot be reached.
        """
        for last in (False, True):
            link = await self.reach(shard)
            try:
                return await link.call(*command)
            except DroppedReply:
                if last:
                    raise
            except RefusedReply as error:
                if last or not await self._moved(shard, error):
                    raise told(error) from error
        raise AssertionError

    async def _again(self, shard: int, error: RefusedReply, script: LuaScript) -> ServerLink | None:
        """Return the connection on which a script that was not run is to be sent at once; None: that does not help."""
        if error.code == "NOSCRIPT":
            link = await self.reach(shard)
            await self._plain(link, "SCRIPT", "LOAD", script.text)
            return link
        if error.code == "ASK":
            link = await self._link(_address(str(error).split()[2], self._options))
            await self._plain(link, "SCRIPT", "LOAD", script.text)
            link.call("ASKING")
            return link
        if "READONLY" in str(error):
            # A replica now. Whoever leads to the primary, such as a name or a balancer, leads new connections alone.
            if replica := self._links.pop(self._addresses[shard], None):
                replica.abort()
            return None
        if await self._moved(shard, error):
            return await self.reach(shard)
        return None

    async def _moved(self, shard: int, error: RefusedReply) -> bool:
        """Find the shards anew if a server says that they are elsewhere, or are about to be."""
        if error.code == "MOVED":
            self._addresses[shard] = _address(str(error).split()[2], self._options)
            await self._find_shards(await self.reach(shard))
            return True
        if error.code in {"TRYAGAIN", "CLUSTERDOWN", "LOADING"}:
            await asyncio.sleep(_PAUSE_S)
            return True
        return False

    # -- connections -----------------------------------------------------------------------------------------------

    async def _find_shards(self, link: ServerLink) -> None:
        ranges = slots_of(await self._plain(link, "CLUSTER", "SLOTS"), link.address, self._options)
        for shard, slot in enumerate(self._slots):
            found = next((address for first, last, address in ranges if first <= slot <= last), None)
            if found is None:
                raise unwritten(f"No node of the Redis cluster has slot {slot}.")
            self._addresses[shard] = found

    async def _link(self, address: NodeAddress) -> ServerLink:
        link = self._links.get(address)
        if link is not None and link.up:
            return link
        if self._closed:
            raise StoreUnavailable("The store is not open; nothing was written. Open it before use.")
        task = self._connecting.get(address)
        if task is None:
            task = self._connecting[address] = asyncio.ensure_future(self._connect(address))
            task.add_done_callback(lambda _: self._connecting.pop(address, None))
        return await asyncio.shield(task)

    async def _connect(self, address: NodeAddress) -> ServerLink:
        link = ServerLink(address, self._options)
        try:
            await link.connect()
            for loaded in [link.call("SCRIPT", "LOAD", script.text) for script in ALL]:
                await self._told(loaded)
        except BaseException:
            link.abort()
            raise
        self._links[address] = link
        return link

    async def _plain(self, link: ServerLink, *command: RedisArg) -> Any:
        return await self._told(link.call(*command))

    async def _told(self, reply: asyncio.Future[Any]) -> Any:
        try:
            return await reply
        except RefusedReply as error:
            raise told(error) from error


def send(
    link: ServerLink, script: LuaScript, keys: Sequence[bytes], args: Sequence[RedisArg], *, then: Then | None = None
) -> asyncio.Future[Any]:
    """Send a script by its digest, here and now; `then` as `ServerLink.call` takes it."""
    return link.call(b"EVALSHA", script.digest, len(keys), *keys, *args, then=then)


def gone() -> StoreUnavailable:
    """Make the error for data that is not there any more."""
    return unwritten(_GONE)


def told(error: RefusedReply) -> StoreUnavailable:
    """Make of a server's error what the port says."""
    if error.code.lstrip("-") == "GONE":  # what Redis 6 puts before the code of a script, Redis 7 does not
        return gone()
    text = str(error).rstrip(".")
    if _REFUSED_BEFORE.search(text):
        return unwritten(f"Redis refuses: {text}.")
    return OutcomeUnknown(f"Redis failed: {text}. Whether the last write was kept is not known yet.")


def _address(text: str, options: Options) -> NodeAddress:
    host, _, port = text.rpartition(":")
    return NodeAddress(host or options.address.host, int(port))
