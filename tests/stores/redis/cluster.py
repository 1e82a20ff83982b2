"""A cluster of two nodes: in one of a single node, scripts may use keys they did not name, and nobody notices."""

from __future__ import annotations

import functools
import time

from tests.servers import RedisServer
from tests.servers.process import free_port

_SLOTS = 16_384


class Cluster:
    """Two nodes, each with half of the slots."""

    def __init__(self) -> None:
        self.nodes = [
            RedisServer(cluster_enabled="yes", cluster_port=str(free_port()), cluster_node_timeout="2000")
            for _ in range(2)
        ]

    def start(self) -> Cluster:
        """Start the nodes and join them."""
        one, other = self.nodes
        for node in self.nodes:
            node.start()
        assert one.command("CLUSTER", "ADDSLOTSRANGE", "0", str(_SLOTS // 2 - 1)) == "+OK"
        assert other.command("CLUSTER", "ADDSLOTSRANGE", str(_SLOTS // 2), str(_SLOTS - 1)) == "+OK"
        assert one.command("CLUSTER", "MEET", "127.0.0.1", str(other.port), other.settings["cluster-port"]) == "+OK"
        until = time.monotonic() + 30
        while not all("cluster_state:ok" in node.command("CLUSTER", "INFO") for node in self.nodes):
            assert time.monotonic() < until, "the nodes do not find each other"
            time.sleep(0.05)
        return self

    def url(self, **options: str) -> str:
        """Return the address of a store on it."""
        return self.nodes[0].url(**options)


@functools.cache
def cluster() -> Cluster:
    """Return the cluster of this process, started by whoever asks first; it ends with pytest."""
    return Cluster().start()
