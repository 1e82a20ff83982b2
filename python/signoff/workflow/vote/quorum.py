"""How many have to agree: what workflow code says of it, and what rows show."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

MOST_VOTES: Final = 100
"""How many votes a request may need: each is a row, and a line in the request's."""


class Quorum:
    """The rule by which several people decide a request together.

    Args:
        votes: how many have to choose the same action; None: everybody who is asked.
        veto: actions that decide at once, with a single vote.

    Raises:
        TypeError, ValueError: the number is none, or `veto` is no list of actions.

    Example:
        >>> ctx.await_input("pay", Payment, title="Pay?", to=["group:board"], quorum=Quorum(2, veto=["reject"]))
    """

    __slots__ = ("need", "veto")

    def __init__(self, votes: int | None = None, *, veto: Sequence[str] = ()) -> None:
        if votes is not None and (type(votes) is not int or not 1 <= votes <= MOST_VOTES):
            raise ValueError(f"A quorum is a whole number of votes from 1 to {MOST_VOTES}, not {votes!r:.100}.")
        if isinstance(veto, str) or not all(isinstance(one, str) for one in veto):
            raise TypeError(f"`veto` of a quorum is a list of actions, not {veto!r:.100}.")
        self.need = votes
        self.veto = tuple(dict.fromkeys(veto))

    @classmethod
    def any(cls) -> Quorum:
        """Return the usual rule: whoever answers first decides."""
        return cls(1)

    @classmethod
    def all(cls, *, veto: Sequence[str] = ()) -> Quorum:
        """Return the rule that everybody who is asked has to choose the same; they are asked by name."""
        return cls(None, veto=veto)

    def policy(self) -> dict[str, Any]:
        """Return what a request's policy says of it; nothing for the usual rule."""
        return {} if self.need == 1 else {"quorum": {"need": self.need, "veto": list(self.veto)}}

    def __eq__(self, other: object) -> bool:
        """Tell whether two are the same rule."""
        return isinstance(other, Quorum) and (self.need, self.veto) == (other.need, other.veto)

    def __hash__(self) -> int:
        """Return the hash of what it says."""
        return hash((self.need, self.veto))

    def __repr__(self) -> str:
        """Return how it is written."""
        return f"Quorum({self.need}, veto={list(self.veto)})"


def shown_quorum(policy: dict[str, Any] | None, to: Sequence[str]) -> dict[str, Any] | None:
    """Return what the row shows of a quorum: votes needed, of how many (null where a group is asked), and vetoes."""
    quorum = (policy or {}).get("quorum")
    if quorum is None:
        return None
    need = len(to) if quorum["need"] is None else quorum["need"]
    return {"need": need, "of": len(to) if _by_name(to) else None, "veto": list(quorum["veto"])}


def check_quorum(policy: dict[str, Any] | None, to: Sequence[str], actions: Sequence[str] | None = None) -> None:
    """Refuse a quorum that could never be reached, or cannot be counted.

    Args:
        policy: of the request.
        to: who is asked.
        actions: what may be chosen; None: that has been checked.

    Raises:
        ValueError: saying why.
    """
    quorum = (policy or {}).get("quorum")
    if quorum is None:
        return
    need = quorum["need"]
    if not to:
        raise ValueError("A request with a quorum has to be asked of somebody: name them in `to`.")
    if need is None and not _by_name(to):
        groups = ", ".join(one for one in to if one.startswith("group:"))
        raise ValueError(
            f"Quorum.all() counts people, and who belongs to {groups} is known to nobody here: name each person in "
            "`to` (user:alice), or say how many of the group have to agree: Quorum(2)."
        )
    if need is not None and _by_name(to) and need > len(to):
        raise ValueError(f"A quorum of {need} cannot be reached by the {len(to)} who are asked.")
    for action in quorum["veto"] if actions is not None else ():
        if action not in (actions or ()):
            raise ValueError(f"The veto {action!r:.100} is no action of the request: {', '.join(actions or ())}.")


def check_answerable(to: Sequence[str], forbid: Collection[str]) -> None:
    """Refuse a request that nobody of those who are asked may answer.

    Raises:
        ValueError: saying so.
    """
    if to and _by_name(to) and set(to) <= set(forbid):
        raise ValueError(f"Whoever is asked ({', '.join(to)}) is in `forbid` as well, so nobody could answer.")


def _by_name(to: Sequence[str]) -> bool:
    return all(one.startswith("user:") for one in to)
