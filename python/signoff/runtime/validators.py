"""Judge one answer by the workflow's own code, out in the real world, and say what came of it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, Final

from signoff.clock import Clock
from signoff.errors import Refused, UnsupportedValue
from signoff.runtime.threads import Raised, StepThreads
from signoff.workflow import codec
from signoff.workflow.approval.outcome import GRANT
from signoff.workflow.approval.remember import Grant
from signoff.workflow.entry import SAME, DecidedBy, Notification
from signoff.workflow.failure import error_of
from signoff.workflow.input.entries import InputAnswered
from signoff.workflow.validation.ask import OpenValidation
from signoff.workflow.validation.entries import InputRefused, InputReturned
from signoff.workflow.validation.types import code_judges
from signoff.workflow.validation.verdict import LONGEST, Decided, Submission, bounded

log = logging.getLogger("signoff.runtime")

MOST_LOST: Final = 2
"""So many workers may be lost in a row with an answer that is being judged, before it is given back."""

_LOST: Final = "the workers that judged it have died or frozen, one after the other"


class ValidatorRunner:
    """The runner of validators: async functions on the host's event loop, sync ones and types' own rules in threads.

    Args:
        clock: gives `at` of verdicts.
        threads: where sync functions run.
        find_grant: finds a remembered approval of a request, given its run and its key.
    """

    def __init__(
        self, clock: Clock, threads: StepThreads, find_grant: Callable[[str, str], Awaitable[Grant | None]]
    ) -> None:
        self._clock = clock
        self._threads = threads
        self._find_grant = find_grant

    async def judge(self, due: OpenValidation, lost: int = 0) -> Notification:
        """Come to a verdict; every outcome but cancellation is an entry.

        Args:
            due: what is to be judged.
            lost: how many workers in a row have died or frozen with the run.
        """
        if lost >= MOST_LOST:
            return self._returned(due, _LOST)
        try:
            return await self._judged(due)
        except BaseException as error:  # whatever a validator raises: there is no verdict, nothing else
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                raise  # we are, and not something within the validator
            if isinstance(error, TookTooLong):
                return self._returned(due, str(error))
            if isinstance(error, Refused) and due.submission is not None:
                return self._refused(due, list(error.extra["errors"]))
            return self._failed(due, error)

    async def _judged(self, due: OpenValidation) -> Notification:
        checks, sent = due.checks, due.submission
        if sent is None:
            return await self._before_people(due)
        try:
            value = await self._read(due, sent.action, sent.value)
        except UnsupportedValue as error:
            if "errors" not in error.extra:
                raise
            return self._refused(due, error.extra["errors"])
        # Before the validator has it: what that does to the value in place is no correction, unless it returns it.
        came = _kept(value, due.offered.type_for(sent.action), sent.value)
        said = None
        if checks.validate is not None and (checks.informed or due.offered.is_value(sent.action, sent.value)):
            about = Submission(sent.action, sent.by, due.run_id, due.input_id, sent.submission_id)
            said = await self._call(due, checks.validate, value, *((about,) if checks.informed else ()))
        if isinstance(said, Decided):
            return await self._decided(due, said, _name(checks.validate))
        if said is None:
            kept, checked = came
            shown = codec.shown(sent.value)
            return self._answered(due, kept, checked, SAME if codec.shown(kept) == shown else shown)
        type_ = due.offered.type_for(sent.action)
        codec.check_fit(said, type_)
        kept, checked = _kept(said, type_, SAME)
        return self._answered(due, kept, checked, codec.shown_apart(said, kept))

    async def _before_people(self, due: OpenValidation) -> Notification:
        """Ask the policy, and then look for an approval that somebody has given for the next times too."""
        checks = due.checks
        said = None if checks.decide is None else await self._call(due, checks.decide)
        if said is not None:
            return await self._decided(due, said, _name(checks.decide))
        if checks.remembered:
            grant = await _within(due, lambda: self._find_grant(due.run_id, due.input_id))
            if grant is not None:
                return await self._decided(due, Decided("approve", None, grant.reason), f"{GRANT}{grant.id}")
        return InputReturned(self._clock.now_ms(), due.input_id)

    async def _read(self, due: OpenValidation, action: str, value: codec.Encoded) -> Any:
        """Return a value as the code would get it; its author's rules may take their time."""
        if not code_judges(due.offered.type_for(action)):
            return due.offered.read(action, value)
        return await self._in_thread(due, functools.partial(due.offered.read, action, value))

    async def _call(self, due: OpenValidation, function: Callable[..., Any], *args: Any) -> Any:
        if _is_async(function):
            return await _within(due, lambda: function(*args))
        # The context goes along into the thread: what the code had set when it asked.
        context = copy_context()
        said = await self._in_thread(due, functools.partial(context.run, function, *args))
        return await _within(due, lambda: said) if inspect.isawaitable(said) else said

    async def _in_thread(self, due: OpenValidation, work: Callable[[], Any]) -> Any:
        await self._threads.slot()  # waiting for a thread is no part of the timeout
        outcome = await _within(due, lambda: self._threads.run(work))
        if isinstance(outcome, Raised):
            raise outcome.error
        return outcome.value

    # -- verdicts --------------------------------------------------------------------------------------------------

    def _answered(self, due: OpenValidation, kept: codec.Encoded, checked: bool, shown: Any) -> InputAnswered:
        sent = due.submission
        assert sent is not None
        return InputAnswered(
            self._clock.now_ms(),
            sent.id,
            sent.submission_id,
            sent.digest,
            sent.action,
            kept,
            sent.by,
            checked,
            shown,
        )

    async def _decided(self, due: OpenValidation, said: Any, policy: str) -> InputAnswered:
        if not isinstance(said, Decided):
            raise TypeError(f"A policy returns Decided or None, not {type(said).__name__}.")
        names = due.offered.names
        if said.action not in names:
            raise ValueError(f"The policy chose {said.action!r:.100}; the request offers {', '.join(names)}.")
        value, type_ = said.value, due.offered.type_for(said.action)
        if value is not None:
            try:
                codec.check_fit(value, type_)
            except UnsupportedValue:
                value = await self._read(due, said.action, codec.encode(value))
        kept, checked = _kept(value, type_, SAME)
        sent, by = due.submission, DecidedBy("policy", policy)
        submission_id = f"policy:{due.input_id}" if sent is None else sent.submission_id
        digest = codec.digest([due.input_id, said.action, by.id]) if sent is None else sent.digest
        reason = str(said.reason)[:LONGEST] or None
        return InputAnswered(
            self._clock.now_ms(),
            due.input_id,
            submission_id,
            digest,
            said.action,
            kept,
            by,
            checked,
            codec.shown_apart(value, kept),
            reason,
        )

    def _refused(self, due: OpenValidation, errors: list[dict[str, str]]) -> InputRefused:
        sent = due.submission
        assert sent is not None
        return InputRefused(self._clock.now_ms(), sent.id, sent.submission_id, sent.digest, bounded(errors))

    def _failed(self, due: OpenValidation, error: BaseException) -> InputReturned:
        log.warning(
            "run %s: what judges %s failed; nothing was consumed, the request is open as before",
            due.run_id,
            due.input_id,
            exc_info=error,
        )
        told = error_of(error)
        return self._returned(due, f"{told.code}: {told.message}" if told.message else told.code)

    def _returned(self, due: OpenValidation, reason: str) -> InputReturned:
        sent = due.submission
        submission_id = None if sent is None else sent.submission_id
        return InputReturned(self._clock.now_ms(), due.input_id, submission_id, reason[:LONGEST])


class TookTooLong(Exception):
    """A validator that took longer than it may."""


async def _within(due: OpenValidation, begin: Callable[[], Awaitable[Any]]) -> Any:
    """Await something for as long as a validator may take."""
    try:
        # In real time, whatever the clock: a validator is the real world.
        async with asyncio.timeout(due.checks.timeout_ms / 1000) as scope:
            return await begin()
    except TimeoutError:
        if scope.expired():
            raise TookTooLong(f"it took longer than {due.checks.timeout_ms} ms") from None
        raise


def _kept(value: Any, type_: Any, sent: Any) -> tuple[codec.Encoded, bool]:
    """Return a value as the journal keeps it, and whether it is read back without being judged again.

    Args:
        value: as it was read, or corrected.
        type_: the request's.
        sent: as it came, if it is taken as it is; the journal keeps that where it could not keep what was read.
    """
    try:
        return codec.encode_read(value, type_), True
    except UnsupportedValue:
        if sent is SAME:
            raise
        return sent, False


def _is_async(function: Callable[..., Any]) -> bool:
    called = function if inspect.isroutine(function) or inspect.isclass(function) else type(function).__call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def _name(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))[:128]
