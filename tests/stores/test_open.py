"""A URL names a store, or the error says in one line what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from signoff.errors import StoreError
from signoff.stores.memory import MemoryStore
from signoff.stores.open import open_migrating, open_store, store_name
from signoff.stores.server_url import shown_url
from signoff.stores.sqlite.store import SqliteStore
from tests.stores.sqlite.unprivileged import unprivileged


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Work in an empty folder."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


@pytest.mark.parametrize("url", ["memory:", "memory://"])
def test_memory(url: str) -> None:
    assert isinstance(open_store(url), MemoryStore)


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///claims.db", "claims.db"),
        ("sqlite:///a/b/claims.db", "a/b/claims.db"),
        ("sqlite:///{folder}/x/claims.db", "x/claims.db"),
        ("sqlite:///with%20space%3F.db", "with space?.db"),
        ("sqlite:///שלום.db", "שלום.db"),
    ],
)
async def test_a_path_is_relative_or_absolute_and_its_folder_is_made(elsewhere: Path, url: str, file: str) -> None:
    store = open_store(url.format(folder=elsewhere))
    assert isinstance(store, SqliteStore)
    assert store.url == url.format(folder=elsewhere)
    assert (elsewhere / file).parent.is_dir()
    await store.open()
    await store.close()
    assert (elsewhere / file).is_file()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "not a store URL"),
        ("claims.db", "not a store URL"),
        ("mysql://host/db", "No store is known for 'mysql:'"),
        ("SQLITE:///x.db", "No store is known for 'SQLITE:'"),
        ("redis:", "names no server"),
        ("redis://host/x", "The database of a Redis URL is a whole number"),
        ("redis://host/0?shards=0", "shards of a Redis URL is a whole number from 1"),
        ("redis://host/0?prefix={x}", "prefix is 1 to 100 of the characters"),
        ("redis://host/0?durability=some", "durability is aof"),
        ("redis://host/0?fsync=always", "options that Redis URLs do not take: fsync"),
        ("redis://host/0?verify=none", "TLS options .verify. without TLS"),
        ("redis://host:port/0", "is not a Redis URL"),
        ("redis://host/0?socket=/run/redis.sock", "names two servers"),
        ("rediss://host/0?ca=/none", "TLS files of the Redis URL cannot be used"),
        ("postgresql://host/db?schema=a-b", "cannot be the name of a schema"),
        ("postgresql://host/db?pool=0", "pool=0 is not a whole number from 1"),
        ("postgres://host/db?statement_timeout=1.5", "statement_timeout=1.5 is not a whole number"),
        ("postgresql://host/db#1", "no part behind `#`"),
        ("redis://host/0#1", "no part behind `#`"),
        ("postgresql://host/db?listen=direct.internal", "listen is another PostgreSQL URL"),
        ("memory:x", "memory: alone"),
        ("sqlite:", "not a SQLite URL"),
        ("sqlite:x.db", "not a SQLite URL"),
        ("sqlite://x.db", "not a SQLite URL"),
        ("sqlite:///", "names no file"),
        ("sqlite:///x.db?mode=ro", "options"),
        ("sqlite:///x.db#1", "options"),
        ("sqlite:///x%00.db", "options"),
        ("sqlite:///.", "is a directory"),
        ("sqlite:////", "is a directory"),
    ],
)
def test_what_is_wrong_with_a_url(elsewhere: Path, url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says) as caught:
        open_store(url)
    assert "\n" not in str(caught.value)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "redis", "rediss"])
@pytest.mark.parametrize(
    "password",
    ["se/cret", "12/cret", "se@cret", "se?cret", "12?cret", "12#cret", "[cret", "cret]", "se/c@ret", "\u2100cret"],
)
def test_a_password_that_must_be_written_otherwise_is_not_shown(scheme: str, password: str) -> None:
    """Part of it would be taken for a host or a path, and stand in errors and logs."""
    url = f"{scheme}://app:{password}@db.internal:1234/0"
    for opens in (open_store, open_migrating):
        with pytest.raises(StoreError, match=r"password write|in a password") as caught:
            opens(url)
        assert "cret" not in str(caught.value)
        assert "12" not in str(caught.value)
    assert shown_url(url) == store_name(url) == f"{scheme}://…"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("memory:", "memory:"),
        ("sqlite:///a@b.db", "sqlite:///a@b.db"),
        ("redis://:secret@cache:6379/0?shards=4", "redis://cache:6379/0?shards=4"),
        ("postgresql://app:s:e%40cret@a:1,[::1]:2/db?pool=4", "postgresql://app@a:1,[::1]:2/db?pool=4"),
        ("postgresql:///db?host=/run/pg&password=secret&sslpassword=secret", "postgresql:///db?host=/run/pg"),
        ("postgresql://a:secret@pool/db?listen=postgresql://a:secret@db/db", "postgresql://a@pool/db"),
    ],
)
def test_a_url_is_shown_without_its_passwords(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_a_file_in_the_way_of_a_folder(elsewhere: Path) -> None:
    (elsewhere / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be created"):
        open_store("sqlite:///file/claims.db")


def test_a_folder_that_cannot_be_written() -> None:
    with unprivileged() as folder:
        folder.chmod(0o555)
        with pytest.raises(StoreError, match="not writable"):
            open_store(f"sqlite:///{folder}/claims.db")
        with pytest.raises(StoreError, match="cannot be created: Permission denied"):
            open_store(f"sqlite:///{folder}/below/claims.db")
        folder.chmod(0o755)
