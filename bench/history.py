"""Measure whether the inbox's first paint depends on how many runs have asked and ended before.

Usage: python bench/history.py [--ended N] [--rounds N] [--json]

Needs `make setup` and a Chromium. Two servers, one with 100 ended runs and one with many, all of which have asked the
same people, each with fifty requests that wait; the console is opened on one and the other in turns, each time in a
context of its own, so that nothing is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from engine import OPERATOR
from playwright.sync_api import sync_playwright
from rounds import app
from screen import ARGUMENTS, LIST, serving
from start import DRAWN, WATCH, used_s

from signoff.runtime.worker import Worker
from signoff.service.engine import Engine
from signoff.stores.open import open_store
from signoff.workflow.input.submission import AnswerRequest

WAITING = 50
FEW = 100


async def fill(folder: Path, ended: int) -> None:
    """Let so many runs ask, be answered and end, and then fifty ask and wait, all of the same people."""
    engine = await Engine.open(open_store(f"sqlite:///{folder / 'signoff.db'}"))
    worker = Worker(app, engine)
    task = asyncio.create_task(worker.run())
    for begin in range(0, ended, 250):
        names = [f"e{number:06}" for number in range(begin, min(ended, begin + 250))]
        await asyncio.gather(*(engine.runs.start("once", 1, run_id=name) for name in names))
        await reached(engine, names, "waiting")
        await asyncio.gather(*(answer(engine, name) for name in names))
        await reached(engine, names, "completed")
    names = [f"w{number:03}" for number in range(WAITING)]
    await asyncio.gather(*(engine.runs.start("rounds", 1, run_id=name) for name in names))
    await reached(engine, names, "waiting")
    await worker.drain()
    await task
    await engine.close()


async def answer(engine: Engine, run_id: str) -> None:
    """Approve what a run asks."""
    row = await engine.inputs.get(run_id, "approve:0")
    request = AnswerRequest(f"bench-{run_id}", "approve", None, row["revised"])
    await engine.inputs.answer(run_id, "approve:0", request, OPERATOR)


async def reached(engine: Engine, names: list[str], status: str) -> None:
    """Wait until all of these runs have a status."""
    for name in names:
        while (await engine.runs.get(name))["status"] != status:
            await asyncio.sleep(0.005)


def visit(browser: Any, port: int, pid: int) -> dict[str, float]:
    """Open the console; return when what was on screen, in milliseconds after it was asked for."""
    context = browser.new_context()
    context.add_init_script(WATCH)
    page = context.new_page()
    before = used_s(pid)
    page.goto(f"http://127.0.0.1:{port}/console/?as=alice&groups=finance")
    page.locator(f"{LIST} li").first.wait_for()
    page.evaluate(DRAWN)
    shell, shown, begun = page.evaluate("[page, request, performance.timeOrigin]")
    page.wait_for_timeout(300)
    context.close()
    return {"frame": shell - begun, "list": shown - begun, "server": (used_s(pid) - before) * 1000}


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ended", type=int, default=20_000, metavar="N")
    options.add_argument("--rounds", type=int, default=15, metavar="N")
    options.add_argument("--json", action="store_true")
    args = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as few, tempfile.TemporaryDirectory() as many:
        asyncio.run(fill(Path(few), FEW))
        asyncio.run(fill(Path(many), args.ended))
        with serving(Path(few)) as first, serving(Path(many)) as second, sync_playwright() as playwright:
            path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            taken: dict[int, list[dict[str, float]]] = {FEW: [], args.ended: []}
            for number in range(args.rounds + 1):
                for ended, where in ((FEW, first), (args.ended, second)):
                    found = visit(browser, *where)
                    if number > 0:
                        taken[ended].append(found)
            browser.close()
    figures = {
        ended: {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        for ended, rounds in taken.items()
    }
    if args.json:
        print(json.dumps(figures))
        return
    for ended, found in figures.items():
        parts = ", ".join(f"{name} {value:.0f} ms" for name, value in found.items())
        print(f"{ended:>7,} ended runs, median of {args.rounds}: {parts} (the server's is processor time)")


if __name__ == "__main__":
    main()
