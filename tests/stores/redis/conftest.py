"""Servers for the tests of the Redis store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stores.redis.server import RedisServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server for all tests that do not harm it."""
    server = RedisServer().start()
    yield server
    server.stop()
