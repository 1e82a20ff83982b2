"""Run one attempt of a step, out in the real world, and say how it ended."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import lru_cache

from signoff.clock import Clock
from signoff.errors import NotSupported, StoreError
from signoff.runtime.outputs import AttemptOutputs
from signoff.runtime.port import StepTransaction
from signoff.runtime.threads import Raised, StepThreads
from signoff.sql import Transaction
from signoff.workflow.failure import error_of
from signoff.workflow.step.ask import StepCall
from signoff.workflow.step.current import EnteredStep, StepInfo
from signoff.workflow.step.entries import StepCompleted, StepFailed
from signoff.workflow.step.result import result_keeper

Begin = Callable[[], AbstractAsyncContextManager[StepTransaction]]

_known_async = lru_cache(maxsize=1024)(inspect.iscoroutinefunction)


class StepRunner:
    """The runner of attempts: async functions on the host's event loop, sync ones in threads.

    Args:
        clock: gives `at` of results and the base of retries.
        threads: where sync functions run.
        jitter: randomness for backoff.
    """

    def __init__(self, clock: Clock, threads: StepThreads, jitter: random.Random | None = None) -> None:
        self._clock = clock
        self._threads = threads
        self._jitter = jitter or random.Random()  # noqa: S311 - spreads retries, protects nothing

    async def attempt(
        self,
        run_id: str,
        call: StepCall,
        transaction: Transaction | None = None,
        outputs: AttemptOutputs | None = None,
    ) -> StepCompleted | StepFailed:
        """Run the next attempt of a step to its end; every outcome but cancellation is an entry.

        What it has written is durable then, and outputs that it opened are closed if there is no further attempt.

        Args:
            run_id: the run the step belongs to.
            call: what to run; `next_attempt` counts from 1.
            transaction: what its function is given first, if it is one of a transaction.
            outputs: where it writes while it runs; None: nowhere.
        """
        ended = await self._attempt(run_id, call, transaction, outputs)
        if outputs is None or not outputs.used:
            return ended
        try:
            await outputs.finish(for_good=isinstance(ended, StepCompleted) or ended.retry_at is None)
        except Exception as error:
            return ended if isinstance(ended, StepFailed) else self.failed(call, error)
        return ended

    async def _attempt(
        self, run_id: str, call: StepCall, transaction: Transaction | None, outputs: AttemptOutputs | None
    ) -> StepCompleted | StepFailed:
        is_async = _is_async(call.fn)
        try:
            with EnteredStep(StepInfo(run_id, call.name, call.n, call.next_attempt, outputs), call.context):
                keep = result_keeper(call)
                if not is_async:
                    await self._threads.slot()  # waiting for a thread is no part of the attempt's timeout
                attempt = self._call if call.timeout_ms is None else self._timed
                outcome = await attempt(call, is_async, transaction)
                if isinstance(outcome, Raised):
                    return self.failed(call, outcome.error)
                result, shown = keep(outcome)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return self.failed(call, error)  # something within the step was cancelled, not the step
        except BaseException as error:  # whatever a step raises, KeyboardInterrupt too: it has failed, nothing else
            return self.failed(call, error)
        now = self._clock.now_ms()
        return StepCompleted(at=now, id=call.id, attempt=call.next_attempt, result=result, shown=shown)

    async def transact(
        self, run_id: str, call: StepCall, begin: Begin, outputs: AttemptOutputs | None = None
    ) -> StepFailed | None:
        """Run the next attempt of a step in a transaction that records its end.

        Args:
            run_id: the run the step belongs to.
            call: what to run.
            begin: begins a transaction; at its end, what was not committed is undone.
            outputs: as of `attempt`.

        Returns:
            how the attempt failed. None: the journal says how the step has ended.

        Raises:
            StoreError: the store cannot be reached: what became of it, the journal says.
        """
        try:
            async with begin() as transaction:
                result = await self.attempt(run_id, call, transaction, outputs)
                if isinstance(result, StepFailed):
                    return result
                await transaction.complete(result)
        except NotSupported as error:
            return replace(self.failed(call, error), retry_at=None)
        except StoreError:
            raise
        except Exception as error:  # the database refuses to commit what the function did
            return self.failed(call, error)
        return None

    def failed(self, call: StepCall, error: BaseException) -> StepFailed:
        """Return the entry of an attempt that ended with `error`, whatever that is."""
        now = self._clock.now_ms()
        try:
            delay = call.retry.delay_ms(call.next_attempt, error, self._jitter)
        except BaseException:  # a policy of the author's own that fails: there is no further attempt
            delay = None
        return StepFailed(
            at=now,
            id=call.id,
            attempt=call.next_attempt,
            error=error_of(error),
            retry_at=None if delay is None else now + delay,
        )

    async def _timed(self, call: StepCall, is_async: bool, transaction: Transaction | None) -> object:
        assert call.timeout_ms is not None
        try:
            # In real time, whatever the clock: a step is the real world.
            async with asyncio.timeout(call.timeout_ms / 1000) as scope:
                return await self._call(call, is_async, transaction)
        except TimeoutError:
            if scope.expired():
                raise StepTimedOut(f"The step {call.id} took longer than {call.timeout_ms} ms.") from None
            raise

    async def _call(self, call: StepCall, is_async: bool, transaction: Transaction | None) -> object:
        if transaction is not None:
            return await call.fn(transaction, *call.args, **call.kwargs)
        if is_async:
            return await call.fn(*call.args, **call.kwargs)
        # The context goes along, so that current_step() answers inside the thread too.
        context = contextvars.copy_context()
        outcome = await self._threads.run(lambda: context.run(call.fn, *call.args, **call.kwargs))
        if isinstance(outcome, Raised):
            return outcome
        return await outcome.value if inspect.isawaitable(outcome.value) else outcome.value


def _is_async(fn: Callable[..., object]) -> bool:
    try:
        return _known_async(fn)
    except Exception:  # an object that can be called but not hashed
        return inspect.iscoroutinefunction(fn)


class StepTimedOut(TimeoutError):
    """An attempt that took longer than its timeout; retried like any other error."""

    code = "step_timed_out"
