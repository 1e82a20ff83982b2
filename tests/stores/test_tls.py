"""Stores on servers with TLS: who a server is, is verified; what is wrong is said in words, and no password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest

from signoff.errors import StoreUnavailable
from signoff.stores.open import open_store
from signoff.testing.store_contract.laws import advance, done, record, start
from tests.servers import Authority, PostgresServer, RedisServer, postgres, redis
from tests.servers.process import free_port
from tests.service.streams.scene import opened

PASSWORD = "hush-hush"


@dataclass
class Secured:
    """A server that speaks TLS, and how a URL says whom to trust."""

    backend: str
    host: str
    port: int

    def url(self, authority: Authority | None = None, *, host: str | None = None, **options: str) -> str:
        """Return an address where the server is verified, by this authority, or those of the system."""
        if self.backend == "postgres":
            trust = {"sslmode": "verify-full"} | ({"sslrootcert": str(authority.file)} if authority else {})
            start = f"postgresql://signoff:{PASSWORD}@{host or self.host}:{self.port}/signoff"
        else:
            trust = {"ca": str(authority.file)} if authority else {}
            start = f"rediss://ada:{PASSWORD}@{host or self.host}:{self.port}/0"
        return f"{start}?{urlencode({**trust, **options}, safe='/')}"


@pytest.fixture
def authority() -> Authority:
    return Authority()


def secured_postgres(authority: Authority, *, old: bool = False) -> tuple[PostgresServer, Secured]:
    """Start a PostgreSQL server with a certificate."""
    certificate, key = authority.certificate(old=old)
    server = PostgresServer(ssl="on", ssl_cert_file=str(certificate), ssl_key_file=str(key))
    server.start()
    return server, Secured("postgres", "127.0.0.1", server.port)


def secured_redis(authority: Authority, *, old: bool = False, clients: str = "no") -> tuple[RedisServer, Secured]:
    """Start a Redis server with a certificate, on a port beside its own."""
    certificate, key = authority.certificate(old=old)
    port = free_port()
    server = RedisServer(
        tls_port=str(port),
        tls_cert_file=str(certificate),
        tls_key_file=str(key),
        tls_ca_cert_file=str(authority.file),
        tls_auth_clients=clients,
    )
    server.start()
    assert server.command("ACL", "SETUSER", "ada", "on", f">{PASSWORD}", "~*", "&*", "+@all") == "+OK"
    return server, Secured("redis", "127.0.0.1", port)


SECURE: dict[str, Callable[..., tuple[PostgresServer | RedisServer, Secured]]] = {
    "postgres": secured_postgres,
    "redis": secured_redis,
}


@pytest.fixture(params=SECURE)
def secured(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Secured]:
    server, there = SECURE[request.param](authority)
    yield there
    server.remove()


async def refused(url: str) -> str:
    """Open a store that must not be; return why not."""
    with pytest.raises(StoreUnavailable) as caught:
        await open_store(url).open()
    said = str(caught.value)
    for text in (said, caught.value.public_detail, repr(caught.value), str(caught.value.__cause__)):
        assert PASSWORD not in text
    for noise in ("_ssl.c", "[SSL", "\n", ".."):
        assert noise not in said
    assert said.endswith("Nothing was written.")
    return said


async def test_a_store_on_a_server_whose_authority_the_url_names(secured: Secured, authority: Authority) -> None:
    async with opened(secured.url(authority)) as store:
        await done(store, start("r1"))
    async with opened(secured.url(authority)) as store:
        await done(store, advance("r1", 1))
        assert (await record(store)).version == 2


async def test_a_postgresql_server_knows_that_all_connections_are_encrypted(authority: Authority) -> None:
    server, there = secured_postgres(authority)
    async with opened(there.url(authority)) as store:
        await done(store, start("r1"))
        encrypted = (
            "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
            "WHERE application_name = 'signoff'"
        )
        connections, with_tls = server.sql(encrypted).strip().split("|")
        assert connections == with_tls != "0"
    server.remove()


async def test_an_authority_that_is_not_trusted_is_refused(secured: Secured) -> None:
    said = await refused(secured.url(Authority()))
    assert "the certificate it shows is of no authority that is trusted here" in said
    assert {"postgres": "let sslrootcert in the URL", "redis": "let ca in the URL"}[secured.backend] in said


async def test_a_certificate_of_another_host_is_refused_unless_the_url_says_so(
    secured: Secured, authority: Authority
) -> None:
    said = await refused(secured.url(authority, host="localhost"))
    assert "is another server's" in said
    assert "localhost" in said
    lenient = {"sslmode": "verify-ca"} if secured.backend == "postgres" else {"verify": "ca"}
    async with opened(secured.url(authority, host="localhost", **lenient)) as store:
        await done(store, start("r1"))


@pytest.mark.parametrize("backend", SECURE)
async def test_a_certificate_that_has_expired_is_refused(backend: str, authority: Authority) -> None:
    server, there = SECURE[backend](authority, old=True)
    assert "does not hold now (certificate has expired)" in await refused(there.url(authority))
    server.remove()


@pytest.mark.parametrize("backend", SECURE)
async def test_a_server_without_tls_gets_no_password(backend: str, authority: Authority) -> None:
    port = postgres().port if backend == "postgres" else redis().port
    said = await refused(Secured(backend, "127.0.0.1", port).url(authority, connect_timeout="1"))
    assert ("rejected SSL upgrade" if backend == "postgres" else "no answer in time; does it speak TLS there") in said


async def test_a_redis_server_that_asks_for_a_certificate_gets_it(authority: Authority) -> None:
    server, there = secured_redis(authority, clients="yes")
    certificate, key = authority.certificate("ada")
    async with opened(there.url(authority, cert=str(certificate), key=str(key))) as store:
        await done(store, start("r1"))
    assert "was lost" in await refused(there.url(authority))  # the server says why, or is gone before that is read
    server.remove()
