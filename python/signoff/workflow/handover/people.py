"""Who is asked once a person has handed their part to another."""

from __future__ import annotations

from signoff.workflow.input.state import InputState


def delegated(state: InputState, who: str, to: str, *, forbid: bool) -> tuple[list[str], list[str]]:
    """Return who is asked then, and who is forbidden to answer.

    Args:
        state: the request.
        who: the principal of whoever hands their part on.
        to: the principal that takes it.
        forbid: `who` is asked through a group as well, which stays.
    """
    asked = [to if one == who else one for one in state.to]
    if who not in state.to:
        asked.append(to)
    return asked, [*state.forbid, *([who] if forbid and who not in state.forbid else [])]
