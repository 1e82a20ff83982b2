"""The backends keep the laws that are shipped for third parties."""

from __future__ import annotations

from pathlib import Path

from signoff.stores.base import WorkflowStore
from signoff.stores.open import open_store
from signoff.testing.store_contract import StoreContract, TransactionLaws


class TestMemory(StoreContract):
    shared = False

    def new_store(self, folder: Path) -> WorkflowStore:
        return open_store("memory:")


class TestSqlite(TransactionLaws, StoreContract):
    def new_store(self, folder: Path) -> WorkflowStore:
        return open_store(f"sqlite:///{folder}/signoff.db")
