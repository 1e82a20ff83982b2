"""Measure how long it takes from a click in one browser to the next state on screen in another.

Usage: python bench/screen.py [--page console|example] [--rounds N] [--listed N] [--json]

Needs `make setup` and a Chromium. `signoff dev` runs over a fresh embedded store; as many runs ask as are to be listed.
Two people, each in a browser context of their own, have the list and one and the same request open. One of them presses
"Approve"; the run then asks anew. What is measured is read in the pages themselves: the click by the time stamp of its
event, the screen by the animation frame that follows the change of the document. The
worker writes down when it has got the answer, and when the next request is durable.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from rounds import title

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "react-approval" / "dist"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
LIST = 'ul[aria-label="Requests waiting for you"]'

WATCH = """
(() => {
  const at = (now) => performance.timeOrigin + now;
  const marks = (window.marks = {});
  const first = (name, now = performance.now()) => { marks[name] ??= at(now); };
  addEventListener("click", (event) => first("click", event.timeStamp), true);
  const { fetch } = window;
  window.fetch = async (...args) => {
    const answers = String(args[0]).endsWith("/answer");
    if (answers) first("sent");
    const reply = await fetch(...args);
    if (answers) first("accepted");
    return reply;
  };
  // Both of what a connection's text and its bytes are read with; who is first has it.
  const { read } = ReadableStreamDefaultReader.prototype;
  ReadableStreamDefaultReader.prototype.read = function () {
    const reading = read.call(this);
    void reading.then(({ value }) => {
      if (window.wanted === undefined || marks.heard !== undefined || typeof value !== "string") return;
      if (value.includes(window.wanted)) first("heard");
    }, () => undefined);
    return reading;
  };
  const shown = (name, found) => {
    if (marks[name] !== undefined || !found()) return;
    first(name);
    requestAnimationFrame(() => {
      first(`${name} painted`);
      if (marks["decided painted"] !== undefined && marks["next painted"] !== undefined) window.allShown();
    });
  };
  new MutationObserver(() => {
    if (window.wanted === undefined) return;
    shown("decided", () => (document.querySelector(".signoff-decision")?.textContent ?? "").includes("chose")
      || (document.querySelector(".signoff-decision")?.textContent ?? "").includes("approved this"));
    shown("next", () => (document.querySelector(`LIST li`)?.textContent ?? "").includes(window.wanted));
  }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
})();
""".replace("LIST", LIST)


BEGIN = """(text) => {
  for (const name in marks) delete marks[name];
  window.shown = new Promise((done) => { window.allShown = done; });
  window.wanted = text;
}"""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, int]]:
    """Start `signoff dev` over an empty store; yield its port and its process id."""
    command = [sys.executable, "-m", "signoff.cli", "dev", "rounds:app", "--port", "0", "--data", str(folder)]
    said, environment = folder / "said", {**os.environ, "SIGNOFF_BENCH_TIMES": str(folder / "times")}
    with (
        said.open("w") as log,
        subprocess.Popen(
            [*command, "--page", str(EXAMPLE)], cwd=HERE, stdout=log, stderr=log, env=environment
        ) as process,
    ):
        try:
            while not (found := re.search(r"http://[\d.]+:(\d+)", said.read_text())):
                assert process.poll() is None, said.read_text()
                time.sleep(0.05)
            yield int(found[1]), process.pid
        finally:
            process.kill()


def call(port: int, method: str, path: str, body: Any = None) -> Any:
    """Call the API as the local operator."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, json.dumps(body), {"content-type": "application/json"})
    return json.loads(connection.getresponse().read())


def open_page(browser: Any, page: str, port: int, who: str) -> Any:
    """Open the list as somebody, in a context of their own."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(30_000)
    context.add_init_script(WATCH)
    opened = context.new_page()
    where = f"console/?as={who}&groups=finance" if page == "console" else f"?as={who}"
    opened.goto(f"http://127.0.0.1:{port}/{where}")
    opened.locator(f"{LIST} li").first.wait_for()
    return opened


def go(page: Any, kind: str, run_id: str, n: int) -> None:
    """Open a request beside the list, as a link does."""
    at = f"#/inbox/{run_id}/approve%3A{n}" if kind == "console" else f"#/request/{run_id}/approve%3A{n}"
    page.evaluate("at => { location.hash = at; }", at)


PARTS = {
    "click to request sent": ("click", "sent"),
    "sent to the answer durable and at the worker": ("sent", "AnswerReceived"),
    "at the worker to the next request durable": ("AnswerReceived", "EntriesCommitted"),
    "durable to heard by the other page": ("EntriesCommitted", "heard"),
    "heard to the change of the document": ("heard", "next"),
    "change to frame": ("next", "next painted"),
    "click to accepted": ("click", "accepted"),
    "click to the decision on the other screen": ("click", "decided painted"),
    "click to the next request on the other screen": ("click", "next painted"),
}
"""From which mark to which, in the order in which they come; see rounds.py for the worker's."""


def one_round(here: Any, there: Any, kind: str, number: int, times: Path, session: Any) -> dict[str, float]:
    """Answer one request; return the milliseconds of each part, and of processor time of the other page."""
    run_id, wanted = f"r{number:03}", title(number, 1)
    for page in (here, there):
        go(page, kind, run_id, 0)
    button = here.get_by_role("button", name="Approve", exact=True)
    button.wait_for()
    there.get_by_role("button", name="Approve", exact=True).wait_for()
    here.wait_for_timeout(1_300)  # a button that has just come takes no click yet
    for page in (here, there):
        page.evaluate(BEGIN, wanted)
    before = work_of(session)
    button.click()
    there.evaluate("() => window.shown")
    after = work_of(session)
    marks = there.evaluate("marks") | {name: here.evaluate("marks")[name] for name in ("click", "sent", "accepted")}
    marks |= written(times, run_id, marks["click"])
    parts = {name: marks[end] - marks[begin] for name, (begin, end) in PARTS.items()}
    return parts | {f"other page's processor: {name}": after[name] - before[name] for name in after}


def written(times: Path, run_id: str, after: float) -> dict[str, float]:
    """Return what the worker has written down of a run after a moment; it may do so after the page."""
    found: dict[str, float] = {}
    deadline = time.monotonic() + 10
    while len(found) < 2:
        assert time.monotonic() < deadline, f"{run_id}: {found}"
        lines = (line.split() for line in times.read_text().splitlines())
        found = {what: float(at) for run, what, at in lines if run == run_id and float(at) > after}
    return found


def work_of(session: Any) -> dict[str, float]:
    """Return the processor time of a page's main thread so far, in milliseconds."""
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return {name: metrics[f"{name}Duration"] * 1000 for name in ("Task", "Script", "RecalcStyle", "Layout")}


def measure(kind: str, listed: int, count: int) -> dict[str, Any]:
    """Answer `count` requests before the eyes of another; return the parts of each round and the other page's work."""
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as folder, serving(Path(folder)) as (port, _):
        for number in range(listed):
            call(port, "POST", "/v1/runs", {"workflow": "rounds", "run_id": f"r{number:03}", "input": number})
        while not call(port, "GET", f"/v1/runs/r{listed - 1:03}")["inputs"]:
            time.sleep(0.1)
        times = Path(folder) / "times"
        with sync_playwright() as playwright:
            path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            here, there = (open_page(browser, kind, port, who) for who in ("alice", "bora"))
            session = there.context.new_cdp_session(there)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            taken = [one_round(here, there, kind, number, times, session) for number in range(count + 2)]
            browser.close()
    return {name: [one[name] for one in taken[2:]] for name in taken[0]}


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--page", choices=("console", "example"), default="console")
    options.add_argument("--rounds", type=int, default=30, metavar="N")
    options.add_argument("--listed", type=int, default=250, metavar="N", help="requests in the list")
    options.add_argument("--json", action="store_true")
    args = options.parse_args()
    found = measure(args.page, args.listed, args.rounds)
    figures = {
        name: (statistics.median(values), statistics.quantiles(values, n=10)[8], max(values))
        for name, values in found.items()
    }
    if args.json:
        print(json.dumps(figures))
        return
    print(f"{args.page}, {args.listed} requests listed, {args.rounds} rounds; milliseconds: p50, p90, max")
    for name, (median, ninth, most) in figures.items():
        print(f"  {name:50} {median:7.1f} {ninth:7.1f} {most:7.1f}")


if __name__ == "__main__":
    main()
