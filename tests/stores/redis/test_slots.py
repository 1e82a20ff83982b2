"""Slots are those of Redis itself."""

from __future__ import annotations

import pytest

from signoff.stores.redis.options import NodeAddress, Options
from signoff.stores.redis.slots import slot_of, slots_of
from tests.stores.redis.cluster import cluster


@pytest.mark.parametrize("tag", ["{signoff}", "{signoff:00}", "{signoff:63}", "{a}", "{123456789}", "{x.y:/z-}"])
def test_a_slot_is_what_the_server_says(tag: str) -> None:
    assert cluster().nodes[0].command("CLUSTER", "KEYSLOT", f"{tag}:any") == f":{slot_of(tag.encode())}"


def test_a_node_that_does_not_know_its_name_is_where_it_was_asked() -> None:
    options = Options(NodeAddress("first", 1))
    answer = [[0, 99, [None, 7000, b"id"]], [100, 200, [b"10.0.0.9", 7001, b"id"], [b"10.0.0.8", 7002, b"replica"]]]
    assert slots_of(answer, NodeAddress("asked", 6379), options) == [
        (0, 99, NodeAddress("asked", 7000)),
        (100, 200, NodeAddress("10.0.0.9", 7001)),
    ]
