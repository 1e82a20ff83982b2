"""Play an example in this process, offline, with whoever sits at the terminal as the person who decides.

    .venv/bin/python examples/agents/play.py pydantic_ai_gated

For each call of a tool it asks what to do: approve, edit JSON, reject REASON, or respond TEXT.
"""

import asyncio
import importlib
import json
import sys

from signoff.errors import SignoffError
from signoff.testing import SeenRequest, TestEngine

GROUP = "support"


async def decide(engine: TestEngine, request: SeenRequest) -> None:
    """Ask the terminal about a call, until the answer is one."""
    print(f"{request.row['title']}  {json.dumps(request.row['show'])}")
    decided = False
    while not decided:
        line = await asyncio.to_thread(input, f"{', '.join(request.row['actions'])}? ")
        action, _, rest = line.strip().partition(" ")
        try:
            value = json.loads(rest) if action == "edit" else rest or None
            await engine.person("user:you", groups=[GROUP]).answers(request, value, action=action)
            decided = True
        except (ValueError, SignoffError) as error:
            print(error)


async def play(engine: TestEngine) -> None:
    """Start a run of each workflow, and see it through."""
    for name in engine.app.names():
        run = await engine.start(name, "Write to ann and bob.")
        while requests := await run.until_asked():
            await decide(engine, requests[0])
        print(f"{name}: {await run.result()}")
        for output in await engine.services.store.list_streams(f"runs/{run.id}/out/", limit=10):
            told = await engine.services.outputs.read(output.path)
            print(f"  {output.path.rpartition('/')[2]}: {told.decode()}")


def main(arguments: list[str]) -> None:
    """Play what is named."""
    [example] = arguments
    TestEngine(importlib.import_module(example).app).play(play)


if __name__ == "__main__":
    main(sys.argv[1:])
