"""A cluster of two nodes: in one of a single node, scripts may use keys they did not name, and nobody notices."""

from __future__ import annotations

import contextlib
import functools
import socket
import time

from tests.servers import RedisServer
from tests.servers.process import free_port

_SLOTS = 16_384
_BUS = 10_000
"""How far above a node's port that is by which nodes talk, unless set, which Redis 6.2 does not let one."""


class Cluster:
    """Two nodes, each with half of the slots."""

    def __init__(self) -> None:
        self.nodes = [RedisServer(cluster_enabled="yes", cluster_node_timeout="2000") for _ in range(2)]
        for node in self.nodes:
            node.port = _port_with_bus()

    def start(self) -> Cluster:
        """Start the nodes and join them."""
        one, other = self.nodes
        for node in self.nodes:
            node.start()
        for node, slots in ((one, range(_SLOTS // 2)), (other, range(_SLOTS // 2, _SLOTS))):
            assert node.command("CLUSTER", "ADDSLOTS", *map(str, slots)) == "+OK"
        assert one.command("CLUSTER", "MEET", "127.0.0.1", str(other.port)) == "+OK"
        until = time.monotonic() + 30
        while not all("cluster_state:ok" in node.command("CLUSTER", "INFO") for node in self.nodes):
            assert time.monotonic() < until, "the nodes do not find each other"
            time.sleep(0.05)
        return self

    def url(self, **options: str) -> str:
        """Return the address of a store on it."""
        return self.nodes[0].url(**options)


def _port_with_bus() -> int:
    while True:
        port = free_port()
        with socket.socket() as probe, contextlib.suppress(OSError, OverflowError):
            probe.bind(("127.0.0.1", port + _BUS))
            return port


@functools.cache
def cluster() -> Cluster:
    """Return the cluster of this process, started by whoever asks first; it ends with pytest."""
    return Cluster().start()
