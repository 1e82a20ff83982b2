"""A process that has imported the frameworks once, and forks a worker for each life of one: imports take seconds.

It reads a line of JSON for each: start a worker, or end one, and answers with a line.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from signoff import App
from signoff.runtime.worker import Worker
from signoff.service.engine import Engine
from signoff.stores.open import open_store

EXAMPLES = ("langchain_gated", "openai_gated", "pydantic_ai_gated")

Note = Callable[[str], None]


def count_langchain(example: Any, note: Note) -> None:
    """Have each call of the model and of the tool noted."""
    generate, send = example.Double._generate, example.send_mail.func

    def counted_generate(self: Any, messages: Any, *args: Any, **options: Any) -> Any:
        note("model")
        return generate(self, messages, *args, **options)

    def counted_send(to: str, text: str) -> Any:
        note(f"mail to {to}")
        return send(to, text)

    example.Double._generate, example.send_mail.func = counted_generate, counted_send


def count_openai(example: Any, note: Note) -> None:
    """Have each call of the model and of the tool noted."""
    say, send = example.say, example.send_mail.on_invoke_tool

    def counted_say(call: Any) -> Any:
        note("model")
        return say(call)

    async def counted_send(context: Any, arguments: str) -> Any:
        note(f"mail to {json.loads(arguments)['to']}")
        return await send(context, arguments)

    example.say, example.send_mail.on_invoke_tool = counted_say, counted_send


def count_pydantic_ai(example: Any, note: Note) -> None:
    """Have each call of the model and of the tool noted."""
    model, tool = example.agent.model, example.agent._function_toolset.tools["send_mail"].function_schema
    say, send = model.function, tool.function

    def counted_say(messages: Any, info: Any) -> Any:
        note("model")
        return say(messages, info)

    def counted_send(to: str, text: str) -> Any:
        note(f"mail to {to}")
        return send(to, text)

    model.function, tool.function = counted_say, counted_send


COUNTS = dict(zip(EXAMPLES, (count_langchain, count_openai, count_pydantic_ai), strict=True))


async def work(app: App, url: str) -> None:
    """Work until SIGTERM."""
    engine = await Engine.open(open_store(url))
    worker = Worker(app, engine, lease_ms=2_000, poll_ms=50)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: loop.create_task(worker.drain()))
    await worker.run()
    await engine.close()


def live(example: str, url: str, folder: str) -> None:
    """Be a worker, in a process of its own."""

    def note(what: str) -> None:
        with Path(folder, "done").open("a") as file:
            file.write(f"{what}\n")

    errors = os.open(Path(folder, "errors"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(errors, 2)
    module = importlib.import_module(example)
    COUNTS[example](module, note)
    asyncio.run(work(module.app, url))
    gc.collect()  # what is said of what was dropped is said now
    os._exit(0)  # the frameworks take seconds to be taken down


def main() -> None:
    """Fork and reap, as is asked."""
    for example in EXAMPLES:
        importlib.import_module(example)
    for line in sys.stdin:
        asked = json.loads(line)
        if "example" in asked:
            told = os.fork()
            if told == 0:
                live(asked["example"], asked["url"], asked["folder"])
        else:
            os.kill(asked["pid"], asked["signal"])
            told = os.waitstatus_to_exitcode(os.waitpid(asked["pid"], 0)[1])
        print(told, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
