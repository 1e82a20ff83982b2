"""Where in a journal a command has come to its end."""

from __future__ import annotations

from collections.abc import Sequence

from signoff.workflow.entry import Entry
from signoff.workflow.event.entries import EventAwaited
from signoff.workflow.projection import refold
from signoff.workflow.run.cut import find_command, id_of, is_cut
from signoff.workflow.view import View


def end_of(entries: Sequence[Entry], id_: str) -> int | None:
    """Return how many entries of an effective journal there are up to the last one about a command.

    None: there is no such command.
    """
    begin = find_command(entries, id_)
    if begin is None:
        return None
    last = max(n for n in range(begin, len(entries)) if id_of(entries[n]) == id_)
    if isinstance(entries[begin], EventAwaited) and last == begin:
        return _end_of_wait(entries, begin, id_)
    return last + 1


def _end_of_wait(entries: Sequence[Entry], begin: int, id_: str) -> int:
    """Do the same for a wait: an event does not say which wait takes it, but the fold knows."""
    view = View()
    for n, entry in enumerate(entries):
        refold(view, [] if is_cut(entry) else [entry])
        if n >= begin and view.run is not None and all(wait[0] != id_ for wait in view.run.waits):
            return n + 1
    return begin + 1
