"""Answers of several types, as mypy and pyright see them: each line holds for both (`test_typing.py`)."""

from __future__ import annotations

from typing import Any, assert_never, assert_type

from pydantic import BaseModel

from signoff import Action, Answer, Context, InputRequest


class Args(BaseModel):
    path: str


class Reason(BaseModel):
    reason: str
    final: bool = False


async def told_apart(ctx: Context) -> str:
    """A union is told apart by `match`, whatever a checker has made of the mapping."""
    answer = await ctx.await_input(
        "tool", actions={"approve": None, "edit": Args, "reject": Reason, "respond": str}, title="Run it?"
    )
    match answer.value:
        case Args() as args:
            return assert_type(args, Args).path
        case Reason() as why:
            return assert_type(why, Reason).reason
        case str() as text:
            return assert_type(text, str)
        case None:
            return answer.action
    raise AssertionError(answer)


async def declared(ctx: Context) -> str:
    """A declared union is checked, and so is that each of its types is thought of."""
    request: InputRequest[Args | Reason | None] = ctx.await_input(
        "tool", actions={"approve": None, "edit": Args, "reject": Action(Reason, confirm="Sure?")}, title="Run it?"
    )
    answer = assert_type(await request, Answer[Args | Reason | None])
    match answer.value:
        case Args(path=path):
            return path
        case Reason(reason=reason):
            return reason
        case None:
            return answer.action
        case other:
            assert_never(other)


async def alone(ctx: Context) -> None:
    """What has one type has just that."""
    edit = ctx.await_input("edit", actions={"edit": Args}, title="Which?")
    assert_type(edit, InputRequest[Args])
    maybe = ctx.await_input("maybe", actions={"edit": Args, "skip": None}, title="Which?")
    assert_type(maybe, InputRequest[Args | None])
    shown = ctx.await_input("shown", actions={"edit": Action(Args, label="Change"), "skip": Action()}, title="Which?")
    assert_type(shown, InputRequest[Args | None])
    same = ctx.await_input("same", Args, actions={"approve": Action(label="Yes"), "reject": None}, title="Which?")
    assert_type(same, InputRequest[Args])
    forms: dict[str, Any] = {"edit": Args}
    assert_type(ctx.await_input("forms", actions=forms, title="Which?"), InputRequest[Any])
    page = ctx.wizard().ask("page", actions={"next": Args, "skip": None}, title="1")
    assert_type(page, InputRequest[Args | None])
    await request_of(edit)


async def request_of(request: InputRequest[BaseModel]) -> Answer[BaseModel]:
    """A request for something narrower is one for something wider."""
    return await request


async def refused(ctx: Context) -> None:
    ctx.await_input("tool", title="?")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    ctx.await_input("tool", actions=["approve"], title="?")  # type: ignore[call-overload]  # pyright: ignore
    Action(Args, intent="good")  # type: ignore[call-overload]  # pyright: ignore
