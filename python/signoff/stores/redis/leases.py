"""A thread with an event loop and connections of its own, by which leases are kept while the main loop stands still."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from signoff.errors import StoreUnavailable
from signoff.stores.redis.keys import KeyNames
from signoff.stores.redis.nodes import Nodes
from signoff.stores.redis.options import Options
from signoff.stores.redis.shards import Shards
from signoff.stores.server_clock import ServerClock

T = TypeVar("T")


class LeaseThread:
    """The thread; it ends with `stop`.

    Args:
        options: what the URL says.
        keys: of each shard.
        clock: what is known of the servers' clock.
    """

    def __init__(self, options: Options, keys: Sequence[KeyNames], clock: ServerClock) -> None:
        self._clock = clock
        self._options = options
        self._keys = keys
        self._loop = asyncio.new_event_loop()
        self._shards: Shards | None = None
        self._reaching = asyncio.Lock()
        self._thread = threading.Thread(target=self._main, name="signoff-redis-leases", daemon=True)
        self._thread.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def do(self, work: Callable[[Shards], Awaitable[T]]) -> T:
        """Do something there; may be awaited on any event loop."""

        async def there() -> T:
            return await work(await self._reach())

        try:
            done: Future[T] = asyncio.run_coroutine_threadsafe(there(), self._loop)
        except RuntimeError:
            raise StoreUnavailable("The store is not open; nothing was written. Open it before use.") from None
        return await asyncio.wrap_future(done)

    async def _reach(self) -> Shards:
        async with self._reaching:
            if self._shards is None:
                nodes = Nodes(self._options, self._keys)
                try:
                    await nodes.open()
                except BaseException:
                    await nodes.close()
                    raise
                self._shards = Shards(nodes, self._keys, self._clock)
        return self._shards

    async def stop(self) -> None:
        """Close the connections and end the thread."""

        async def close() -> None:
            if self._shards is not None:
                await self._shards.nodes.close()

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(close(), self._loop))
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
