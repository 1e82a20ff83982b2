"""What tests ask for by name: a store of each kind, servers to be killed, a proxy to be cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.backends import BACKENDS, SHARED_BACKENDS, drop_leftovers, fresh_url, postgres
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer
from tests.servers.process import stop_keeper
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of a backend: a test that asks for it, or for what needs it, runs once on each."""
    name: str = request.param
    return name


@pytest.fixture(params=SHARED_BACKENDS)
def shared_backend(request: pytest.FixtureRequest) -> str:
    """The name of a backend whose stores several processes share."""
    name: str = request.param
    return name


@pytest.fixture
def store_url(backend: str, tmp_path: Path) -> str:
    """The address of a fresh store, once a backend."""
    return fresh_url(backend, tmp_path)


@pytest.fixture
def shared_url(shared_backend: str, tmp_path: Path) -> str:
    """The address of a fresh store that several processes may open, once a backend that has it."""
    return fresh_url(shared_backend, tmp_path)


@pytest.fixture
def new_store_url(backend: str, tmp_path: Path) -> Callable[[], str]:
    """What returns the address of a fresh store each time, for tests that need several."""
    made = 0

    def new() -> str:
        nonlocal made
        made += 1
        folder = tmp_path / f"store{made}"
        folder.mkdir()
        return fresh_url(backend, folder)

    return new


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    """Drop what the test left on the servers all tests share."""
    yield
    drop_leftovers()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the test's own, started: it may be killed, frozen and restarted."""
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis server of the test's own, started: it may be killed, frozen and restarted."""
    server = RedisServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def pgbouncer() -> Iterator[PgBouncer]:
    """PgBouncer in transaction mode in front of the PostgreSQL server all tests share."""
    pool = PgBouncer(postgres())
    pool.start()
    yield pool
    pool.remove()


@pytest.fixture
def new_proxy() -> Iterator[Callable[[int], Proxy]]:
    """What puts a proxy in front of a port."""
    proxies: list[Proxy] = []

    def new(target: int) -> Proxy:
        proxies.append(Proxy(target))
        return proxies[-1]

    yield new
    for proxy in proxies:
        proxy.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run be parted by backend: what `.ci/suites` has run side by side."""
    parser.addoption(
        "--store-backend",
        choices=(*BACKENDS, "none"),
        help="run what is about this store alone; none: what is about no store in particular",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what other runs are for."""
    wanted = config.getoption("--store-backend")
    if wanted is None:
        return
    mine = [item for item in items if backend_of(item) == wanted]
    config.hook.pytest_deselected(items=[item for item in items if backend_of(item) != wanted])
    items[:] = mine


def backend_of(item: pytest.Item) -> str:
    """Return which backend a test is about: exactly one of `BACKENDS`, or `none`.

    One that is about two is about that of them which has the higher place among `BACKENDS`.
    """
    callspec = getattr(item, "callspec", None)
    about: list[object] = [*callspec.params.values()] if callspec else []
    about += [name for value in about if isinstance(value, tuple) for name in value]
    about += [getattr(getattr(item, "cls", None), "backend", None), item.path.parent.name]
    named = [name for name in BACKENDS if name in about]
    return named[-1] if named else "none"


def pytest_sessionfinish() -> None:
    """End the servers of this process."""
    stop_keeper()
