"""Names are looked up by few threads of their own, and nobody waits for a name server that says nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

import pytest

from signoff.server.subscriptions.resolver import SystemResolver, look_up
from tests.server.subscriptions.scene import until

ADDRESS = ip_address("192.0.2.7")


class NameServer:
    """Answer for some names, and say nothing about those that hang until told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on = threading.Event()

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host.startswith("hangs"):
            self.go_on.wait()
        if host.endswith("unknown"):
            raise OSError("Name or service not known")
        return [str(ADDRESS), "not an address", str(ADDRESS)]


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.go_on.set()


async def gives_up(resolver: SystemResolver, host: str) -> None:
    """Look a name up, and stop waiting once others had their turn."""
    waiting = asyncio.create_task(resolver(host, 443))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_name_that_hangs_takes_one_thread_and_holds_no_other_name_up(names: NameServer) -> None:
    resolver = SystemResolver(names, most=2)
    for _ in range(20):
        await gives_up(resolver, "hangs")
    waiting = [asyncio.create_task(resolver("hangs", 443)) for _ in range(3)]
    assert await resolver("worker.example", 443) == [ADDRESS]
    names.go_on.set()
    assert await asyncio.gather(*waiting) == [[ADDRESS]] * 3
    assert names.asked.count("hangs") == 1


async def test_there_are_so_many_threads_at_most_and_each_is_used_again(names: NameServer) -> None:
    resolver = SystemResolver(names, most=2)
    hanging = [asyncio.create_task(resolver(f"hangs{number}", 443)) for number in range(5)]
    await gives_up(resolver, "worker.example")
    await until(lambda: asked(names, 2))
    names.go_on.set()
    assert await asyncio.gather(*hanging) == [[ADDRESS]] * 5
    assert names.asked == ["hangs0", "hangs1", "hangs2", "hangs3", "hangs4"]
    assert await resolver("worker.example", 443) == [ADDRESS]


async def asked(names: NameServer, count: int) -> bool:
    assert len(names.asked) <= count
    return len(names.asked) == count


async def test_everybody_who_asked_is_told_that_a_name_is_not_known(names: NameServer) -> None:
    resolver = SystemResolver(names)
    for host in ("unknown", "hangs.unknown"):
        waiting = [asyncio.create_task(resolver(host, 443)) for _ in range(3)]
        await asyncio.sleep(0)
        names.go_on.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in found] == [OSError] * 3
    with pytest.raises(OSError, match="no name"):
        look_up("a..b", 443)


HANG = """
import asyncio, time
from signoff.server.subscriptions.resolver import SystemResolver

async def main():
    resolver = SystemResolver(lambda host, port: time.sleep(600))
    try:
        await asyncio.wait_for(resolver("hangs", 443), 0.05)
    except TimeoutError:
        print("gave up")

asyncio.run(main())
"""


def test_a_process_ends_without_waiting_for_a_lookup() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", HANG], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    assert done.stdout == "gave up\n"
    assert done.stderr == ""
