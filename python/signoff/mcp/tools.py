"""What an agent may call: start a run, ask people, look for the answer.

No call keeps anything of its own: the id of a run is all there is to remember, so both sides may be restarted between
any two of them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any, NotRequired, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field
from typing_extensions import TypedDict  # pydantic asks for it before Python 3.12

from signoff import __version__
from signoff.client import SignoffClient
from signoff.client.addresses import segment
from signoff.errors import FailedRun, Forbidden, InputNotFound, NoResult, SignoffError, UnknownWorkflow
from signoff.mcp.question import ASK, HumanQuestion

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_WAIT_S = 50
"""Seconds that one call may wait: clients of MCP often give a call a minute."""

_AGAIN_S = 0.5

_ASKED_S = 3.0
"""Seconds that `ask_human` waits for the question to be asked, where its link is wanted."""

_SOON_S = 0.05

INSTRUCTIONS = (
    "People answer questions and take decisions here, in minutes or in days. start_run and ask_human return at once "
    "with a run_id; keep it. get_answer waits a little and says whether there is an answer. Nothing is lost if you "
    "stop asking, or start again tomorrow with the same run_id."
)

RequestId = Annotated[
    str | None,
    Field(
        description="An id of your own, [A-Za-z0-9_.-] and 128 characters at most, which becomes the run_id: the same "
        "call with the same id finds the same run, and nobody is asked twice. Always give one."
    ),
]


class RunHandle(TypedDict):
    """A run that was started, or found."""

    run_id: str
    url: str


class OpenQuestion(TypedDict):
    """A question that people have not answered."""

    key: str
    title: str
    to: list[str]
    url: NotRequired[str]


class RunProgress(TypedDict):
    """How far a run is."""

    run_id: str
    url: str
    status: str
    done: bool
    waiting_for: list[OpenQuestion]
    answer: NotRequired[Any]
    problem: NotRequired[str]


class Tools:
    """The tools of one server.

    Args:
        client: open as long as the tools are called.
        to: who is asked unless the agent says so.
        run_url: where people see a run, with `{run_id}` in it.
        links: hand out links by which the one person who is asked decides.
    """

    def __init__(
        self,
        client: SignoffClient,
        *,
        to: Sequence[str],
        run_url: str,
        links: bool = False,
    ) -> None:
        self._client = client
        self._to = list(to)
        self._run_url = run_url
        self._links = links

    def server(self) -> MCPServer:
        """Return an MCP server that offers them."""
        server = MCPServer(
            "signoff",
            title="Signoff",
            version=__version__,
            instructions=INSTRUCTIONS,
            log_level="WARNING",
            subscriptions=False,
        )
        for tool in (self.start_run, self.ask_human, self.get_answer):
            server.add_tool(tool, structured_output=True)
        return server

    async def start_run(
        self,
        workflow: Annotated[str, Field(description="The workflow's name.")],
        input: Annotated[Any, Field(description="Its input, as JSON.")] = None,  # noqa: A002 - the field's name
        request_id: RequestId = None,
        tags: Annotated[list[str], Field(description="Words to find it by.")] = [],  # noqa: B006 - never changed
    ) -> RunHandle:
        """Start a workflow and return {run_id, url} at once; it may take days. get_answer tells what comes of it."""
        return await self._started(workflow, input, request_id, tags)

    async def ask_human(
        self,
        *,
        title: Annotated[str, Field(description="The question, in one line.")],
        schema: Annotated[
            dict[str, Any] | None,
            Field(description="JSON Schema of the answer; people get a form. Without it: a text, or a choice."),
        ] = None,
        to: Annotated[
            list[str] | None, Field(description="Who may answer, such as user:alice or group:finance.")
        ] = None,
        actions: Annotated[
            list[str], Field(description="What may be chosen, such as approve and reject; without: to answer.")
        ] = [],  # noqa: B006
        description: Annotated[str | None, Field(description="More about it, in Markdown.")] = None,
        show: Annotated[Any, Field(description="What they need to see to decide, as JSON.")] = None,
        initial: Annotated[Any, Field(description="What the form starts with.")] = None,
        deadline: Annotated[str | None, Field(description="How long to ask, such as 2d or 90m.")] = None,
        request_id: RequestId = None,
    ) -> RunHandle:
        """Ask people a question and return {run_id, url} at once. Call get_answer with the run_id for their answer."""
        asked = self._to if to is None else to
        question = HumanQuestion(title, asked, schema, actions, description, show, initial, deadline)
        try:
            question.check()
        except (SignoffError, TypeError, ValueError) as error:
            raise ToolError(f"Nobody was asked: {error}") from error
        given = {name: value for name, value in asdict(question).items() if value is not None}
        handle = await self._started(ASK, given, request_id)
        link = await self._link(handle["run_id"], "answer:0", asked, _ASKED_S)
        return handle if link is None else {**handle, "url": link}

    async def get_answer(
        self,
        run_id: Annotated[str, Field(description="As start_run or ask_human returned it.")],
        wait_s: Annotated[
            float, Field(ge=0, le=LONGEST_WAIT_S, description="For how many seconds to wait for it; then call again.")
        ] = 20,
    ) -> RunProgress:
        """Say whether a run has its answer. If `done` is false, call again later: people take their time.

        `answer` is what the workflow returned; of ask_human {outcome, action, value, by, at}, where outcome is
        answered, expired or withdrawn.
        """
        return await _in_words(lambda: self._found(run_id, wait_s))

    async def _started(self, workflow: str, given: Any, request_id: str | None, tags: Sequence[str] = ()) -> RunHandle:
        run_id = request_id or f"mcp-{uuid.uuid4().hex}"
        reply = await _in_words(lambda: self._client.start(workflow, given, run_id=run_id, tags=tags), run_id)
        return {"run_id": reply["run"]["id"], "url": self._url(reply["run"]["id"])}

    async def _found(self, run_id: str, wait_s: float) -> RunProgress:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + wait_s
        while True:
            left = max(give_up - loop.time(), 0.0)
            try:
                reply = await self._client.outcome(run_id, wait=min(left, 10.0))
            except Forbidden as error:
                row = (await self._client.get(run_id))["run"]
                if row["status"] != "completed":
                    raise
                return {**self._row(row), "done": True, "problem": error.detail}
            except SignoffError as error:
                if error.status < 500 or loop.time() >= give_up:
                    raise
                await asyncio.sleep(min(_AGAIN_S, max(give_up - loop.time(), 0.0)))  # it starts again, or has to
                continue
            if reply["run"]["status"] == "completed":
                found = self._row(reply["run"]) | {"done": True}
                if "output" in reply:
                    return {**found, "answer": reply["output"]}
                return {**found, "problem": "It is completed, but its output is not exposed."}
            if loop.time() >= give_up:
                return await self._open(run_id)

    async def _open(self, run_id: str) -> RunProgress:
        reply = await self._client.get(run_id)
        found = self._row(reply["run"])
        found["waiting_for"] = [await self._question(run_id, row) for row in reply["inputs"]]
        if error := reply["run"].get("error"):
            found["problem"] = f"{error['message'] or error['code']} ({error['code']})"
        return found

    async def _question(self, run_id: str, row: dict[str, Any]) -> OpenQuestion:
        key = f"{row['name']}:{row['n']}"
        found: OpenQuestion = {"key": key, "title": row["title"], "to": list(row["audience"])}
        link = await self._link(run_id, key, found["to"])
        return found if link is None else {**found, "url": link}

    async def _link(self, run_id: str, key: str, to: Sequence[str], wait_s: float = 0) -> str | None:
        """Return a link to a request, if links are wanted, one person is named, and it is open or soon is."""
        people = [one for one in to if one.startswith("user:")]
        if not self._links or len(people) != 1:
            return None
        loop = asyncio.get_running_loop()
        give_up = loop.time() + wait_s
        while True:
            try:
                return str((await self._client.mint_link(run_id, key, people[0]))["url"])
            except InputNotFound:
                if loop.time() >= give_up:
                    return None
                await asyncio.sleep(_SOON_S)  # it is asked as soon as a worker has begun the run
            except SignoffError as error:
                log.warning("no link to %s of %s: %s", key, run_id, error.detail)
                return None

    def _row(self, row: dict[str, Any]) -> RunProgress:
        id_ = row["id"]
        return {"run_id": id_, "url": self._url(id_), "status": row["status"], "done": False, "waiting_for": []}

    def _url(self, run_id: str) -> str:
        return self._run_url.replace("{run_id}", segment(run_id))


async def _in_words(call: Callable[[], Awaitable[T]], run_id: str | None = None) -> T:
    """Await a call; what it raises becomes an error that a model can read."""
    try:
        return await call()
    except UnknownWorkflow as error:
        raise ToolError(
            f"{error.detail} If it is {ASK}: a worker has it by `app.include(signoff.mcp.asks)`."
        ) from error
    except NoResult as error:
        told = error.extra.get("error") or {}
        how = "has failed" if isinstance(error, FailedRun) else "was cancelled"
        why = f": {told['message']}" if told.get("message") else ""
        raise ToolError(f"There will be no answer: the run {how}{why}.") from error
    except SignoffError as error:
        faults = error.extra.get("errors")
        more = f" {json.dumps(faults)}" if faults else ""
        again = f" Try again with request_id {run_id!r}." if run_id and error.status >= 500 else ""
        raise ToolError(f"{error.detail or error.title}{more}{again}") from error
