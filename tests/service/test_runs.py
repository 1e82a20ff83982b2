"""Runs are started with an input that fits, wherever the code is at hand."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from signoff import App, Context
from signoff.errors import InvalidInput
from signoff.service.engine import Engine
from signoff.service.kinds import RunFilter
from signoff.stores.open import open_store
from tests.runtime.scene import Scene, working


class Claim(BaseModel):
    amount: int


def app_of(type_: Any = Claim) -> App:
    app = App()

    async def expense(ctx: Context, claim: Any) -> Any:
        return claim

    expense.__annotations__["claim"] = type_
    app.workflow(expense)

    @app.workflow
    async def report(ctx: Context, days: int = 7) -> int:
        return days

    return app


async def test_an_input_that_does_not_fit_starts_nothing(url: str) -> None:
    engine = await Engine.open(open_store(url), app=app_of())
    try:
        for wrong in ({"amount": "many"}, None, {}, [1]):
            with pytest.raises(InvalidInput, match=r"'expense'.*Nothing was started") as refused:
                await engine.runs.start("expense", wrong, run_id="r1")
            assert refused.value.status == 422
            assert refused.value.extra["errors"]
        assert refused.value.extra["errors"][0]["pointer"] == ""
        assert (await engine.runs.list(RunFilter())).items == ()
        assert (await engine.runs.start("expense", {"amount": 1}, run_id="r1")).created
        assert (await engine.runs.start("elsewhere", "anything")).created  # its code is not here
    finally:
        await engine.close()


async def test_the_pointer_leads_to_the_member() -> None:
    engine = await Engine.open(open_store("memory:"), app=app_of())
    with pytest.raises(InvalidInput, match="/amount") as refused:
        await engine.runs.start("expense", {"amount": "many"})
    assert [error["pointer"] for error in refused.value.extra["errors"]] == ["/amount"]
    await engine.close()


async def test_a_run_started_under_other_code_is_found_again(url: str) -> None:
    store = open_store(url)
    engine = await Engine.open(store, app=app_of(str))
    await engine.runs.start("expense", "text", run_id="r1")
    engine.runs._app = app_of()
    assert not (await engine.runs.start("expense", "text", run_id="r1")).created
    with pytest.raises(InvalidInput):
        await engine.runs.start("expense", "text", run_id="r2")
    await engine.close()


async def test_without_the_code_the_run_fails_and_says_so(url: str) -> None:
    engine = await Engine.open(open_store(url))
    try:
        on = Scene(engine)
        run, default = await on.start("expense", {"amount": "many"}), await on.start("report")
        async with working(app_of(), on):
            row = await on.reaches(run, "failed")
            assert row["error"] == {"code": "invalid_input", "message": None}
            [failed] = await on.entries(run, "run.failed")
            assert "does not fit the workflow" in failed["error"]["message"]
            await on.reaches(default, "completed")
            assert (await on.engine.outcomes.get(default, operator=True)).output == 7
    finally:
        await engine.close()
