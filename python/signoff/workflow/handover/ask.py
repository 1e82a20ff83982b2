"""What it means to the code that a request is handed on: whom its reminders name, and when they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signoff.workflow.handover.entries import InputAmended, InputDelegated, InputReassigned
from signoff.workflow.handover.people import taken_over
from signoff.workflow.offer import Feeds

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands


def _amended(commands: Commands, entry: InputAmended) -> None:
    request = commands.inputs.get(entry.id)
    if request is not None:
        request.revised(entry)


def _delegated(commands: Commands, entry: InputDelegated) -> None:
    request = commands.inputs.get(entry.id)
    if request is not None and request.hook is not None:
        request.hook.to = tuple(taken_over(request.hook.to, str(entry.by.id), entry.to))


def _reassigned(commands: Commands, entry: InputReassigned) -> None:
    request = commands.inputs.get(entry.id)
    if request is not None and request.hook is not None:
        request.hook.to = entry.to


FEEDS: Feeds = {InputAmended: _amended, InputDelegated: _delegated, InputReassigned: _reassigned}
