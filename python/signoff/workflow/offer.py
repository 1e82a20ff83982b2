"""What the nouns offer to workflow code: each a class, and `Context` is all of them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from signoff.workflow.entry import Entry

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands

Feeds = Mapping[type[Entry], Callable[["Commands", Any], None]]
"""What each notification of a noun means to the code."""


class Offer:
    """What one noun offers on `ctx`."""

    __slots__ = ("_commands",)

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
