"""Serve nothing but durable streams, for the official conformance suite and the clients of others.

Usage: python -m tests.conformance.serve STORE_URL [--long-poll SECONDS]

Prints the port on standard output once it listens.
"""

from __future__ import annotations

import argparse
import asyncio
import socket

import uvicorn

from signoff.clock import SystemClock
from signoff.server.connection import Listener
from signoff.server.limits import HttpLimits
from signoff.server.stream_live import Limits
from signoff.server.streams import StreamEndpoints
from signoff.server.subscription_webhook import HttpWebhooks
from signoff.server.subscriptions import ControlEndpoints
from signoff.service.commit import GroupCommitter
from signoff.service.compaction import Compactor
from signoff.service.hub import Hub
from signoff.service.streams import Streams
from signoff.service.subscriptions import Subscriptions
from signoff.stores.open import open_store
from signoff.streams.subscription_target import Targets


class Server(uvicorn.Server):
    """Let live readers finish before uvicorn waits for their connections."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop serving."""
        await self._hub.close()
        await super().shutdown(sockets)


async def serve(url: str, long_poll_s: float) -> None:
    """Serve until told to stop."""
    store = open_store(url)
    await store.open()
    hub = Hub(store)
    compactor = Compactor(store)
    committer = GroupCommitter(store, hub.committed, compactor.committed)
    streams = Streams(store, committer, hub, SystemClock(), compactor)
    clock = SystemClock()
    webhooks = HttpWebhooks(clock, Targets.LOOPBACK)
    subscriptions = Subscriptions(store, committer, streams, webhooks, clock)
    control = ControlEndpoints(subscriptions)
    app = StreamEndpoints(streams, limits=Limits(long_poll_s=long_poll_s), control=control)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Listener(HttpLimits()).protocol(),
        lifespan="off",
        proxy_headers=False,
        log_level="warning",
        timeout_graceful_shutdown=10,
    )
    subscriptions.start()
    print(listener.getsockname()[1], flush=True)
    try:
        await Server(config, hub).serve(sockets=[listener])
    finally:
        await subscriptions.close()
        await committer.close()
        await compactor.close()
        await store.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("store")
    parser.add_argument("--long-poll", type=float, default=20.0)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvicorn.Config("", loop="uvloop").get_loop_factory()) as runner:
        runner.run(serve(given.store, given.long_poll))


if __name__ == "__main__":
    main()
