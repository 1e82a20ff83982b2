"""A process that tells webhooks of requests, as tests start and kill it: its arguments are URL and LEASE_MS."""

from __future__ import annotations

import asyncio
import sys

from signoff.server.app import notifier_over
from signoff.server.config import ServerConfig
from signoff.service.engine import Engine
from signoff.service.notify import notifier, target
from signoff.stores.open import open_store
from signoff.streams.subscriptions.target import Targets


async def main(url: str, lease_ms: int) -> None:
    """Tell until killed."""
    notifier.LEASE_MS = lease_ms  # type: ignore[misc]
    notifier.POLL_S = 0.05  # type: ignore[misc]
    target.FIRST_PAUSE_MS = 20  # type: ignore[misc]
    engine = await Engine.open(open_store(url))
    notifier_over(engine, ServerConfig(webhooks=Targets.LOOPBACK)).start()
    sys.stdout.write("tells\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
