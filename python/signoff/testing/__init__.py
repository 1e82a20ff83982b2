"""What users and third parties test with.

`replay` has today's code go through a recorded run; `store_contract` proves a store of one's own against the engine's
laws. Never here: anything the product itself imports.
"""

from signoff.testing.history import replay

__all__ = ["replay"]
