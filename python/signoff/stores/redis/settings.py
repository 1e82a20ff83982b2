"""Whether the servers still keep what they are given: they are looked at when a store is opened, and now and then."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from signoff.errors import StoreError
from signoff.stores.redis import server
from signoff.stores.redis.link import RefusedReply
from signoff.stores.redis.options import Options
from signoff.stores.redis.shards import Shards

log = logging.getLogger(__name__)

EVERY_S: Final = 60.0
"""Seconds between two looks."""


class SettingsWatch:
    """What looks at the settings of the servers, and says once what has become wrong with them.

    A store that is open goes on: what it has acknowledged is not safer by its refusing more, and runs that wait for
    people are not helped by it.

    Args:
        shards: the servers.
        options: what the URL says.
    """

    def __init__(self, shards: Shards, options: Options) -> None:
        self._shards = shards
        self._options = options
        self._said: list[str] = []
        self._task = asyncio.get_running_loop().create_task(self._run(), name="signoff-redis-settings")

    async def close(self) -> None:
        """Stop looking."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                found = await server.find_faults(self._shards, self._options)
            except (StoreError, RefusedReply) as error:  # others say that it is away
                log.debug("the settings of Redis cannot be looked at: %s", error)
                continue
            for fault in found:
                if fault not in self._said:
                    log.error("%s This store was opened when that was not so; what it is given now may be lost.", fault)
            if self._said and not found:
                log.warning("Redis is set up again so that it keeps what it is given.")
            self._said = found
