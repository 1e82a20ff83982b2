"""Approvals over HTTP: what an agent proposes, decided four ways, and what was approved for the next times too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel

from signoff import App, Context
from signoff.stores.base import WorkflowStore
from tests.runtime.scene import Scene, working
from tests.server.hosting import KEYED, Host, bearer, hosting, problem

ALICE, BORA, MALLORY = bearer("alice"), bearer("bora"), bearer("mallory")
BOSS = bearer("boss", "operator")


def inside(to: str) -> str:
    if not to.endswith("@example.com"):
        raise ValueError("only to our own domain")
    return to


class Mail(BaseModel):
    to: Annotated[str, AfterValidator(inside)]
    copies: list[int] = []


def agent() -> App:
    app = App()

    @app.workflow(expose=("output",))
    async def agent(ctx: Context, tools: list[str]) -> list[str]:
        asked = {"to": ["user:alice", "user:bora"], "remember": ["run", "tool"], "args_type": Mail}
        args = {"to": "a@example.com"}
        return [type(await ctx.approve_tool(tool, args, **asked)).__name__ for tool in tools]  # type: ignore[call-overload]

    return app


class Desk:
    """A server with a worker, and people who decide over HTTP."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.on = Scene(host.engine)

    async def start(self, run_id: str, *tools: str) -> None:
        await self.on.start("agent", list(tools), run_id=run_id)

    async def answer(self, run_id: str, key: str, action: str, value: Any = None, **headers: str) -> Any:
        row = await self.on.pending(run_id, key)
        body = {"submission_id": f"{action}-{key}", "action": action, "value": value, "seen_offset": row["revised"]}
        return await self.host.post(f"/v1/runs/{run_id}/inputs/{key}/answer", body, **(headers or ALICE))

    async def revoke(self, path: str, body: Any = None, **headers: str) -> Any:
        run_id, _, key = path.partition("/")
        return await self.host.post(f"/v1/runs/{run_id}/inputs/{key}/revoke", body or {}, **(headers or ALICE))

    async def list(self, headers: dict[str, str], **query: Any) -> Any:
        return await self.host.http.get("/v1/approvals", params=query, headers=headers)


@asynccontextmanager
async def desk(store: str | WorkflowStore = "memory:") -> AsyncIterator[Desk]:
    async with hosting(store, KEYED) as host:
        on = Desk(host)
        async with working(agent(), on.on):
            yield on


async def test_approvals_are_listed_page_by_page_and_revoked(store: str) -> None:
    async with desk(store) as on:
        for n, who in enumerate((ALICE, BORA, ALICE)):
            await on.start(f"r{n}", "send")
            assert (await on.answer(f"r{n}", "tool.send:0", "approve", {"remember": "run"}, **who)).status_code == 200
            await on.on.reaches(f"r{n}", "completed")
        first = (await on.list(BOSS, limit=2)).json()
        second = (await on.list(BOSS, limit=2, cursor=first["cursor"])).json()
        listed = [one["id"] for page in (first, second) for one in page["approvals"]]
        assert (listed, second["cursor"]) == ([f"r{n}/tool.send:0" for n in (2, 1, 0)], None)
        assert (await on.revoke("r0/tool.send:0", {"reason": "a mistake"})).status_code == 200
        own = (await on.list(ALICE)).json()["approvals"]
        assert [(one["run_id"], one["revoked"] and one["revoked"]["reason"]) for one in own] == [
            ("r2", None),
            ("r0", "a mistake"),
        ]
        assert own[0] | {"at": ""} == {
            "id": "r2/tool.send:0",
            "run_id": "r2",
            "input": "tool.send:0",
            "workflow": "agent",
            "tool": "send",
            "scope": "run",
            "starter": None,
            "until": None,
            "same_args": False,
            "by": {"kind": "person", "id": "user:alice"},
            "at": "",
            "revoked": None,
        }


async def test_one_lists_what_one_has_given_oneself_and_operators_what_anybody_has() -> None:
    async with desk() as on:
        await on.start("r1", "send")
        await on.answer("r1", "tool.send:0", "approve", {"remember": "tool"})
        for headers, query in ((ALICE, {}), (ALICE, {"by": "user:alice"}), (BOSS, {}), (BOSS, {"by": "user:alice"})):
            assert len((await on.list(headers, **query)).json()["approvals"]) == 1
        for headers, query in ((BORA, {}), (MALLORY, {}), (BOSS, {"by": "user:bora"})):
            assert (await on.list(headers, **query)).json() == {"approvals": [], "cursor": None}
        problem(await on.list(BORA, by="user:alice"), 403, "forbidden")
        problem(await on.list({}), 401, "unauthorized")
        for wrong in ({"limit": 0}, {"limit": "many"}, {"by": "alice"}, {"cursor": "nonsense"}, {"tool": "send"}):
            problem(await on.list(BOSS, **wrong), 400, "bad_request")


async def test_who_gave_an_approval_and_operators_revoke_it_also_when_the_run_has_ended() -> None:
    async with desk() as on:
        await on.start("r1", "send", "send", "other")
        await on.answer("r1", "tool.send:0", "approve", {"remember": "run"})
        refused = problem(await on.revoke("r1/tool.send:0", **BORA), 403, "not_in_audience")
        assert "not given the approval of tool.send:0" in refused["detail"]
        strangers = [await on.revoke(path, **MALLORY) for path in ("r1/tool.send:0", "r1/no:0", "r2/tool.send:0")]
        assert {(one.status_code, one.content) for one in strangers} == {(403, strangers[0].content)}
        for wrong in ({"reason": 7}, {"reason": "x" * 1001}, {"why": "no member"}):
            problem(await on.revoke("r1/tool.send:0", wrong), 400, "bad_request")
        for none in ("tool.send:1", "tool.other:0"):
            refused = problem(await on.revoke(f"r1/{none}", **BOSS), 400, "bad_request")
            assert f"No approval was remembered of {none}" in refused["detail"]
        problem(await on.revoke("r1/no:0", **BOSS), 404, "input_not_found")
        problem(await on.revoke("r2/tool.send:0", **BOSS), 404, "run_not_found")
        await on.answer("r1", "tool.other:0", "approve")
        await on.on.reaches("r1", "completed")
        for headers, reason in ((ALICE, "no more"), (BOSS, "too late to say why")):
            reply = await on.revoke("r1/tool.send:0", {"reason": reason}, **headers)
            assert (reply.status_code, reply.json()["input"]["tool"]["remembered"]["scope"]) == (200, "run")
        [listed] = (await on.list(BOSS)).json()["approvals"]
        assert (listed["revoked"]["by"]["id"], listed["revoked"]["reason"]) == ("user:alice", "no more")


@pytest.mark.parametrize(
    ("value", "pointer", "message"),
    [
        ({"copies": []}, "/to", "This is required."),
        ({"to": 7}, "/to", "This must be text."),
        ({"to": "a@example.com", "copies": [1, "two"]}, "/copies/1", "This must be a whole number."),
        ({"to": "a@else.example"}, "/to", "only to our own domain"),
    ],
)
async def test_an_edit_that_does_not_fit_the_tool_is_refused_at_its_field(
    value: Any, pointer: str, message: str
) -> None:
    async with desk() as on:
        await on.start("r1", "send")
        refused = problem(await on.answer("r1", "tool.send:0", "edit", value), 422, "invalid_answer")
        assert [error["pointer"] for error in refused["errors"]] == [pointer]
        assert message in refused["errors"][0]["message"]
        assert (await on.on.pending("r1", "tool.send:0"))["status"] == "pending"
