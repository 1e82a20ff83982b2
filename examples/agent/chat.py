"""The agent in a chat: what `useChat` of the AI SDK posts becomes a run, or answers to its requests.

    npm install && npm run build && uvicorn chat:host

Needs nothing but Signoff. The page is `page.jsx`; whoever is at it answers as an operator here. The console, the
command line and links decide the same requests.
"""

from __future__ import annotations

from pathlib import Path

from agent import app
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from signoff import DecidedBy, aisdk
from signoff.embed import Signoff
from signoff.server.config import ServerConfig
from signoff.workflow.input.decide import Who
from signoff.workflow.input.submission import AnswerRequest

PAGE = Path(__file__).with_name("dist")

signoff = Signoff("memory:", app, config=ServerConfig(page=PAGE if PAGE.is_dir() else None))


# -- the recipe: the agent is another module, and this takes what useChat posts --
async def chat(request: Request) -> Response:
    """Start a run for a question, or answer what the chat has approved or denied; tell where the reply is written."""
    body, engine = await request.json(), signoff.engine
    last = body["messages"][-1]
    if last["role"] == "user":
        prompt = "".join(part["text"] for part in last["parts"] if part["type"] == "text")
        run_id = (await engine.runs.start("agent", prompt)).run["id"]
        turn = await engine.outputs.create(run_id, "turn-0", aisdk.UI_MESSAGE)
        return Response(status_code=201, headers={"Location": f"/v1/stream/{turn}"})
    turn = ""
    for part in last["parts"]:
        if part.get("state") != "approval-responded":
            continue
        run_id, _, key = part["approval"]["id"].partition("/")
        turn = await engine.outputs.create(run_id, "turn-1", aisdk.UI_MESSAGE)
        action = "approve" if part["approval"]["approved"] else "reject"
        who = Who(frozenset(), DecidedBy("operator", "local"), operator=True)  # yours: whoever sent this
        for asked in [row for row in await engine.inputs.pending(run_id) if row["id"] == key]:
            answer = AnswerRequest(f"{key}-{action}", action, None, asked["revised"])
            await engine.inputs.answer(run_id, key, answer, who)
    return Response(status_code=201, headers={"Location": f"/v1/stream/{turn}"})


host = Starlette(routes=[Route("/chat", chat, methods=["POST"]), Mount("/", signoff)], lifespan=signoff.lifespan)
