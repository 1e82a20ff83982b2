"""An engine for tests of workflows: in memory, with a worker, a clock that jumps by itself, and people by script."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from signoff.clock import SettlingClock
from signoff.errors import UnknownWorkflow
from signoff.service.engine import Engine
from signoff.stores.base import WorkflowStore
from signoff.stores.open import open_store
from signoff.testing.board import RequestBoard
from signoff.testing.faults import Chaos, CommitMoment, Crash, Faults, LostReply, commit_delay
from signoff.testing.lives import WorkerLives
from signoff.testing.people import Person
from signoff.testing.runs import TestRun
from signoff.testing.stage import Stage
from signoff.testing.timeline import Timeline, hold_while_asked
from signoff.workflow import codec
from signoff.workflow.definition import App
from signoff.workflow.durations import Duration, duration_ms

T = TypeVar("T")

WorkflowFunction = Callable[..., Coroutine[Any, Any, Any]]

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When a test begins, unless said otherwise: a Thursday."""

MOST_JUMPS: Final = 10_000
"""How often time jumps while a test waits for one thing, unless said otherwise."""


class TestEngine:
    """An engine with a worker, for the time of an `async with` block, or of `play`.

    Its time stands still while the test does something, and jumps to what is due next while the test waits for
    something and everything else waits, too: a deadline of three days takes milliseconds. Steps are the real world, and
    time does not jump while one runs.

    Args:
        workflows: an application, or workflow functions that no application has.
        start: when it begins, with a time zone.
        store: a URL, see `signoff.stores.open`, or a store that is not open yet.
        chaos: draws what goes wrong; None: nothing does that the test has not planned.
        most_jumps: how often time jumps while the test waits for one thing, before that counts as `Stuck`.
        worker: options of the worker, see `signoff.runtime.worker.Worker`, e.g. `observers`.

    Example:
        >>> async with TestEngine(app) as engine:
        ...     run = await engine.start("expense", {"amount": 120})
        ...     await engine.person("alice", groups=["finance"]).answers("approve", True)
        ...     assert await run.result() == "paid"
    """

    __test__ = False  # it is no test, whatever pytest makes of its name

    def __init__(
        self,
        *workflows: App | WorkflowFunction,
        start: datetime = START,
        store: str | WorkflowStore = "memory:",
        chaos: Chaos | None = None,
        most_jumps: int = MOST_JUMPS,
        **worker: Any,
    ) -> None:
        self.app = _app_of(workflows)
        self._store = store
        self._faults = Faults(chaos)
        self._time = Timeline(start, most_jumps, self._ready)
        self._worker = worker
        self._numbers = itertools.count(1)
        self._people: list[Person] = []
        self._ends: AsyncExitStack | None = None
        self._opened: Stage | None = None

    async def __aenter__(self) -> Self:
        """Open the store, and let the worker begin."""
        if self._ends is not None:
            raise RuntimeError("This engine has run already; make another one.")
        async with AsyncExitStack() as ends:
            store = open_store(self._store) if isinstance(self._store, str) else self._store
            hold_while_asked(store, self.clock)
            services = await Engine.open(store, self.clock, workflows=self.app.names(), app=self.app)
            ends.push_async_callback(services.close)
            board = RequestBoard()
            services.committer.listen(board.committed)
            lives = WorkerLives(self.app, services, self._faults, self._worker)
            ends.push_async_callback(lives.close)
            self._opened = Stage(services, self._time, board, self._faults, lives)
            self._ends = ends.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it; a script that was refused is raised, if nobody has asked for its outcome and nothing else is."""
        assert self._ends is not None
        refused = list[Exception]()
        async with self._ends:
            self._ends.callback(self._forget)
            for person in self._people:
                refused += await person.close()
        if refused and error is None:
            raise refused[0]

    def _forget(self) -> None:
        self._opened = None

    def play(self, scenario: Callable[[Self], Coroutine[Any, Any, T]]) -> T:
        """Run a scenario with this engine, from a test that is no coroutine; return what it returns.

        Example:
            >>> async def approved(engine: TestEngine) -> None: ...
            >>> TestEngine(app).play(approved)
        """

        async def main() -> T:
            async with self:
                return await scenario(self)

        return asyncio.run(main())

    # -- runs ------------------------------------------------------------------------------------------------------

    async def start(
        self,
        workflow: str | WorkflowFunction,
        input: Any = None,  # noqa: A002 - the field's name
        *,
        run_id: str | None = None,
        tags: Sequence[str] = (),
        start_at: datetime | None = None,
    ) -> TestRun:
        """Start a run.

        Args:
            workflow: its name, or the function.
            input: plain JSON, or an object of the type that the workflow takes.
            run_id: `run-1`, `run-2` and so on if None.
            tags: for listings.
            start_at: when it begins; None: at once.

        Raises:
            SignoffError: what `service.runs.Runs.start` refuses with, e.g. `InvalidInput`.
        """
        name = workflow if isinstance(workflow, str) else self._name_of(workflow)
        started = await self.services.runs.start(
            name,
            codec.public_json(input),
            run_id=run_id or f"run-{next(self._numbers)}",
            tags=tags,
            start_at=None if start_at is None else round(start_at.timestamp() * 1000),
        )
        return TestRun(self._stage, started.run["id"])

    def run(self, run_id: str) -> TestRun:
        """Return a run that was started otherwise, e.g. by a fork."""
        return TestRun(self._stage, run_id)

    def _name_of(self, workflow: WorkflowFunction) -> str:
        for name in self.app.names():
            if self.app.get(name).fn is workflow:
                return name
        raise UnknownWorkflow(f"The application has no workflow {workflow.__name__}; it has {self.app.names()}.")

    # -- people ----------------------------------------------------------------------------------------------------

    def person(self, name: str, *, groups: Iterable[str] = ()) -> Person:
        """Return somebody who can be asked.

        Args:
            name: `user:alice`, or `alice` for short.
            groups: `group:finance`, or `finance` for short.
        """
        person = Person(self._stage, name, groups)
        self._people.append(person)
        return person

    def operator(self, name: str = "test") -> Person:
        """Return somebody who may answer without being asked."""
        person = Person(self._stage, name, operator=True)
        self._people.append(person)
        return person

    # -- time ------------------------------------------------------------------------------------------------------

    @property
    def clock(self) -> SettlingClock:
        """Return the clock that all goes by."""
        return self._time.clock

    @property
    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self._time.now

    async def advance(self, by: Duration) -> None:
        """Let time pass, with all that is due by then, and no more.

        Args:
            by: how long, e.g. `"2d"`.
        """
        await self._time.advance(self.clock.now_ms() + duration_ms(by))

    async def settled(self) -> None:
        """Wait until all has happened that can happen now; no time passes."""
        await self._time.settled()

    async def _ready(self) -> bool:
        """Tell whether a worker is about to take up a run, by itself and in real time."""
        due = await self.services.store.next_due(self.app.names())
        return due is not None and due <= self.clock.now_ms()

    # -- what goes wrong -------------------------------------------------------------------------------------------

    def crash(self, *, before: CommitMoment | None = None, after: CommitMoment | None = None) -> None:
        """Have the worker die as by `kill -9`; another one takes over at once.

        Args:
            before: die when this commit is about to be written.
            after: die when this commit is durable, and the worker does not know it yet.

        With neither it dies here and now. A commit is the worker's, named by its number, from 1 on and counted from
        now, or by what it writes: `"step.completed"`, `"step.completed charge:0"`; or it is `"answer"`, the next answer
        of a person.

        Example:
            >>> engine.crash(after="step.completed charge:0")
        """
        if before is not None:
            self._faults.plan(Crash(), before)
        if after is not None:
            self._faults.plan(Crash(after=True), after)
        if before is None and after is None:
            self._stage.lives.kill()

    @property
    def crashes(self) -> int:
        """Return how often the worker has died."""
        return self._stage.lives.deaths

    def lose_reply(self, of: CommitMoment = 1, *, written: bool = True) -> None:
        """Have the reply of a commit lost: the worker, or the person, does not learn what became of it.

        Args:
            of: which commit, as in `crash`; `"answer"`: the next answer of a person, who gets `OutcomeUnknown`.
            written: the commit has been written. Otherwise it was lost on its way.
        """
        self._faults.plan(LostReply(written), of)

    def delay(self, by: Duration, of: CommitMoment = 1) -> None:
        """Have a commit, or an answer, come that much later.

        Args:
            by: how long, e.g. `"5s"`. A lease lasts for 15 s, and a worker that is silent for longer loses the run.
            of: which one, as in `lose_reply`.
        """
        self._faults.plan(commit_delay(by), of)

    # -- everything else -------------------------------------------------------------------------------------------

    @property
    def services(self) -> Engine:
        """Return the engine itself, for what is not offered here: `engine.services.runs.list(…)`.

        Raises:
            RuntimeError: outside of the block, as everything that needs a running engine.
        """
        return self._stage.services

    @property
    def _stage(self) -> Stage:
        if self._opened is None:
            raise RuntimeError(
                "This engine does not run: use it within `async with TestEngine(app) as engine:`, or in a scenario for "
                "its `play`."
            )
        return self._opened


async def crash_everywhere(
    workflows: App | WorkflowFunction, scenario: Callable[[TestEngine], Coroutine[Any, Any, None]], **options: Any
) -> int:
    """Play a scenario again and again, each time with a worker that dies at another commit, before or after it.

    Args:
        workflows: an application, or a workflow.
        scenario: what happens, and what is asserted of it.
        options: of each `TestEngine`.

    Returns:
        how often the worker has died.

    Raises:
        Whatever the scenario raises; a note says at which commit the worker had died.

    Example:
        >>> await crash_everywhere(app, approved)
        14
    """
    for deaths in itertools.count():
        number, after = deaths // 2 + 1, deaths % 2 == 1
        moment = {"after": number} if after else {"before": number}
        async with TestEngine(workflows, **options) as engine:
            engine.crash(**moment)
            try:
                await scenario(engine)
            except Exception as error:
                if engine.crashes:
                    error.add_note(f"The worker had died {'after' if after else 'before'} its commit {number}.")
                raise
            if not engine.crashes:
                return deaths
    raise AssertionError("commits are counted for ever")


def _app_of(workflows: Sequence[App | WorkflowFunction]) -> App:
    if len(workflows) == 1 and isinstance(workflows[0], App):
        return workflows[0]
    app = App()
    for workflow in workflows:
        if isinstance(workflow, App):
            raise TypeError("A TestEngine takes one App, or workflow functions; not both, and not several Apps.")
        app.workflow(workflow)
    return app
