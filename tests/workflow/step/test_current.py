from __future__ import annotations

import asyncio
import decimal
from contextvars import Context as Variables
from contextvars import ContextVar, copy_context

import pytest

from signoff import Context, StepInfo, current_step
from signoff.workflow.step.current import EnteredStep
from tests.workflow.drive import Drive, work


def test_a_step_knows_itself() -> None:
    info = StepInfo("r1", "pay", 2, 1)
    with EnteredStep(info):
        assert current_step() is info
        assert current_step().key == "r1/pay:2"
    with pytest.raises(RuntimeError, match="inside a function that runs as a step"):
        current_step()


async def test_a_step_knows_itself_in_async_code_only() -> None:
    async def attempt(number: int) -> str:
        with EnteredStep(StepInfo("r1", "pay", number, 1)):
            await asyncio.sleep(0)
            return current_step().key

    assert list(await asyncio.gather(attempt(0), attempt(1))) == ["r1/pay:0", "r1/pay:1"]


tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


def test_a_step_has_the_context_variables_the_code_had_when_it_asked() -> None:
    async def flow(ctx: Context) -> None:
        tenant.set("alice")
        first = ctx.step("a", work, 1)
        tenant.set("bob")
        await asyncio.gather(first, ctx.step("b", work, 1))

    drive = Drive(flow)
    calls = drive.machine.open_steps
    assert [calls[id_].context[tenant] for id_ in ("a:0", "b:0")] == ["alice", "bob"]


def test_what_a_step_sets_stays_there() -> None:
    variables = Variables()
    variables.run(tenant.set, "alice")
    before = copy_context()
    with EnteredStep(StepInfo("r1", "pay", 0, 1), variables):
        assert tenant.get() == "alice"
        tenant.set("carol")
    assert tenant.get() == before.get(tenant, "nobody")
    assert variables[tenant] == "alice"


def test_what_the_loop_of_a_workflow_keeps_for_itself_is_not_for_its_steps() -> None:
    library: ContextVar[str] = ContextVar("current_async_library_cvar")  # as anyio and httpx know it
    variables = Variables()
    variables.run(decimal.setcontext, decimal.Context(prec=3))
    variables.run(library.set, "signoff")
    with EnteredStep(StepInfo("r1", "pay", 0, 1), variables):
        assert decimal.getcontext().prec == decimal.DefaultContext.prec
        assert library.get("asyncio") == "asyncio"
