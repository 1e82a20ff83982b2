"""How much one subscription may hold, and say at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SubscriptionLimits:
    """What a server allows each subscription.

    Attributes:
        followed: streams it follows. It is one record, read and written whole at each wake, so this bounds what a wake
            costs. What its pattern matches beyond is left out, and it says so; naming more is refused.
        listed: streams that a wake, a claim and a page of its description tell of.
        named: streams that one request may name.
    """

    followed: int = 5_000
    listed: int = 1_000
    named: int = 1_000
