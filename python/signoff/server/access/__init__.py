"""Who calls, from which page, and what they may do.

A token becomes an `Identity`, an `Identity` has grants; pages and hosts are checked before anybody is asked.
Never here: an endpoint, a service, a store.
"""

from signoff.server.access.identity import Identity

__all__ = ["Identity"]
