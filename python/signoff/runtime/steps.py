"""Run one attempt of a step, out in the real world, and say how it ended."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import random
from collections.abc import Callable
from concurrent.futures import Executor
from functools import lru_cache

from signoff.clock import Clock
from signoff.workflow.failure import error_of
from signoff.workflow.journal import StepCompleted, StepFailed
from signoff.workflow.steps import StepCall, StepInfo, entering_step, result_keeper

_known_async = lru_cache(maxsize=1024)(inspect.iscoroutinefunction)


class StepRunner:
    """Run attempts: async functions on the host's event loop, sync ones in threads.

    Args:
        clock: gives `at` of results and the base of retries.
        threads: where sync functions run.
        jitter: randomness for backoff.
    """

    def __init__(self, clock: Clock, threads: Executor, jitter: random.Random | None = None) -> None:
        self._clock = clock
        self._threads = threads
        self._jitter = jitter or random.Random()  # noqa: S311 - spreads retries, protects nothing

    async def attempt(self, run_id: str, call: StepCall) -> StepCompleted | StepFailed:
        """Run the next attempt of a step to its end; every outcome but cancellation is an entry.

        Args:
            run_id: the run the step belongs to.
            call: what to run; `next_attempt` counts from 1.
        """
        attempt = call.next_attempt
        try:
            with entering_step(StepInfo(run_id, call.name, call.n, attempt), call.context):
                keep = result_keeper(call)
                result, shown = keep(await self._run(call))
        except (KeyboardInterrupt, GeneratorExit):  # somebody stops the process
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return self._failed(call, attempt, error)  # something within the step was cancelled, not the step
        except BaseException as error:  # sys.exit() in a step must not end the worker, and the next, and the next
            return self._failed(call, attempt, error)
        return StepCompleted(at=self._clock.now_ms(), id=call.id, attempt=attempt, result=result, shown=shown)

    async def _run(self, call: StepCall) -> object:
        if call.timeout_ms is None:
            return await self._call(call)
        try:
            async with asyncio.timeout(call.timeout_ms / 1000) as scope:
                return await self._call(call)
        except TimeoutError:
            if scope.expired():
                raise StepTimedOut(f"The step {call.id} took longer than {call.timeout_ms} ms.") from None
            raise

    async def _call(self, call: StepCall) -> object:
        if _is_async(call.fn):
            return await call.fn(*call.args, **call.kwargs)
        # The context goes along, so that current_step() answers inside the thread too.
        context = contextvars.copy_context()
        result = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: context.run(call.fn, *call.args, **call.kwargs)
        )
        return await result if inspect.isawaitable(result) else result

    def _failed(self, call: StepCall, attempt: int, error: BaseException) -> StepFailed:
        now = self._clock.now_ms()
        delay = call.retry.delay_ms(attempt, error, self._jitter)
        return StepFailed(
            at=now,
            id=call.id,
            attempt=attempt,
            error=error_of(error),
            retry_at=None if delay is None else now + delay,
        )


def _is_async(fn: Callable[..., object]) -> bool:
    try:
        return _known_async(fn)
    except TypeError:  # an object that can be called but not hashed
        return inspect.iscoroutinefunction(fn)


class StepTimedOut(TimeoutError):
    """Report that one attempt took longer than its timeout; retried like any other error."""

    code = "step_timed_out"
