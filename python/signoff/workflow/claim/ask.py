"""What claims mean to the code: nothing but a time at which one ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signoff.workflow.claim.entries import InputClaimed, InputReleased
from signoff.workflow.offer import Feeds

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands


def _claimed(commands: Commands, entry: InputClaimed) -> None:
    request = commands.inputs.get(entry.id)
    if request is not None:
        request.claimed_until = entry.until


def _released(commands: Commands, entry: InputReleased) -> None:
    request = commands.inputs.get(entry.id)
    if request is not None:
        request.claimed_until = None


FEEDS: Feeds = {InputClaimed: _claimed, InputReleased: _released}
