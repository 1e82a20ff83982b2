"""The attempts of one run's steps: what is under way, and how it ended as long as the code has not been told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

from signoff.clock import Callback
from signoff.runtime.observe import AttemptEnded, AttemptStarted, Observers, StoreTrouble
from signoff.runtime.outputs import AttemptOutputs
from signoff.runtime.port import StepResult
from signoff.runtime.steps import Begin, StepRunner
from signoff.workflow.entry import Entry
from signoff.workflow.machine import Machine
from signoff.workflow.step.ask import StepCall
from signoff.workflow.step.entries import StepCompleted


def _nothing() -> None:
    """Do nothing."""


class Attempts:
    """The attempts of one run.

    Args:
        run_id, workflow: the run.
        steps: runs them.
        observers: are told of each.
        hold: keeps the clock from jumping, for as long as an attempt takes.
        begin: begins a transaction, for a step that is one.
        outputs: returns where an attempt of a step (its id, and the number of the attempt) writes while it runs.
        ended: called when one has ended.
        recorded: called when one has ended whose end the journal has by itself.
        untried: called when one could not even be tried.

    Attributes:
        under_way: what is being tried, by the ids of the steps.
        results: how attempts ended that the machine was not fed yet, in that order.
        fed: results the machine was fed, and that are not in the journal yet.
    """

    def __init__(
        self,
        run_id: str,
        workflow: str,
        *,
        steps: StepRunner,
        observers: Observers,
        hold: Callable[[], Callback],
        begin: Begin,
        outputs: Callable[[str, int], AttemptOutputs],
        ended: Callback,
        recorded: Callback,
        untried: Callback,
    ) -> None:
        self.results: list[StepResult] = []
        self.fed: list[StepResult] = []
        self.under_way: dict[str, asyncio.Task[StepResult | None]] = {}
        self._run_id = run_id
        self._workflow = workflow
        self._steps = steps
        self._observers = observers
        self._hold = hold
        self._begin = begin
        self._outputs = outputs
        self._ended = ended
        self._recorded = recorded
        self._untried = untried
        self._given_up: set[asyncio.Task[StepResult | None]] = set()

    def settle(self, wanted: Iterable[StepCall], open_: Container[str]) -> None:
        """Stop the attempts of steps that are not open any more, and start those that are wanted and not under way."""
        for id_ in [id_ for id_ in self.under_way if id_ not in open_]:
            task = self.under_way.pop(id_)
            self._given_up.add(task)
            task.cancel()
        done = {result.id for result in self.results} if self.results else ()  # while the last commit was under way
        for call in wanted:
            if call.id not in self.under_way and call.id not in done:
                self._start(call)

    def next_result(self, machine: Machine) -> StepResult | None:
        """Take the next result the machine waits for; the journal has the others already."""
        while self.results:
            result = self.results.pop(0)
            call = machine.open_steps.get(result.id)
            if call is not None and call.next_attempt == result.attempt:
                taken = result if result.at >= machine.now_ms else replace(result, at=machine.now_ms)
                self.fed.append(taken)
                return taken
        return None

    def take_all(self, unfed: Sequence[Entry], now_ms: int) -> list[StepResult]:
        """Take all results, for a journal that the machine is not fed for now.

        Args:
            unfed: what the machine was not fed of the journal; what stands there is left out.
            now_ms: the journal's time, which never goes back.
        """
        known = {(entry.id, entry.attempt) for entry in unfed if isinstance(entry, StepResult)}
        taken = [replace(one, at=max(one.at, now_ms)) for one in self.results if (one.id, one.attempt) not in known]
        self.results.clear()
        self.fed += taken
        return taken

    def hand_over(self) -> tuple[StepResult, ...]:
        """Take all results, for whoever writes them when the run is given up."""
        self.take_back()
        self.fed, self.results = self.results, []
        return tuple(self.fed)

    def take_back(self) -> None:
        """Take back results that were taken and not written: the next machine is fed them."""
        self.results[:0] = self.fed
        self.fed.clear()

    def stop(self) -> None:
        """Cancel what is under way; nothing is heard of it any more."""
        while self.under_way:
            self.under_way.popitem()[1].cancel()
        self._ended = self._recorded = self._untried = (
            _nothing  # the driver holds this: without a way back both are freed at once
        )

    def _start(self, call: StepCall) -> None:
        if self._observers.watched:
            self._observers.tell(AttemptStarted(self._run_id, self._workflow, call.id, call.name, call.next_attempt))
        attempt: Coroutine[Any, Any, StepResult | None]
        outputs = self._outputs(call.id, call.next_attempt)
        if call.transaction:
            attempt = self._steps.transact(self._run_id, call, self._begin, outputs)
        else:
            attempt = self._steps.attempt(self._run_id, call, None, outputs)
        task = asyncio.get_running_loop().create_task(attempt)
        self.under_way[call.id] = task
        over = partial(self._over, call, call.next_attempt, perf_counter(), self._hold(), outputs=outputs)
        task.add_done_callback(over)

    def _over(
        self,
        call: StepCall,
        attempt: int,
        began: float,
        let_go: Callback,
        task: asyncio.Task[StepResult | None],
        *,
        outputs: AttemptOutputs,
    ) -> None:
        let_go()
        duration = perf_counter() - began
        if self.under_way.get(call.id) is not task:
            if task in self._given_up:
                self._given_up.discard(task)
                outputs.give_up()
            self._tell_end(call, attempt, duration, None)
            return
        del self.under_way[call.id]
        if task.cancelled():  # not by us, who would have forgotten it first: the step has cancelled its own task
            result: StepResult | None = self._steps.failed(call, asyncio.CancelledError())
        elif (error := task.exception()) is not None:  # not the step's, which would be a result
            what = f"the step {call.id} could not be tried ({error})"
            self._observers.tell(StoreTrouble(self._run_id, self._workflow, what))
            self._tell_end(call, attempt, duration, None)
            self._untried()
            return
        else:
            result = task.result()
        if result is None:
            self._tell_end(call, attempt, duration, None)
            self._recorded()
            return
        self.results.append(result)
        self._tell_end(call, attempt, duration, result)
        self._ended()

    def _tell_end(self, call: StepCall, attempt: int, duration: float, result: StepResult | None) -> None:
        if not self._observers.watched:
            return
        run_id, workflow = self._run_id, self._workflow
        if result is None:
            ended = AttemptEnded(run_id, workflow, call.id, call.name, attempt, duration, "cancelled")
        elif isinstance(result, StepCompleted):
            ended = AttemptEnded(run_id, workflow, call.id, call.name, attempt, duration, "completed")
        else:
            ended = AttemptEnded(
                run_id, workflow, call.id, call.name, attempt, duration, "failed", result.error, result.retry_at
            )
        self._observers.tell(ended)
