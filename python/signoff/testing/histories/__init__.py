"""Histories of concurrent clients, and what checks them without knowing how the product works.

Clients record each operation with the time it was called and the time it returned (`recording`). One checker looks for
an order of all of them that a small sequential model could have gone through (`linearizability`), a plainer one at the
order of what streams hold (`order`). `subjects` is such a model of what a store keeps, `workload` are its clients.
Never here: anything of how a store or the engine does it.
"""

from signoff.testing.histories.linearizability import SequentialModel, Violation, check
from signoff.testing.histories.recording import RecordedCall, Recorder, write

__all__ = ["RecordedCall", "Recorder", "SequentialModel", "Violation", "check", "write"]
