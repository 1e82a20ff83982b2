"""Remembered approvals: found for a tool that is proposed, and listed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

import orjson

from signoff.clock import Clock
from signoff.service.act import loaded
from signoff.service.kinds import PartKind, ledger_name, remembered, run_name
from signoff.stores.base import Listing, Page, PartsWanted, WorkflowStore
from signoff.workflow.approval.remember import ALL_GRANTS, REVOKED, Grant, applies, is_grant, term
from signoff.workflow.input.state import InputState

_PAGE: Final = 50


class Grants:
    """The approvals that people have given for the next times too.

    Args:
        store: where they are: each is the request that it was given with.
        clock: says which are over.
    """

    def __init__(self, store: WorkflowStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def find(self, run_id: str, key: str) -> Grant | None:
        """Return a remembered approval that approves a tool; None: people are to be asked.

        One whose revocation was acknowledged before this is called is never returned.

        Args:
            run_id, key: the request that proposes the tool, which is in the store.
        """
        stored = await self._store.load(run_name(run_id), PartsWanted(PartKind.INPUT, key))
        if stored is None or not stored.parts:
            return None
        asked, row = InputState.loads(stored.parts[0].state), loaded(stored).run.row
        tool = asked.policy["tool"]
        where = [term(scope, tool["name"], run_id, row["workflow"], row["started_by"]) for scope in tool["remember"]]
        cursor: str | None = None
        while True:
            page = await self._store.list_parts(Listing(PartKind.INPUT, tuple(where)), limit=_PAGE, cursor=cursor)
            for found in page.items:
                listed = InputState.loads(found.part.state)
                if applies(listed, asked, self._clock.now_ms()):
                    # As it is now: an index may be behind, and what is revoked is known by its run alone.
                    grant, revoked = await self._look(listed)
                    if grant is not None and revoked is None and applies(grant, asked, self._clock.now_ms()):
                        by = str(grant.row["decided_by"]["id"])
                        return Grant(f"{grant.row['run_id']}/{grant.row['id']}", by, grant.row["decided_at"])
            cursor = page.cursor
            if cursor is None:
                return None

    async def list(
        self, *, by: Collection[str] | None = None, limit: int = _PAGE, cursor: str | None = None
    ) -> Page[dict[str, Any]]:
        """List remembered approvals, those of the latest requests first; also what is over or revoked.

        Args:
            by: given by one of these principals; None: by anybody.

        Raises:
            BadRequest: the cursor is malformed.
        """
        terms = (ALL_GRANTS,) if by is None else tuple(f"{ALL_GRANTS}/{one}" for one in sorted(by))
        page = await self._store.list_parts(Listing(PartKind.INPUT, terms), limit=limit, cursor=cursor)
        rows = []
        for found in page.items:
            grant, revoked = await self._look(InputState.loads(found.part.state))
            rows += list(_rows(grant, revoked))
        return Page(tuple(rows), page.cursor)

    async def _look(self, listed: InputState) -> tuple[InputState | None, dict[str, Any] | None]:
        """Return a grant as its run has it now, and how it was revoked."""
        run_id, key, answer = listed.row["run_id"], listed.row["id"], listed.policy["grant"]["answer"]
        wanted = PartsWanted(PartKind.INPUT, key), PartsWanted(*ledger_name(REVOKED, answer))
        stored = await self._store.load(run_name(run_id), *wanted)
        asked = [] if stored is None else stored.of(PartKind.INPUT)
        grant = InputState.loads(asked[0].state) if asked else None
        if stored is None or grant is None or not is_grant(grant) or grant.policy["grant"]["answer"] != answer:
            return None, None
        ledger = stored.of(PartKind.LEDGER)
        if not ledger:
            return grant, None
        said = orjson.loads(remembered(ledger[0]).outcome)
        return grant, {name: said[name] for name in ("by", "at", "reason")}


def _rows(grant: InputState | None, revoked: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    if grant is None:
        return
    row, said = grant.row, grant.policy["grant"]
    yield {
        "id": f"{row['run_id']}/{row['id']}",
        "run_id": row["run_id"],
        "input": row["id"],
        "workflow": row["workflow"],
        "tool": row["tool"]["name"],
        "scope": said["scope"],
        "starter": said["starter"],
        "until": said["until"],
        "same_args": said["same_args"],
        "by": row["decided_by"],
        "at": row["decided_at"],
        "revoked": revoked,
    }
