"""How the code asks for steps, and what their ends mean to it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from signoff.errors import StepFailed as StepFailedError
from signoff.errors import UnsupportedValue
from signoff.sql import Transaction
from signoff.workflow.durations import Duration
from signoff.workflow.futures import CommandFuture, JournalFuture, StepFuture, caller
from signoff.workflow.offer import Feeds, Offer
from signoff.workflow.step.entries import StepCancelled, StepCompleted, StepFailed, StepScheduled
from signoff.workflow.step.options import PLAIN, StepOptions, options_of
from signoff.workflow.step.retry import DEFAULT, Retry
from signoff.workflow.step.types import return_type

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(slots=True, eq=False)
class StepCall:
    """An open step: what to call, and how often it was tried.

    Attributes:
        id: `name:n`.
        fn, args, kwargs: the call; `fn` may be async.
        retry, timeout_ms: how to run it.
        context: the context variables that the code had set when it asked; a step sees a copy.
        expose: its result may be seen by browsers.
        next_attempt: from 1.
        retry_at: do not try before this time (milliseconds); None: at once.
        transaction: `fn` is given a transaction of the store's database, in which its end is recorded.
    """

    id: str
    name: str
    n: int
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    retry: Retry
    timeout_ms: int | None
    future: CommandFuture[Any] = field(repr=False)
    context: Context = field(repr=False)
    expose: bool = False
    next_attempt: int = 1
    retry_at: int | None = None
    transaction: bool = False

    @property
    def return_type(self) -> Any:
        """Return the type its result is read as; None: plain values."""
        return return_type(self.fn)


class Steps(Offer):
    """Steps with certain options, to be asked for; made by `Context.options`."""

    __slots__ = ("_options",)

    def __init__(self, commands: Commands, options: StepOptions = PLAIN) -> None:
        super().__init__(commands)
        self._options = options

    @overload
    def step(
        self, name: str, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> StepFuture[T]: ...
    @overload
    def step(self, name: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> StepFuture[T]: ...
    def step(self, name: str, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> StepFuture[Any]:
        """Do something in the world: run `fn` outside the workflow, at least once, and remember its result for ever.

        The step is asked for at once; await the result now or later, alone or in `asyncio.gather`, `wait` or a
        `TaskGroup`. Cancelling it gives the step up.

        Args:
            name: explicit and stable; `[A-Za-z0-9_.-]{1,128}`. Reuse counts: the second use is `name:1`.
            fn: a function, async (run on the host's loop) or not (run in a thread).
            args, kwargs: its arguments. They are not stored: the replayed code computes them again.

        Raises:
            StepFailed: when awaited, if it used up its attempts.

        Example:
            >>> rate, memo = await asyncio.gather(ctx.step("rate", fetch_rate, "USD"), ctx.step("memo", write_memo))
        """
        if not callable(fn):
            raise TypeError(f"ctx.step({name!r}, …) takes a function and its arguments, not {type(fn).__name__}.")
        commands = self._commands
        if commands.loop.halts and commands.swallows_its_end():
            return commands.never_done()  # type: ignore[return-value]
        options = self._options
        if (defaults := getattr(fn, "__signoff_step__", None)) is not None:
            options = options.over(defaults)
        id_, n = commands.next_id(name, "step name")
        asked = commands.issue(StepScheduled, id_, id_, options.label, options.expose or False)
        place = commands.places.get(name)
        if place is None:  # not for each, since Python tells audit hooks of such a look: that is a twelfth of a replay
            place = commands.places[name] = caller()
        future = commands.loop.asked(id_, self._step_given_up, place)
        retry = options.retry or DEFAULT
        context = copy_context()  # the step sees what the code has set by now
        commands.steps[id_] = StepCall(
            id_, name, n, fn, args, kwargs, retry, options.timeout_ms, future, context, asked.expose
        )
        return future  # type: ignore[return-value]

    def transaction(
        self,
        name: str,
        fn: Callable[Concatenate[Transaction, P], Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> StepFuture[T]:
        """Change the store's own database, exactly once: run `fn` in the transaction that records its result.

        Either both what `fn` executed and its result are kept, or neither: a crash, a lost lease or a cancelled run in
        between undoes all of it, and an attempt that fails leaves nothing behind. Otherwise it is a step.

        It holds locks of the database, on SQLite those of the whole store, and is given 5 s there. Do in it what the
        database does, nothing else; what takes long comes before it, in a step.

        Args:
            name: as of a step.
            fn: an async function; its first argument is the open `Transaction`.
            args, kwargs: its further arguments.

        Raises:
            StepFailed: when awaited, if it used up its attempts. Memory and Redis have no SQL, so there the first fails
                for good.

        Example:
            >>> balance = await ctx.transaction("book", book, "acc-7", 1250)
        """
        if not iscoroutinefunction(fn):
            raise TypeError(
                f"ctx.transaction({name!r}, …) takes an async function whose first argument is the transaction."
            )
        self._commands.places.setdefault(name, caller())
        future = self.step(name, fn, *args, **kwargs)  # type: ignore[arg-type]
        call = self._commands.steps.get(future.id)
        if call is not None:
            call.transaction = True
        return future

    def options(
        self,
        *,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        expose: bool | None = None,
        label: str | None = None,
    ) -> Steps:
        """Return the same with other options for steps; what is left out stays as it was.

        Args:
            retry: how often the step is tried.
            timeout: how long one attempt may take.
            expose: browsers may see the result.
            label: what people call the step.

        Example:
            >>> await ctx.options(timeout="30s", label="Exchange rate").step("rate", fetch_rate, "USD")
        """
        return Steps(self._commands, options_of(retry, timeout, expose, label).over(self._options))

    def _step_given_up(self, future: JournalFuture[Any]) -> None:
        commands = self._commands
        if commands.steps.pop(future.id, None) is not None and not commands.stopped():
            commands.issue(StepCancelled, future.id, future.id)


def cancel_all(commands: Commands) -> None:
    """Give all open steps up: the run has ended."""
    for id_ in list(commands.steps):
        del commands.steps[id_]
        commands.issue(StepCancelled, id_, id_)


def _completed(commands: Commands, entry: StepCompleted) -> None:
    call = commands.steps.pop(entry.id, None)
    if call is not None:
        try:
            type_ = return_type(call.fn)
        except TypeError as error:
            call.future.set_exception(UnsupportedValue(str(error)))
        else:
            commands.settle(call.future, entry.result, type_)


def _failed(commands: Commands, entry: StepFailed) -> None:
    call = commands.steps.get(entry.id)
    if call is None:
        return
    call.next_attempt = entry.attempt + 1
    call.retry_at = entry.retry_at
    if entry.retry_at is not None:
        return
    del commands.steps[entry.id]
    error = entry.error
    times = f"{entry.attempt} attempt{'s' if entry.attempt > 1 else ''}"
    failed = StepFailedError(
        f"The step {entry.id} failed after {times}: {error.message or error.code}",
        step=entry.id,
        error={"code": error.code, "message": error.message, "type": error.type, "public": error.public},
        attempts=entry.attempt,
    )
    commands.done(call.future)
    if not call.future.done():
        call.future.set_exception(failed)


FEEDS: Feeds = {StepCompleted: _completed, StepFailed: _failed}
