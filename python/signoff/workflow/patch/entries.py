"""What the journal says of patches: which branch of changed code a run took."""

from __future__ import annotations

from typing import ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import Command


@frozen
class PatchMarked(Command):
    """The mark of a run that took the new branch of a patch."""

    type: ClassVar[str] = "patch.marked"
    optional: ClassVar[bool] = True
    id: str
