"""Measure how long it takes from `signoff dev` in a fresh folder to the first request on screen, in its parts.

Usage: python bench/start.py [--rounds N] [--json]

Needs `make setup` and a Chromium, which is running before the clock does. A file of twenty lines is all there is; the
run is started as soon as the server says that it listens, and the console is opened then.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from screen import ARGUMENTS, LIST, call

FLOW = '''"""Ask a person before anything is paid."""

from pydantic import BaseModel, Field

from signoff import App, Context

app = App()


class Why(BaseModel):
    """What is said to decline."""

    reason: str = Field(min_length=3)


@app.workflow
async def payment(ctx: Context, what: str) -> str:
    """Ask the team."""
    actions = {"approve": None, "decline": Why}
    answer = await ctx.await_input("approve", actions=actions, title=f"Pay {what}?", to=["group:team"])
    return answer.action
'''

WATCH = """
(() => {
  const at = () => performance.timeOrigin + performance.now();
  const seen = (name, found) => {
    if (window[name] !== undefined || !found()) return;
    window[name] = 0;
    requestAnimationFrame(() => { window[name] = at(); });
  };
  new MutationObserver(() => {
    seen("page", () => document.querySelector(".bar") !== null);
    seen("request", () => document.querySelector(`LIST li`) !== null);
  }).observe(document, { subtree: true, childList: true });
})();
""".replace("LIST", LIST)


DRAWN = "() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(() => done(null))); })"
"""Waits until what is in the document now is on screen."""


def used_s(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def once(browser: Any) -> dict[str, float]:
    """Start in a fresh folder; return what each part took, in milliseconds."""
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as place:
        folder = Path(place)
        (folder / "flow.py").write_text(FLOW)
        said = folder / "said"
        context = browser.new_context()
        context.add_init_script(WATCH)
        page = context.new_page()
        begin = time.time() * 1000
        command = [sys.executable, "-m", "signoff.cli", "dev", "flow:app", "--port", "0"]
        with said.open("w") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process:
            try:
                while not (found := re.search(r"http://[\d.]+:(\d+)", said.read_text())):
                    assert process.poll() is None, said.read_text()
                    time.sleep(0.005)
                port, listening, busy = int(found[1]), time.time() * 1000, used_s(process.pid) * 1000
                call(port, "POST", "/v1/runs", {"workflow": "payment", "run_id": "r", "input": "the hotel"})
                started = time.time() * 1000
                page.goto(f"http://127.0.0.1:{port}/console/?as=alice&groups=team")
                page.locator(f"{LIST} li").wait_for()
                page.evaluate(
                    "() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); })"
                )
                shell, shown = page.evaluate("[page, request]")
            finally:
                process.kill()
        context.close()
    return {
        "signoff dev to listening": listening - begin,
        "of that, processor time": busy,
        "a run is started": started - listening,
        "page asked for to its frame on screen": shell - started,
        "frame to the request on screen": shown - shell,
        "signoff dev to the request on screen": shown - begin,
    }


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=7, metavar="N")
    options.add_argument("--json", action="store_true")
    args = options.parse_args()
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        once(browser)
        taken = [once(browser) for _ in range(args.rounds)]
        browser.close()
    figures = {name: [one[name] for one in taken] for name in taken[0]}
    if args.json:
        print(json.dumps(figures))
        return
    print("milliseconds: fastest, median, slowest")
    for name, values in figures.items():
        print(f"  {name:40} {min(values):7.0f} {statistics.median(values):7.0f} {max(values):7.0f}")


if __name__ == "__main__":
    main()
