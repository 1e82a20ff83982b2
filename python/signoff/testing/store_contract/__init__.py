"""The laws every store keeps, as a pytest class to inherit from.

Example:
    >>> # pytest.register_assert_rewrite("signoff.testing.store_contract") in conftest.py shows values in failures
    >>> class TestMyStore(StoreContract):
    ...     def new_store(self, folder):
    ...         return MyStore(folder / "store")
"""

from signoff.testing.store_contract.commits import CommitLaws
from signoff.testing.store_contract.compaction import CompactionLaws
from signoff.testing.store_contract.leases import LeaseLaws
from signoff.testing.store_contract.listings import ListingLaws
from signoff.testing.store_contract.purging import PurgeLaws
from signoff.testing.store_contract.records import RecordLaws
from signoff.testing.store_contract.runs import RunLaws
from signoff.testing.store_contract.streams import StreamLaws
from signoff.testing.store_contract.wakeups import WakeLaws


class StoreContract(
    CommitLaws, StreamLaws, PurgeLaws, CompactionLaws, RecordLaws, RunLaws, LeaseLaws, ListingLaws, WakeLaws
):
    """Hold all laws; inherit from it and say how a store is made."""


__all__ = ["StoreContract"]
