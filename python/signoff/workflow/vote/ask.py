"""What votes mean to the code: they stand in the answer that they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signoff.workflow.offer import Feeds
from signoff.workflow.vote.entries import InputVoted

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands


def _voted(commands: Commands, entry: InputVoted) -> None:
    request = commands.inputs.get(entry.id)
    if request is not None:
        request.votes[entry.submission_id] = entry
        request.claimed_until = None


FEEDS: Feeds = {InputVoted: _voted}
