"""What workflow authors call: the context, first argument of every workflow."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, ParamSpec, TypeVar, overload
from uuid import UUID

import orjson

from signoff.names import check_name, check_text
from signoff.workflow import codec
from signoff.workflow.commands import Commands
from signoff.workflow.durations import Duration, deadline_ms, duration_ms, moment
from signoff.workflow.futures import Asked, Pending, StepFuture
from signoff.workflow.input.ask import Answer, InputRequest
from signoff.workflow.input.schema import schema_of
from signoff.workflow.input.spec import check_spec
from signoff.workflow.step.current import StepInfo, current_step, entering_step
from signoff.workflow.step.options import PLAIN, StepOptions, options_of, step
from signoff.workflow.step.retry import Retry

__all__ = ["Answer", "Context", "InputRequest", "StepInfo", "Steps", "current_step", "entering_step", "step"]

T = TypeVar("T")
P = ParamSpec("P")

RESERVED_ROWS = frozenset({"run", "step", "input", "progress", "vote", "comment", "draft"})

MOST_ROW = 1 << 20
"""Bytes of a published row as JSON."""


class Steps:
    """Ask for steps with certain options; made by `Context.options`."""

    __slots__ = ("_commands", "_options")

    def __init__(self, commands: Commands, options: StepOptions) -> None:
        self._commands = commands
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
        return self._commands.step(name, fn, args, kwargs, self._options)  # type: ignore[return-value]

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


class Context(Steps):
    """Be the workflow's only way to the world."""

    __slots__ = ("_random", "_uuids")

    def __init__(self, commands: Commands) -> None:
        super().__init__(commands, PLAIN)
        self._random: random.Random | None = None
        self._uuids: random.Random | None = None

    @property
    def run_id(self) -> str:
        """Return the id of this run."""
        return self._commands.run_id

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

    def sleep(self, duration: Duration) -> Asked[None]:
        """Sleep, for seconds or for months; the run holds no memory meanwhile.

        Args:
            duration: `"2s"`, `"3d"`, seconds, or a timedelta.
        """
        return self._commands.sleep(duration_ms(duration))

    # -- events ----------------------------------------------------------------------------------------------------

    @overload
    def await_event(
        self, topic: str, *, type: type[T], key: str | None = None, timeout: Duration | None = None
    ) -> Pending[T]: ...
    @overload
    def await_event(
        self, topic: str, *, type: Any = None, key: str | None = None, timeout: Duration | None = None
    ) -> Pending[Any]: ...
    def await_event(
        self,
        topic: str,
        *,
        type: Any = None,  # noqa: A002 - it reads as what it is at the call
        key: str | None = None,
        timeout: Duration | None = None,
    ) -> Pending[Any]:
        """Wait for an event; one that came before is not lost.

        Args:
            topic: what to wait for.
            type: what the payload is read as.
            key: take only events with this key; None: any.
            timeout: how long to wait.

        Raises:
            EventTimedOut: when awaited, if none came in time.
        """
        check_text(key, "key of an event")
        return self._commands.await_event(topic, type, key, None if timeout is None else duration_ms(timeout))

    # -- people ----------------------------------------------------------------------------------------------------

    @overload
    def await_input(
        self,
        name: str,
        type: type[T],
        *,
        title: str,
        description: str | None = None,
        show: Any = None,
        initial: Any = None,
        ui: dict[str, Any] | None = None,
        actions: Sequence[str] = ("submit",),
        to: Sequence[str] = (),
        forbid: Sequence[str] = (),
        deadline: Duration | datetime | None = None,
        expose: bool = False,
    ) -> InputRequest[T]: ...
    @overload
    def await_input(
        self,
        name: str,
        type: Any,
        *,
        title: str,
        description: str | None = None,
        show: Any = None,
        initial: Any = None,
        ui: dict[str, Any] | None = None,
        actions: Sequence[str] = ("submit",),
        to: Sequence[str] = (),
        forbid: Sequence[str] = (),
        deadline: Duration | datetime | None = None,
        expose: bool = False,
    ) -> InputRequest[Any]: ...
    def await_input(
        self,
        name: str,
        type: Any,  # noqa: A002 - it reads as what it is at the call
        *,
        title: str,
        description: str | None = None,
        show: Any = None,
        initial: Any = None,
        ui: dict[str, Any] | None = None,
        actions: Sequence[str] = ("submit",),
        to: Sequence[str] = (),
        forbid: Sequence[str] = (),
        deadline: Duration | datetime | None = None,
        expose: bool = False,
    ) -> InputRequest[Any]:
        """Ask people; the request appears in their browsers, and the answer comes back when awaited.

        Args:
            name: explicit and stable, as for steps.
            type: what is asked for: a pydantic model, dataclass, TypedDict or plain type. Its JSON Schema is the form.
            title: plain text.
            description: Markdown.
            show: what the person looks at; any JSON-like value, models included.
            initial: what the form starts with.
            ui: hints for rendering.
            actions: what may be chosen. With `submit`, `approve`, `edit` and `respond` the value must fit the type;
                with others (`reject`, `back`) it may be left out.
            to: principals that may answer, e.g. `user:alice`, `group:finance`; empty: operators only.
            forbid: principals that may not, though in `to`.
            deadline: a duration from now, or an aware datetime.
            expose: the accepted value may be seen by whoever may see the run.

        Example:
            >>> answer = await ctx.await_input("approve", Decision, title="Approve?", to=["group:finance"])
        """
        spec = {
            "title": title,
            "description": description,
            "schema": schema_of(type),
            "ui": codec.public_json(ui),
            "show": codec.public_json(show),
            "initial": codec.public_json(initial),
            "actions": list(actions),
        }
        check_spec(spec | {"to": list(to), "forbid": list(forbid)})
        due = None if deadline is None else deadline_ms(deadline, self._commands.now_ms)
        spec = {member: value for member, value in spec.items() if value is not None}
        return self._commands.await_input(
            name, type, spec=spec, to=tuple(to), forbid=tuple(forbid), deadline=due, expose=expose
        )

    # -- what browsers see -----------------------------------------------------------------------------------------

    def publish(self, row_type: str, key: str, value: Any | None) -> None:
        """Publish a row of your own to whoever may see the run; None deletes it.

        Args:
            row_type: any name but those of the engine (run, step, input, progress, …).
            key: unique among rows of the type; repeated in the value as `id`.
            value: something that becomes a JSON object, of 1 MiB at most.
        """
        if row_type in RESERVED_ROWS:
            raise ValueError(f"Rows of the type {row_type!r} are written by the engine; choose another name.")
        check_name(row_type, "row type")
        if not isinstance(key, str) or not 1 <= len(key) <= 256 or not key.isprintable():
            raise ValueError("The key of a row is a text of 1 to 256 printable characters.")
        row = codec.public_json(value)
        if row is not None and not isinstance(row, dict):
            raise TypeError("The value of a row is an object (a model or a dictionary), or None to delete it.")
        if row is not None and "_seq" in row:
            raise ValueError("A row cannot have a member called _seq.")
        if row is not None and (size := len(orjson.dumps(row))) > MOST_ROW:
            raise ValueError(
                f"A row has {MOST_ROW} bytes as JSON at most, not {size}: publish a link, or use a stream."
            )
        self._commands.publish(row_type, key, row)

    def progress(self, fraction: float | None, message: str | None = None, name: str = "main") -> None:
        """Tell how far the run has come.

        Args:
            fraction: 0 to 1, or None if unknown.
            message: for people.
            name: of the bar, if there are several.
        """
        if fraction is not None and not 0 <= fraction <= 1:
            raise ValueError("Progress is a fraction from 0 to 1, or None.")
        check_text(message, "message of a progress bar")
        if fraction is not None and type(fraction) is not int:
            fraction = float(fraction)  # a Decimal or a number of NumPy's is no JSON
        check_name(name, "name of a progress bar")
        self._commands.publish("progress", name, {"id": name, "fraction": fraction, "message": message})

    # -- changing the code under running runs ----------------------------------------------------------------------

    def patched(self, id_: str) -> bool:
        """Tell whether to take the new branch of a change: True in new runs, False in runs that passed here before it.

        Example:
            >>> if ctx.patched("check-limits"):
            ...     await ctx.step("limits", check_limits, claim)
        """
        return self._commands.patched(id_)
