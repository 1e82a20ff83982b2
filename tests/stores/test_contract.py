"""The backends keep the laws that are shipped for third parties."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from signoff.stores.base import WorkflowStore
from signoff.stores.open import open_store
from signoff.testing.store_contract import StoreContract, TransactionLaws
from tests.servers import fresh_url


class OfBackend(StoreContract):
    """The laws, over the stores of a backend of ours."""

    backend = ""

    def new_store(self, folder: Path) -> WorkflowStore:
        return open_store(fresh_url(self.backend, folder))


class TestMemory(OfBackend):
    backend = "memory"
    shared = False


class TestSqlite(TransactionLaws, OfBackend):
    backend = "sqlite"


class TestPostgres(TransactionLaws, OfBackend):
    backend = "postgres"

    def new_store(self, folder: Path) -> WorkflowStore:
        url = fresh_url(self.backend, folder)
        [schema] = parse_qs(urlsplit(url).query)["schema"]
        return open_store(f"{url}&search_path={schema}")  # users' tables are this store's alone too


class TestRedis(OfBackend):
    backend = "redis"
