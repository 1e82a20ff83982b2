"""What is judged about one run: what is under way, and verdicts as long as the code has not been told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from signoff.clock import Callback
from signoff.runtime.validators import ValidatorRunner
from signoff.workflow.entry import Notification
from signoff.workflow.machine import Machine
from signoff.workflow.validation.ask import OpenValidation

log = logging.getLogger("signoff.runtime")

Judgement = tuple[str, str, str, int]


def _nothing() -> None:
    """Do nothing."""


class Validations:
    """The judgements of one run.

    Args:
        run_id: the run.
        lost: how many workers in a row have died or frozen with it.
        runner: comes to the verdicts.
        hold: keeps the clock from jumping, for as long as one takes.
        ended: called when there is a verdict.
    """

    def __init__(
        self, run_id: str, lost: int, *, runner: ValidatorRunner, hold: Callable[[], Callback], ended: Callback
    ) -> None:
        self._run_id = run_id
        self._lost = lost
        self._runner = runner
        self._hold = hold
        self._ended = ended
        self._under_way: dict[Judgement, asyncio.Task[Notification]] = {}
        self._verdicts: dict[Judgement, Notification] = {}
        self._fed: dict[Judgement, Notification] = {}

    @property
    def verdicts(self) -> bool:
        """Tell whether there are verdicts that the machine was not fed yet."""
        return bool(self._verdicts)

    @property
    def under_way(self) -> bool:
        """Tell whether anything is judged, or a verdict was not written yet."""
        return bool(self._under_way or self._verdicts)

    def settle(self, wanted: Sequence[OpenValidation], *, begin: bool = True) -> None:
        """Stop what need not be judged any more, and begin what is wanted and not under way.

        Args:
            wanted: all that is to be judged.
            begin: False: what is under way is finished, and no other begun.
        """
        if not (wanted or self._under_way):
            return
        keys = {due.key for due in wanted}
        for key in [key for key in self._under_way if key not in keys]:
            self._under_way.pop(key).cancel()
        for due in wanted if begin else ():
            if due.key not in self._under_way and due.key not in self._verdicts:
                self._start(due)

    def next_verdict(self, machine: Machine) -> Notification | None:
        """Take the next verdict the machine waits for, and forget those it does not."""
        if not self._verdicts:
            return None
        wanted = {due.key for due in machine.open_validations}
        while self._verdicts:
            key = next(iter(self._verdicts))
            verdict = self._verdicts.pop(key)
            if key in wanted:
                self._fed[key] = verdict
                return verdict if verdict.at >= machine.now_ms else replace(verdict, at=machine.now_ms)
        return None

    def written(self) -> None:
        """Forget verdicts that are in the journal."""
        self._fed.clear()

    def take_back(self) -> None:
        """Take back verdicts that were taken and not written: the next machine is fed them."""
        self._verdicts = {**self._fed, **self._verdicts}
        self._fed = {}

    def drop(self) -> None:
        """Stop all that is judged, and forget the verdicts: the run is paused, and all of it begins anew later."""
        while self._under_way:
            self._under_way.popitem()[1].cancel()
        self._verdicts.clear()
        self._fed.clear()

    def stop(self) -> None:
        """Stop for good; nothing is heard of it any more."""
        self.drop()
        self._ended = _nothing

    def _start(self, due: OpenValidation) -> None:
        task = asyncio.get_running_loop().create_task(
            self._runner.judge(due, self._lost), context=due.checks.context.copy()
        )
        self._under_way[due.key] = task
        task.add_done_callback(partial(self._over, due.key, self._hold()))

    def _over(self, key: Judgement, let_go: Callback, task: asyncio.Task[Notification]) -> None:
        let_go()
        if self._under_way.get(key) is not task:
            return  # stopped by us
        del self._under_way[key]
        self._verdicts[key] = task.result()
        self._ended()
