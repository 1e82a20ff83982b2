"""What comments mean to the code: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signoff.workflow.comment.entries import CommentAdded
from signoff.workflow.offer import Feeds

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands


def _pass_over(_commands: Commands, _entry: CommentAdded) -> None:
    """Do nothing."""


FEEDS: Feeds = {CommentAdded: _pass_over}
