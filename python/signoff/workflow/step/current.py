"""What a step knows of itself while it runs."""

from __future__ import annotations

from contextvars import Context, ContextVar, Token
from dataclasses import dataclass, field
from typing import Any

from signoff.workflow.step.output import Output, OutputFormat, StepOutputs


@dataclass(frozen=True, slots=True)
class StepInfo:
    """Which step is running.

    Attributes:
        attempt: from 1.
        outputs: where the attempt writes while it runs; None: nowhere, as in a test that runs the function alone.
    """

    run_id: str
    name: str
    n: int
    attempt: int
    outputs: StepOutputs | None = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> str:
        """Return what stays the same over all attempts: an idempotency key for effects in the world."""
        return f"{self.run_id}/{self.name}:{self.n}"

    def output(self, name: str, *, format: OutputFormat = "json", keep_open: bool = False) -> Output:  # noqa: A002
        """Return an output of the run, the stream `runs/{run_id}/out/{name}`, to write to while the step runs.

        Whoever may read the run reads it, live and from any place. It is made when it is first written to, if nobody
        has made it before (`ctx.output`), and closed with the step: when it completes, and when its last attempt fails.

        Args:
            name: of the output, as a step's. The same name gives the same output.
            format: `json`: each value that is written is a message; `text`: lines of a log, as `text/plain`;
                `ui-message`: chunks of the AI SDK's UI message stream (`signoff.aisdk`).
            keep_open: others write to it after this step: the workflow closes it, or the end of the run does.

        Raises:
            InvalidName: it is no name.
            RuntimeError: the step is not run by a worker.

        Example:
            >>> async def model(prompt: str) -> str:
            ...     async with current_step().output("tokens") as out:
            ...         async for token in stream(prompt):
            ...             await out.write(token)
        """
        if self.outputs is None:
            raise RuntimeError("current_step().output() needs a worker that runs the step; nothing was written.")
        return self.outputs.open(name, format, keep_open=keep_open)

    async def read_file(self, file: str) -> bytes:
        """Return the bytes of a file of the run, in an async step; mostly it is asked for by `Attachment.read`.

        Args:
            file: the id of the file, the last segment of its stream's path.

        Raises:
            NotFound: the run has no such file.
            RuntimeError: the step is not run by a worker.
        """
        return await self._outputs.read_file(file)

    def read_file_sync(self, file: str) -> bytes:
        """Return the bytes of a file of the run, in a step that runs in a thread; see `read_file`."""
        return self._outputs.read_file_sync(file)

    @property
    def _outputs(self) -> StepOutputs:
        if self.outputs is None:
            raise RuntimeError("A file is read in a step that a worker runs; nothing was read.")
        return self.outputs


_OF_THE_LOOP = frozenset(("decimal_context", "current_async_library_cvar"))

_current: ContextVar[StepInfo] = ContextVar("signoff_step")


def current_step() -> StepInfo:
    """Return which step is running; call it inside a step function.

    Raises:
        RuntimeError: no step is running here.
    """
    try:
        return _current.get()
    except LookupError:
        raise RuntimeError("current_step() answers only inside a function that runs as a step.") from None


class EnteredStep:
    """The time in which `current_step()` answers `info` and context variables are seen; for whoever executes steps.

    Args:
        variables: what the workflow's code had set when it asked for the step (`StepCall.context`). What the step sets
            never comes back there.
    """

    __slots__ = ("_before", "_info", "_variables")

    def __init__(self, info: StepInfo, variables: Context | None = None) -> None:
        self._info = info
        self._variables = variables

    def __enter__(self) -> None:
        # What a workflow's loop keeps for itself is not for the step: it runs on a loop, and with numbers, of its own.
        given = [(var, value) for var, value in (self._variables or {}).items() if var.name not in _OF_THE_LOOP]
        self._before: list[tuple[ContextVar[Any], Token[Any]]] = [(var, var.set(value)) for var, value in given]
        self._before.append((_current, _current.set(self._info)))

    def __exit__(self, _kind: object, _error: object, _trace: object) -> None:
        for var, before in reversed(self._before):
            var.reset(before)
