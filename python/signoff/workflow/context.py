"""What workflow authors call: the context, first argument of every workflow."""

from __future__ import annotations

import random
from datetime import datetime
from uuid import UUID

from signoff.workflow.approval.ask import Approvals
from signoff.workflow.commands import Commands
from signoff.workflow.durations import moment
from signoff.workflow.event.ask import EventWaits
from signoff.workflow.input.ask import Requests
from signoff.workflow.patch.ask import Patches
from signoff.workflow.row.ask import Rows
from signoff.workflow.step.ask import Steps
from signoff.workflow.step.outputs import RunOutputs
from signoff.workflow.timer.ask import Sleeps
from signoff.workflow.wizard.ask import Wizards


class Context(Steps, RunOutputs, Sleeps, EventWaits, Requests, Wizards, Approvals, Rows, Patches):
    """The workflow's only way to the world: all that the nouns offer, and the run's own time and chance."""

    __slots__ = ("_random", "_uuids")

    def __init__(self, commands: Commands) -> None:
        super().__init__(commands)
        self._random: random.Random | None = None
        self._uuids: random.Random | None = None

    @property
    def run_id(self) -> str:
        """Return the id of this run."""
        return self._commands.run_id

    @property
    def started_by(self) -> str | None:
        """Return the principal of the person who started this run, e.g. `user:alice`; None: no person, or not known.

        Example:
            >>> ctx.await_input("approve", bool, title="Approve?", to=["group:finance"], forbid=[ctx.started_by])
        """
        return self._commands.started_by

    # -- time and chance -------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return the time, UTC: that of the latest thing that happened to this run. The same in every replay."""
        return moment(self._commands.now_ms)

    def random(self) -> random.Random:
        """Return this run's random generator: always the same one, with the same numbers in every replay."""
        if self._random is None:
            self._random = self._commands.rng("random")
        return self._random

    def uuid(self) -> UUID:
        """Return a new UUID (version 4), the same in every replay."""
        if self._uuids is None:
            self._uuids = self._commands.rng("uuid")
        return UUID(int=self._uuids.getrandbits(128), version=4)
