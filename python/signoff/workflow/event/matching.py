"""Which events a wait takes."""

from __future__ import annotations


def takes(wait_topic: str | None, wait_key: str | None, topic: str, key: str | None) -> bool:
    """Tell whether a wait takes an event: one of its topic, with its key if it has one.

    Example:
        >>> takes("paid", None, "paid", "invoice-1"), takes("paid", "invoice-2", "paid", "invoice-1")
        (True, False)
    """
    return wait_topic == topic and wait_key in (None, key)
