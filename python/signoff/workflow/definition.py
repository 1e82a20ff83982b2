"""Workflows by name: the registry an application fills and a worker runs."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, overload

from signoff.errors import DeterminismWarning, NotAllowedInWorkflow, UnknownWorkflow, UnsupportedValue
from signoff.names import check_name, check_texts
from signoff.workflow import codec
from signoff.workflow.entry import PYTHON, Encoded
from signoff.workflow.notice import KINDS, OnRequest, RequestEventKind, RequestFunction
from signoff.workflow.run.entries import RunDescribed, RunStarted
from signoff.workflow.source import findings
from signoff.workflow.step.types import evaluate

MOST_TAGS = 32
"""Tags a workflow gives its runs, each of 128 characters at most: as many as whoever starts one may give."""

F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])
N = TypeVar("N", bound="OnRequest")
Exposable = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class WorkflowDefinition:
    """A workflow: its code, and what its runs are like.

    Attributes:
        name, version: as in its runs.
        fn: the coroutine function.
        input_type: what the input is read as (Any if not annotated); None: it takes no input.
        output_type: what it returns; Any if not annotated.
        expose: what of its runs browsers may see.
        tags: given to its runs.
        defaults: the input has a default, which stands for an input of null.
    """

    name: str
    version: str
    fn: Callable[..., Coroutine[Any, Any, Any]]
    input_type: Any
    output_type: Any
    expose: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    defaults: bool = False

    def describe(self, started: RunStarted, at: int) -> RunDescribed | None:
        """Return what this definition adds to a run that was started without it; None: nothing.

        Args:
            started: the run's first entry.
            at: now, in milliseconds.
        """
        adds = set(self.expose) - set(started.expose) or set(self.tags) - set(started.tags)
        python = None if started.python in {None, PYTHON} else PYTHON
        if not adds and self.version == started.version and python is None:
            return None
        shown = self._shown(started.input) if "input" in self.expose else None
        return RunDescribed(at, self.version, tags=self.tags, expose=self.expose, input=shown, python=python)

    def _shown(self, encoded: Encoded) -> Encoded:
        """Return an input as people see it: as its type shows itself, and nothing if it is not of that type."""
        if self.input_type is None or self.input_type is Any:
            return encoded
        try:
            return codec.encode(codec.public_json(codec.receive(encoded, self.input_type)))
        except (UnsupportedValue, TypeError):
            return None

    def arguments(self, encoded: Encoded, *, again: bool = False) -> tuple[Any, ...]:
        """Return what the function gets after the context: the input, or nothing if it takes none or has a default.

        Args:
            encoded: the input as the journal has it; null and no input are the same.
            again: it was read before, and is not judged by the clock anew.

        Raises:
            UnsupportedValue: it does not fit the type; `extra["errors"]` tells where.
            Exception: whatever else reading the type raised; it may be anybody's code.
        """
        if not self.takes_input or (encoded is None and self.defaults):
            return ()
        return (codec.receive(encoded, self.input_type, again=again),)

    @property
    def takes_input(self) -> bool:
        """Tell whether the function has a parameter after the context."""
        return self.input_type is not None


class App:
    """An application's workflows.

    Registering one reads its source for what cannot be the same in every replay (the clock, chance, the order of sets)
    and for what is never awaited, and warns with file and line.

    Args:
        strict: refuse such a workflow instead.

    Example:
        >>> app = App()
        >>> @app.workflow
        ... async def expense(ctx: Context, claim: Claim) -> Receipt: ...
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._workflows: dict[str, WorkflowDefinition] = {}
        self.listeners: dict[str, RequestFunction] = {}

    @overload
    def workflow(self, fn: F, /) -> F: ...
    @overload
    def workflow(
        self,
        /,
        *,
        name: str | None = None,
        version: str = "1",
        expose: Sequence[Exposable] = (),
        tags: Sequence[str] = (),
    ) -> Callable[[F], F]: ...
    def workflow(
        self,
        fn: Any = None,
        /,
        *,
        name: str | None = None,
        version: str = "1",
        expose: Sequence[Exposable] = (),
        tags: Sequence[str] = (),
    ) -> Any:
        """Register a coroutine function as a workflow; it stays what it was.

        Args:
            name: the function's name if None.
            version: stands in its runs.
            expose: which of `input` and `output` browsers may see.
            tags: given to its runs.

        Raises:
            InvalidName: the name is malformed.
            TypeError, ValueError: the function is not async or has too many parameters; the name is taken.
            NotAllowedInWorkflow: the application is strict, and something was found in the function.
        """
        local = sys._getframe(1).f_locals

        def register(function: F) -> F:
            definition = define(function, name, version=version, expose=expose, tags=tags, local=local)
            self._check_free(definition)
            _look(definition, strict=self._strict)
            self._workflows[definition.name] = definition
            return function

        return register if fn is None else register(fn)

    def include(self, other: App) -> None:
        """Take the workflows of another application, as one that a package brings along.

        Args:
            other: what is registered there later is not taken.

        Raises:
            ValueError: one of its names is taken here; nothing was included.

        Example:
            >>> from signoff.mcp import asks
            >>> app.include(asks)
        """
        for definition in other._workflows.values():
            self._check_free(definition)
        self._workflows.update(other._workflows)

    def _check_free(self, definition: WorkflowDefinition) -> None:
        known = self._workflows.get(definition.name)
        if known is not None and known.fn is not definition.fn:
            raise ValueError(f"There are two workflows called {definition.name}; give one of them a name=.")

    @overload
    def on_request(self, fn: N, /) -> N: ...
    @overload
    def on_request(
        self,
        /,
        *,
        name: str | None = None,
        workflows: Sequence[str] | None = None,
        events: Sequence[RequestEventKind] | None = None,
    ) -> Callable[[N], N]: ...
    def on_request(
        self,
        fn: Any = None,
        /,
        *,
        name: str | None = None,
        workflows: Sequence[str] | None = None,
        events: Sequence[RequestEventKind] | None = None,
    ) -> Any:
        """Have a function called with what happens to requests for input: to tell people where they read.

        It runs in a worker's process, outside of workflow code, and never holds a run back. It is called at least once
        per event, in order for each request; one that raises, or takes longer than 10 seconds, is called again later
        with an event of the same `id`. One that is not async runs in a thread.

        Args:
            fn: takes a `RequestEvent`; async or not.
            name: the function's name if None; its progress is kept under it.
            workflows: the only ones whose requests it is told of; None: all.
            events: the only events it is told of; None: all.

        Raises:
            InvalidName: the name is malformed.
            ValueError: the name is taken, or there is no such event.

        Example:
            >>> @app.on_request(events=["asked", "reminded"])
            ... async def tell(event: RequestEvent) -> None:
            ...     await chat.say(f"{event.title}: for {', '.join(event.to)}")
        """

        def register(function: N) -> N:
            label = check_name(name or getattr(function, "__name__", ""), "name of a function told of requests")
            for what, given, example in (("workflows", workflows, '["expense"]'), ("events", events, '["asked"]')):
                if given is not None:
                    check_texts(given, f"`{what}` of on_request()", f"{what}={example}")
            if unknown := set(events or ()) - set(KINDS):
                raise ValueError(f"There is no event {unknown.pop()!r} of requests; there are {', '.join(KINDS)}.")
            known = self.listeners.get(label)
            if known is not None and known.fn is not function:
                raise ValueError(f"Two functions called {label} are told of requests; give one of them a name=.")
            only = None if workflows is None else frozenset(workflows)
            kinds = None if events is None else frozenset(events)
            self.listeners[label] = RequestFunction(label, function, only, kinds)
            return function

        return register if fn is None else register(fn)

    def find(self, name: str) -> WorkflowDefinition | None:
        """Return a workflow, or None if none of this name is registered."""
        return self._workflows.get(name)

    def get(self, name: str) -> WorkflowDefinition:
        """Return a workflow.

        Raises:
            UnknownWorkflow: none of this name is registered.
        """
        try:
            return self._workflows[name]
        except KeyError:
            known = ", ".join(sorted(self._workflows)) or "none"
            raise UnknownWorkflow(f"There is no workflow {name!r:.140} here; known: {known}.") from None

    def names(self) -> tuple[str, ...]:
        """Return the names of all workflows."""
        return tuple(self._workflows)


def _look(definition: WorkflowDefinition, *, strict: bool) -> None:
    found = findings(definition.fn)
    if strict and found:
        lines = "\n".join(f"  {one}" for one in found)
        raise NotAllowedInWorkflow(
            f"The workflow {definition.name} does what workflow code must not do:\n{lines}\n"
            "Mend it, or write the comment `# signoff: deterministic` on a line that is right as it is."
        )
    for one in found:
        category = RuntimeWarning if one.unawaited else DeterminismWarning
        what = f"{one.what} (workflow {definition.name})"
        warnings.warn_explicit(what, category, one.filename, one.line, definition.fn.__module__)


def define(
    fn: Callable[..., Coroutine[Any, Any, Any]],
    name: str | None = None,
    *,
    version: str = "1",
    expose: Sequence[str] = (),
    tags: Sequence[str] = (),
    local: dict[str, Any] | None = None,
) -> WorkflowDefinition:
    """Make a definition of a coroutine function without registering it.

    Raises:
        InvalidName, TypeError, ValueError: as `App.workflow`.
    """
    label = check_name(name or getattr(fn, "__name__", ""), "workflow name")
    if not inspect.iscoroutinefunction(fn):
        raise TypeError(f"The workflow {label} must be an `async def` function.")
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = list(inspect.signature(fn).parameters.values())
    if not 1 <= len(parameters) <= 2 or any(parameter.kind not in kinds for parameter in parameters):
        raise TypeError(f"The workflow {label} must take the context and at most one input: async def {label}(ctx, x).")
    check_texts(expose, f"`expose` of the workflow {label}", 'expose=["output"]')
    check_texts(tags, f"`tags` of the workflow {label}", 'tags=["eu"]')
    if wrong := set(expose) - {"input", "output"}:
        raise ValueError(f"A workflow can expose input and output, not {wrong.pop()!r}.")
    if len(tags) > MOST_TAGS or any(not (isinstance(tag, str) and 1 <= len(tag) <= 128) for tag in tags):
        raise ValueError(f"The workflow {label} may have {MOST_TAGS} tags, each a text of 1 to 128 characters.")
    return WorkflowDefinition(
        label,
        version,
        fn,
        evaluate(fn, parameters[1].name, local) if len(parameters) == 2 else None,
        evaluate(fn, "return", local),
        tuple(expose),
        tuple(tags),
        defaults=len(parameters) == 2 and parameters[1].default is not inspect.Parameter.empty,
    )
