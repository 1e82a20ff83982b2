"""How the code itself makes outputs, writes to them and closes them: each is a step, so a replay does nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from signoff.names import check_name
from signoff.paths import output_path
from signoff.workflow.offer import Offer
from signoff.workflow.step.ask import Steps
from signoff.workflow.step.current import current_step
from signoff.workflow.step.output import OutputFormat

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands
    from signoff.workflow.futures import StepFuture


class RunOutput:
    """An output of the run, made and there.

    Steps write to it by `current_step().output(name, keep_open=True)`.

    Attributes:
        name: of the output.
        path: of its stream, below the stream root; it may be published.
    """

    __slots__ = ("_commands", "_format", "name", "path")

    def __init__(self, commands: Commands, name: str, format: OutputFormat) -> None:  # noqa: A002
        self.name = name
        self.path = output_path(commands.run_id, name)
        self._commands = commands
        self._format = format

    def write(self, *values: Any) -> StepFuture[None]:
        """Write some messages together, as the step `write.NAME`."""
        step = f"write.{self.name}"
        return Steps(self._commands).step(step, _write, self.name, self._format, values, close=False)

    def close(self) -> StepFuture[None]:
        """Close it, as the step `close.NAME`; what was closed stays so."""
        step = f"close.{self.name}"
        return Steps(self._commands).step(step, _write, self.name, self._format, (), close=True)


class RunOutputs(Offer):
    """Outputs of the run, made by its code."""

    __slots__ = ()

    async def output(self, name: str, *, format: OutputFormat = "json") -> RunOutput:  # noqa: A002
        """Make an output of the run, the stream `runs/{run_id}/out/{name}`, by the step `output.NAME`.

        When this returns it is there, whoever is told of it. It stays open until the code closes it, or the run ends.

        Args:
            name: explicit and stable, at most 121 characters long. The same name gives the same output.
            format: see `StepInfo.output`.

        Raises:
            StepFailed: there is one of another format.

        Example:
            >>> out = await ctx.output("log", format="text")
            >>> ctx.put_row("build", "1", {"log": out.path})
            >>> await ctx.step("build", build, out.name)
            >>> await out.close()
        """
        check_name(f"output.{name}", "name of the step for an output")
        await Steps(self._commands).step(f"output.{name}", _write, name, format, (), close=False)
        return RunOutput(self._commands, name, format)


async def _write(name: str, format: OutputFormat, values: Any, *, close: bool) -> None:  # noqa: A002
    async with current_step().output(name, format=format, keep_open=True) as out:
        for value in values:
            await out.write(value)
        if close:
            await out.close()
