"""Servers and workers started by the command, people who answer by way of them, and what is done to them meanwhile.

Everything is reached by a store's URL, so a backend is one parameter; what can be done to a backend's own server is one
more trouble.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import IO

import httpx

from signoff.testing.histories import Recorder
from tests.cli.commands import Running, children, environment, running, until
from tests.servers import Proxy

FLOW = """
import os
from dataclasses import dataclass
from signoff import App, Context, current_step

app = App()

@dataclass
class Amount:
    amount: int

async def add_one(number: int) -> int:
    with open("effects", "a") as file:
        file.write(f"{current_step().key}\\n")
    return number + 1

@app.workflow(expose=("output",))
async def claim(ctx: Context, number: int) -> list[int]:
    first = await ctx.step("first", add_one, number)
    asked = await ctx.await_input("approve", Amount, title=f"How much for {number}?", to=["group:finance"])
    second = await ctx.step("second", add_one, asked.value.amount)
    await ctx.sleep("50ms")
    return [first, second]
"""

Trouble = Callable[[], Awaitable[None]]
"""Something that is done to the processes, or to what they use."""

LOST = (httpx.TransportError, TimeoutError)
"""What a client gets whose request may have been done, or not; as after a 503."""

PATIENCE_S = 3.0
"""How long a client waits for a reply: a frozen server sends none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent in answer to a request.

    Attributes:
        submission: its id, sent again until there is a reply.
        amount: like in no other answer.
    """

    submission: str
    amount: int


class Workers:
    """Worker processes; one that dies is followed by another, as a supervisor sees to it.

    Args:
        folder: where the flow is.
        url: of the store.
        count: how many.
    """

    def __init__(self, folder: Path, url: str, count: int) -> None:
        self._command = [sys.executable, "-m", "signoff.cli", "worker", "flow:app", "--store", url, "--lease", "1"]
        self._folder = folder
        self._log: IO[bytes] = (folder / "workers.log").open("ab")
        self.processes = [self._spawn() for _ in range(count)]
        self.died = 0
        self._gave_up = 0

    def look(self) -> None:
        """Start another in place of each that has died: of a kill, or at its start, as there was no store then."""
        for place, process in enumerate(self.processes):
            if process.poll() is None:
                continue
            killed, said = process.returncode == -signal.SIGKILL, (self._folder / "workers.log").read_text()
            # All write to one file: whoever has said why it ends is told by its own line, wherever that stands.
            why = [line for line in said.splitlines() if line.startswith("signoff: ") and " cannot be used: " in line]
            self._gave_up += not killed
            assert killed or (process.returncode == 1 and len(why) >= self._gave_up), said[-4000:]
            self.died += killed
            self.processes[place] = self._spawn()

    def close(self) -> None:
        """End all."""
        for process in self.processes:
            process.kill()
            process.wait()
        self._log.close()

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command, cwd=self._folder, env=environment(), stdout=subprocess.DEVNULL, stderr=self._log
        )


@dataclass
class Theatre:
    """All the processes, and the way to them.

    Attributes:
        server: the command that keeps two server processes.
        proxy: in front of them.
        recorder: what the clients saw.
        chance: of what is done when to whom.
        runs: the inputs of the runs that were started, by id.
    """

    server: Running
    workers: Workers
    proxy: Proxy
    recorder: Recorder
    chance: Random
    runs: dict[str, int] = field(default_factory=dict)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Make a client, by way of the proxy."""
        url = f"http://127.0.0.1:{self.proxy.port}"
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_S) as http:
            yield http

    # -- what is done to them ------------------------------------------------------------------------------------------

    async def kill_a_worker(self) -> None:
        """Kill -9; another one is started."""
        process = self.chance.choice(self.workers.processes)
        process.kill()
        await asyncio.to_thread(process.wait)

    async def kill_a_server(self) -> None:
        """Kill -9; its parent starts another one."""
        if pids := sorted(children(self.server.process.pid)):
            with suppress(ProcessLookupError):
                os.kill(self.chance.choice(pids), signal.SIGKILL)

    async def freeze_a_worker(self) -> None:
        """Stop one for longer than a lease: others take its runs, and when it thaws it changes nothing."""
        await _freeze(self.chance.choice(self.workers.processes).pid, 1.5)

    async def freeze_a_server(self) -> None:
        """Stop one for a while; its clients wait, and give up."""
        if pids := sorted(children(self.server.process.pid)):
            await _freeze(self.chance.choice(pids), 1.0)

    async def cut(self) -> None:
        """Reset all connections of clients."""
        self.proxy.cut()

    async def lose_a_reply(self) -> None:
        """Have the next request done, and lose its reply."""
        self.proxy.lose_reply()

    @property
    def troubles(self) -> list[Trouble]:
        """Return all of these, the cheap ones more often."""
        kills = [self.kill_a_worker, self.kill_a_server]
        freezes = [self.freeze_a_worker, self.freeze_a_server]
        return [*kills, *kills, *freezes, *[self.cut] * 6, *[self.lose_a_reply] * 12]


async def _freeze(pid: int, seconds: float) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(pid, signal.SIGCONT)


@contextmanager
def theatre(folder: Path, url: str, seed: int) -> Iterator[Theatre]:
    """Start two servers on one address, two workers, and a proxy."""
    (folder / "flow.py").write_text(FLOW)
    (folder / "effects").touch()
    with ExitStack() as stack:
        server = stack.enter_context(running(folder, "server", "--store", url, "--port", "0", "--workers", "2"))
        proxy = Proxy(httpx.URL(server.url).port or 0)
        stack.callback(proxy.close)
        workers = Workers(folder, url, 2)
        stack.callback(workers.close)
        yield Theatre(server, workers, proxy, Recorder(unknown=LOST), Random(seed))


async def sure(call: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Try until there is a reply that says what has become of it."""
    while True:
        with suppress(*LOST):
            reply = await call()
            if reply.status_code != 503:
                return reply
        await asyncio.sleep(0.02)


async def start(on: Theatre, http: httpx.AsyncClient, numbers: Sequence[int], every_s: float) -> None:
    """Start one run after the other, each until there is a reply."""
    for number in numbers:
        await asyncio.sleep(every_s)
        run = f"r{number}"
        body = {"workflow": "claim", "input": number, "run_id": run}
        reply = await sure(lambda body=body: http.post("/v1/runs", json=body))  # type: ignore[misc]
        assert reply.status_code in (200, 201), reply.text
        on.runs[run] = number


async def answer_all(on: Theatre, http: httpx.AsyncClient, name: str, amounts: itertools.count[int]) -> None:
    """Be a person: look at what waits, and answer it; for ever."""
    chance = Random(name)
    sent: dict[str, Answer] = {}
    while True:
        reply = await sure(lambda: http.get("/v1/inputs", params={"limit": 100}))
        rows = reply.json()["inputs"]
        chance.shuffle(rows)
        for row in rows[:4]:
            run = row["run_id"]
            given = sent.setdefault(run, Answer(f"{name}-{run}", next(amounts)))
            await on.recorder.record(name, run, "answer", given, lambda row=row, given=given: _answer(http, row, given))  # type: ignore[misc]
        await asyncio.sleep(0.05)


async def _answer(http: httpx.AsyncClient, row: dict[str, object], given: Answer) -> str:
    body = {
        "submission_id": given.submission,
        "action": "submit",
        "value": {"amount": given.amount},
        "seen_offset": row["revised"],
    }
    reply = await http.post(f"/v1/runs/{row['run_id']}/inputs/{row['id']}/answer", json=body)
    if reply.status_code == 503:
        raise TimeoutError  # it may have been done
    document = reply.json()
    if not reply.is_success:
        return str(document["code"])
    return "replayed" if "idempotency-replayed" in reply.headers else str(document["outcome"])


async def storm(on: Theatre, troubles: Sequence[Trouble], every_s: float) -> None:
    """Do one thing after another to them."""
    for trouble in troubles:
        await asyncio.sleep(every_s)
        await trouble()
        on.workers.look()


async def ended(on: Theatre, http: httpx.AsyncClient, within_s: float) -> None:
    """Wait until all runs are completed."""
    give_up = time.monotonic() + within_s
    while True:
        on.workers.look()
        reply = await sure(lambda: http.get("/v1/runs", params={"status": "completed", "limit": 500}))
        if len(reply.json()["runs"]) == len(on.runs):
            return
        if time.monotonic() > give_up:
            reply = await sure(lambda: http.get("/v1/runs", params={"limit": 500}))
            rows = [(row["id"], row["status"]) for row in reply.json()["runs"] if row["status"] != "completed"]
            raise AssertionError(f"not all runs end: {json.dumps(rows)}")
        await asyncio.sleep(0.1)


async def serving_again(on: Theatre) -> None:
    """Wait until both server processes are there."""
    await until(lambda: len(children(on.server.process.pid)) == 2)
