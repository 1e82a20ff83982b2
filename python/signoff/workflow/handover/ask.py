"""What it means to the code that a request is handed on: nothing, but for a deadline that an operator has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signoff.workflow.entry import Entry
from signoff.workflow.handover.entries import InputAmended, InputDelegated, InputReassigned
from signoff.workflow.offer import Feeds

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands


def _amended(commands: Commands, entry: InputAmended) -> None:
    request = commands.inputs.get(entry.id)
    if request is not None:
        request.revised(entry)


def _pass_over(_commands: Commands, _entry: Entry) -> None:
    """Whom it is asked of does not concern the code that waits for the answer."""


FEEDS: Feeds = {InputAmended: _amended, InputDelegated: _pass_over, InputReassigned: _pass_over}
