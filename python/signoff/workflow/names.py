"""Names and texts that workflow code gives; the grammar of names is `signoff.names`."""

from __future__ import annotations

from signoff.names import check_name

__all__ = ["BACK", "check_name", "check_text"]

BACK = "back"
"""The action that leaves a page as it is, filled in half or wrongly; nobody checks its value against the schema."""


def check_text(text: object, what: str) -> None:
    """Refuse what is neither None nor text that can be written.

    Raises:
        TypeError, ValueError: it is another type, or has a lone surrogate.
    """
    if text is None:
        return
    if not isinstance(text, str):
        raise TypeError(f"The {what} is a text or None, not {type(text).__name__}.")
    text.encode()
