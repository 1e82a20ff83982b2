"""The laws every store keeps, as a pytest class to inherit from. They need pytest and hypothesis.

Example:
    >>> # pytest.register_assert_rewrite("signoff.testing.store_contract") in conftest.py shows values in failures
    >>> class TestMyStore(StoreContract):
    ...     def new_store(self, folder):
    ...         return MyStore(folder / "store")

Two stores that are made for one folder are on the same data; set `shared = False` if each has its own. A store on a
server keeps apart what belongs to different folders, by a schema or a prefix named after them.
Never here: what one backend alone does.
"""

from signoff.testing.store_contract.agreement import AgreementLaws
from signoff.testing.store_contract.commits import CommitLaws
from signoff.testing.store_contract.compaction import CompactionLaws
from signoff.testing.store_contract.copies import CopyLaws
from signoff.testing.store_contract.describing import DescriptionLaws
from signoff.testing.store_contract.finding import FindLaws
from signoff.testing.store_contract.histories import HistoryLaws
from signoff.testing.store_contract.leases import LeaseLaws
from signoff.testing.store_contract.listings import ListingLaws
from signoff.testing.store_contract.own_streams import OwnStreamLaws
from signoff.testing.store_contract.parts import PartLaws
from signoff.testing.store_contract.posts import PostLaws
from signoff.testing.store_contract.purging import PurgeLaws
from signoff.testing.store_contract.queues import QueueLaws
from signoff.testing.store_contract.sharing import SharingLaws
from signoff.testing.store_contract.streams import StreamLaws
from signoff.testing.store_contract.subjects import SubjectLaws
from signoff.testing.store_contract.transactions import TransactionLaws
from signoff.testing.store_contract.wakeups import WakeLaws


class StoreContract(
    CommitLaws,
    FindLaws,
    SubjectLaws,
    PartLaws,
    OwnStreamLaws,
    StreamLaws,
    PurgeLaws,
    CompactionLaws,
    PostLaws,
    LeaseLaws,
    QueueLaws,
    ListingLaws,
    SharingLaws,
    WakeLaws,
    DescriptionLaws,
    AgreementLaws,
    CopyLaws,
    HistoryLaws,
):
    """All laws but `TransactionLaws`; inherit from it and say how a store is made."""


__all__ = ["StoreContract", "TransactionLaws"]
