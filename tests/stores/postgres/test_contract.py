"""The store on PostgreSQL keeps the laws."""

from __future__ import annotations

import hashlib
from pathlib import Path

from signoff.stores.base import WorkflowStore
from signoff.stores.open import open_store
from signoff.testing.store_contract import StoreContract


class TestPostgres(StoreContract):
    def new_store(self, folder: Path) -> WorkflowStore:
        schema = "t" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        return open_store(f"postgresql://postgres@/postgres?host=/tmp/pgw&port=55481&schema={schema}")
