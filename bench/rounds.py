"""A workflow that asks again and again, for what is measured in pages.

signoff dev rounds:app

With `SIGNOFF_BENCH_TIMES` in the environment the worker writes into that file when it has got each answer and when what
came of it is durable: `RUN WHAT MILLISECONDS`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from signoff import App, Context
from signoff.runtime import worker
from signoff.runtime.logs import LogObserver
from signoff.runtime.observe import AnswerReceived, EntriesCommitted, Observation

app = App()

if times := os.environ.get("SIGNOFF_BENCH_TIMES"):
    file = Path(times).open("a", buffering=1)  # noqa: SIM115 (for as long as the process lives)

    class Noting(LogObserver):
        """The worker's log, which notes the times beside."""

        def observe(self, event: Observation) -> None:
            """Write down when something was observed."""
            if isinstance(event, AnswerReceived | EntriesCommitted):
                file.write(f"{event.run_id} {type(event).__name__} {time.time() * 1000:.1f}\n")
            super().observe(event)

    worker.LogObserver = Noting  # type: ignore[attr-defined]


@app.workflow
async def rounds(ctx: Context, number: int) -> None:
    """Ask again and again."""
    n = 0
    while True:
        await ctx.await_input(
            "approve", actions={"approve": None, "reject": None}, title=title(number, n), to=["group:finance"]
        )
        n += 1


@app.workflow
async def once(ctx: Context, number: int) -> None:
    """Ask once."""
    await ctx.await_input("approve", actions={"approve": None}, title=title(number, 0), to=["group:finance"])


def title(number: int, n: int) -> str:
    """Name a request."""
    return f"Request {number:03}, round {n}?"
