"""How the code asks which branch of a change it is to take."""

from __future__ import annotations

from signoff.names import check_name
from signoff.workflow.offer import Feeds, Offer
from signoff.workflow.patch.entries import PatchMarked


class Patches(Offer):
    """Changes of the code under running runs."""

    __slots__ = ()

    def patched(self, id_: str) -> bool:
        """Tell whether to take the new branch of a change: True in new runs, False in runs that passed here before it.

        Example:
            >>> if ctx.patched("check-limits"):
            ...     await ctx.step("limits", check_limits, claim)
        """
        commands = self._commands
        known = commands.patches.get(id_)
        if known is not None:
            return known
        check_name(id_, "patch id")
        if commands.stopped():
            raise commands.refusal()
        # New runs take it, and so does one whose journal has the mark here; one that went on without it does not.
        recorded = commands.recorded.upcoming()
        marked = recorded is None or (type(recorded) is PatchMarked and recorded.id == id_)
        commands.patches[id_] = marked
        if marked:
            commands.issue(PatchMarked, id_, id_)
        return marked


FEEDS: Feeds = {}
