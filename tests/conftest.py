from __future__ import annotations

import pytest


@pytest.fixture
def store(store_url: str) -> str:
    """The address of a fresh store, once a backend."""
    return store_url


@pytest.fixture
def url(store_url: str) -> str:
    """The same, where what is at the address is called `store`."""
    return store_url
