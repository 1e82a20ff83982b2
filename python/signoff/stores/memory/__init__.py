"""The store for tests and development, in dictionaries: `store` is the port, `subjects` and `streams` keep.

Nothing here is shared with another process, and nothing outlives this one.
"""

from signoff.stores.memory.store import MemoryStore

__all__ = ["MemoryStore"]
