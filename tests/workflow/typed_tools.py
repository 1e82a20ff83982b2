"""Decisions about tools, as mypy and pyright see them: each line holds for both (`test_typing.py`)."""

from __future__ import annotations

from typing import Any, TypedDict, assert_never, assert_type

from pydantic import BaseModel

from signoff import Approved, Context, Decided, Edited, Rejected, Responded, ToolDecision, ToolRequest, approve


class Mail(BaseModel):
    to: str


class Query(TypedDict):
    sql: str


def send(to: str, body: str = "") -> None:
    """Be a tool."""


def policy(tool: str, mail: Mail) -> Decided | None:
    return approve("our own domain") if mail.to.endswith("@example.com") else None


async def told_apart(ctx: Context) -> str:
    """A decision is told apart by `match`, by position, and each of the four has to be thought of."""
    gate = ctx.approve_tool("send", {"to": "a@example.com"}, args_type=Mail, policy=policy, output="chat")
    assert_type(gate, ToolRequest[Mail])
    decision = assert_type(await gate, ToolDecision[Mail])
    match decision:
        case Approved(args):
            return assert_type(args, Mail).to
        case Edited(args):
            return assert_type(args, Mail).to
        case Rejected(reason):
            return assert_type(reason, str | None) or ""
        case Responded(text):
            return assert_type(text, str)
        case other:
            assert_never(other)


async def in_one_case(ctx: Context) -> str:
    """What runs the tool is one case, and nothing is left behind the last of them."""
    match await ctx.approve_tool("send", Mail(to="a"), args_type=Mail):
        case Approved(args) | Edited(args):
            return assert_type(args, Mail).to
        case Rejected() as rejected:
            return rejected.by.kind
        case Responded(text=text):
            return text


async def of_other_types(ctx: Context) -> None:
    """What a tool takes says what its arguments are read as."""
    query = await ctx.approve_tool("query", {"sql": "select 1"}, args_type=Query)
    if isinstance(query, Approved | Edited):
        assert_type(query.args["sql"], str)
    of_function = await ctx.approve_tool("send", {"to": "a"}, args_type=send)
    assert_type(of_function, ToolDecision[dict[str, Any]])
    of_schema = await ctx.approve_tool("send", {"to": "a"}, args_schema={"type": "object"})
    assert_type(of_schema, ToolDecision[dict[str, Any]])


async def decided_about(request: ToolRequest[BaseModel]) -> ToolDecision[BaseModel]:
    """A decision about something narrower is one about something wider."""
    return await request


async def refused(ctx: Context) -> None:
    ctx.approve_tool("send", Mail(to="a"))  # type: ignore[call-overload]  # pyright: ignore
    ctx.approve_tool("send", {}, actions=["allow"])  # type: ignore[list-item]  # pyright: ignore
    ctx.approve_tool("send", {}, remember=["ever"])  # type: ignore[list-item]  # pyright: ignore
    ctx.approve_tool("send", {}, output=7)  # type: ignore[call-overload]  # pyright: ignore
