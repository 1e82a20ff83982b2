"""What a step writes while it runs: what the code sees of it; who writes it is the runtime's business."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final, Literal, Protocol, Self

from signoff.frozen import frozen
from signoff.names import check_name
from signoff.paths import output_path

OutputFormat = Literal["json", "text", "ui-message"]

CONTENT_TYPES: Final[dict[str, str]] = {
    "json": "application/json",
    "ui-message": "application/json",
    "text": "text/plain; charset=utf-8",
}
"""What the streams of each format hold."""


def path_of(run_id: str, name: str) -> str:
    """Return the path of an output.

    Raises:
        InvalidName: it cannot be called so.
    """
    return output_path(run_id, check_name(name, "name of an output"))


@frozen
class OutputSession:
    """The right of one attempt of a step to write to an output of its run, until a later one writes.

    Attributes:
        path: of the stream.
        producer: the step.
        epoch: of the producer, chosen by the engine.
        content_type: of the stream.
        again: an earlier attempt has written to it.
    """

    path: str
    producer: str
    epoch: int
    content_type: str
    again: bool = False


class Output(Protocol):
    """An output of a run, for one attempt of a step.

    In an async step its methods are awaited; in a sync one they are called, and block where the other would wait.

    Attributes:
        name: as it was asked for.
        path: of the stream, below the stream root.
    """

    name: str
    path: str

    @property
    def again(self) -> bool:
        """Tell whether an earlier attempt of the step has written to this output; known once the block is entered."""
        ...

    def write(self, value: Any) -> Awaitable[None]:
        """Write one message, or in a `text` output a piece of text; wait only if very much is on its way.

        What waits is written together: at the latest 30 ms after it was handed in.

        Raises (when awaited):
            ProducerFenced: a later attempt of the step writes now; this one is to end.
            PayloadTooLarge: one value is larger than an append may be.
            StoreError: the store cannot be reached.
            TypeError: the value is no JSON, or in a `text` output no text.
        """
        ...

    def flush(self) -> Awaitable[None]:
        """Wait until all that was written is durable."""
        ...

    def shown(self) -> Awaitable[list[Any]]:
        """Return what readers have by now of a `json` or `ui-message` output, by any step and attempt."""
        ...

    def close(self) -> Awaitable[None]:
        """Write what waits and close the stream, also one that is kept open: readers are at its end."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, kind: object, error: object, trace: object, /) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: object, error: object, trace: object, /) -> None: ...


class StepOutputs(Protocol):
    """The outputs of one attempt of a step."""

    def open(self, name: str, format: OutputFormat, *, keep_open: bool) -> Output:  # noqa: A002
        """Return the output of this name; see `StepInfo.output`."""
        ...

    async def read_file(self, file: str) -> bytes:
        """Return the bytes of a file of the run; see `StepInfo.read_file`."""
        ...

    def read_file_sync(self, file: str) -> bytes:
        """Return the same, in a thread of its own."""
        ...
