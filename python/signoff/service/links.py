"""What a store knows of signed links: which were used, whether one fits, and the key where a server has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from signoff.clock import Clock
from signoff.errors import AlreadyDecided, BadRequest, Expired, Withdrawn
from signoff.service.commit import GroupCommitter
from signoff.service.kinds import PartKind, ledger_name, remembered, run_name
from signoff.service.subscriptions.keys import Keys
from signoff.signing import Keyring
from signoff.stores.base import PartsWanted, WorkflowStore
from signoff.timestamps import rfc3339
from signoff.workflow.input.decide import SCOPE, Accepted
from signoff.workflow.validation.decide import refusal

_MOST_TRIES: Final = 100
_NAMED: Final = 10


class Links:
    """The links that a store knows something about.

    Args:
        secrets: of the deployment; None: links are signed with a key that is made once and kept in the store.
    """

    def __init__(self, store: WorkflowStore, committer: GroupCommitter, clock: Clock, secrets: Keyring | None) -> None:
        self._store = store
        self._secrets = secrets
        self._keys = Keys(store, committer, clock)

    async def keyring(self) -> Keyring:
        """Return the secrets that links are signed with.

        Raises:
            StoreError: there are none, and one could not be kept.
        """
        return self._secrets or Keyring((await self._keys.seed(),))

    async def submission_id(self, run_id: str, link_id: str) -> str:
        """Return the id under which the one answer through a link is recorded.

        The run's own ledger makes it one: another answer under the same id is refused there. An answer that the
        workflow's code refused has used up its id, and not the link, so the next has another.
        """
        made, _ = await self._latest(run_id, link_id)
        return made

    async def used(self, run_id: str, link_id: str) -> Accepted | None:
        """Return what became of the one answer through a link; None: none was taken yet."""
        _, outcome = await self._latest(run_id, link_id)
        return None if outcome is None else Accepted.loads(outcome)

    async def _latest(self, run_id: str, link_id: str) -> tuple[str, bytes | None]:
        """Return the id of the next answer, or of the one that was accepted, with what became of that."""
        made = ""
        for number in range(_MOST_TRIES):
            made = f"link:{link_id}.{number}"
            name = ledger_name(SCOPE, made)
            loaded = await self._store.load(run_name(run_id), PartsWanted(PartKind.LEDGER, name.key))
            part = (
                None
                if loaded is None
                else next((one for one in loaded.parts if (one.kind, one.key) == (name.kind, name.key)), None)
            )
            if part is None:
                return made, None
            outcome = remembered(part).outcome
            if refusal(outcome, {}) is None:
                return made, outcome
        return made, None


def still_means(asked_at: str | None, began_ms: int, row: Mapping[str, Any]) -> bool:
    """Return True if a link was made for the request that is there now, or for one before it of this very run.

    A fork begins after what it shares was asked, so that the time alone would not do for the request itself.

    Args:
        asked_at: when the request was asked that the link was made for; None: the link does not say.
        began_ms: when the run began, in milliseconds.
        row: the request that stands there now.
    """
    return asked_at in {None, row["asked_at"]} or rfc3339(began_ms) <= str(asked_at) <= row["asked_at"]


def check_fits(row: Mapping[str, Any], to: Sequence[str], actions: Sequence[str] | None, now_ms: int) -> None:
    """Refuse a link that nobody could answer with, as things are; who is asked may change after it was made.

    Args:
        row: the request.
        to: as whom the holder would answer.
        actions: the only ones to be chosen; None: all.
        now_ms: milliseconds since the epoch.

    Raises:
        AlreadyDecided, Expired, Withdrawn: it is not pending any more; with the current `row`.
        BadRequest: these people may not answer it, or it does not offer these actions; with `errors`.
    """
    key, status = row["id"], row["status"]
    over = status == "pending" and row["deadline"] is not None and row["deadline"] <= rfc3339(now_ms)
    if status == "expired" or over:
        raise Expired(f"The deadline of {key} has passed. No link was made.", row=row)
    if status == "withdrawn":
        raise Withdrawn(f"The request {key} was taken back. No link was made.", row=row)
    if status not in {"pending", "validating"}:
        raise AlreadyDecided(f"The request {key} is already decided. No link was made.", row=row)
    forbidden = [one for one in to if one in row["forbid"]]
    if forbidden:
        raise _misfit("/for", f"{forbidden[0]} may not decide {key}")
    if set(to).isdisjoint(row["audience"]):
        asked = ", ".join(row["audience"][:_NAMED])
        raise _misfit("/for", f"{' and '.join(to)} was not asked {key}; those who were: {asked}")
    for index, action in enumerate(actions or ()):
        if action not in row["actions"]:
            offered = ", ".join(row["actions"])
            raise _misfit(f"/actions/{index}", f"{key} does not offer {action!r:.100}, but: {offered}")


def _misfit(pointer: str, words: str) -> BadRequest:
    return BadRequest(f"{pointer} {words}. No link was made.", errors=[{"pointer": pointer, "message": words}])
