from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from signoff import App, Context, RequestEvent
from signoff.errors import InvalidName, UnknownWorkflow, UnsupportedValue
from signoff.workflow.definition import define
from signoff.workflow.entry import PYTHON
from signoff.workflow.run.entries import RunDescribed, RunStarted


class Claim(BaseModel):
    amount: int


def test_workflows_are_registered_with_their_types() -> None:
    app = App()

    @app.workflow
    async def expense(ctx: Context, claim: Claim) -> bool:
        return True

    @app.workflow(name="other.name", version="2", expose=("input", "output"), tags=("eu",))
    async def other(ctx: Context) -> None: ...

    @app.workflow
    async def loose(ctx, anything): ...  # type: ignore[no-untyped-def]

    definition = app.get("expense")
    assert (definition.input_type, definition.output_type, definition.version) == (Claim, bool, "1")
    assert definition.fn is expense
    assert definition.takes_input
    chosen = app.get("other.name")
    assert (chosen.input_type, chosen.expose, chosen.tags) == (None, ("input", "output"), ("eu",))
    assert app.get("loose").input_type is Any
    assert set(app.names()) == {"expense", "other.name", "loose"}


def test_types_that_are_local_are_found() -> None:
    class Local(BaseModel):
        amount: int

    app = App()

    @app.workflow
    async def flow(ctx: Context, claim: Local) -> Local:
        return claim

    assert app.get("flow").input_type is Local


def test_an_unknown_workflow_names_the_known() -> None:
    with pytest.raises(UnknownWorkflow, match="known: none"):
        App().get("expense")


def test_what_is_no_workflow_is_refused_where_it_is_written() -> None:
    app = App()

    def sync(ctx: Context) -> None: ...

    async def too_many(ctx: Context, one: int, two: int) -> None: ...

    async def none() -> None: ...

    async def keywords(ctx: Context, *, claim: int) -> None: ...

    async def fine(ctx: Context) -> None: ...

    for fn in (sync, too_many, none, keywords):
        with pytest.raises(TypeError):
            app.workflow(fn)  # type: ignore[type-var]
    with pytest.raises(InvalidName):
        app.workflow(name="a b")(none)
    with pytest.raises(ValueError, match="expose"):
        app.workflow(expose=("steps",))(fine)  # type: ignore[arg-type]
    assert app.names() == ()


@pytest.mark.parametrize("name", ["expose", "tags"])
def test_one_text_is_no_list_of_its_letters(name: str) -> None:
    app = App()
    workflow: Any = app.workflow

    async def flow(ctx: Context) -> None: ...

    with pytest.raises(TypeError, match=rf"`{name}` of the workflow flow is a list of texts, .*, not 'output'\."):
        workflow(**{name: "output"})(flow)
    assert app.names() == ()


@pytest.mark.parametrize("name", ["workflows", "events"])
def test_a_function_is_told_of_several_not_of_letters(name: str) -> None:
    app = App()
    on_request: Any = app.on_request

    async def tell(event: RequestEvent) -> None: ...

    with pytest.raises(TypeError, match=rf"`{name}` of on_request\(\) is a list of texts, .*, not 'asked'\."):
        on_request(**{name: "asked"})(tell)
    assert app.listeners == {}


def test_a_name_is_taken_once() -> None:
    app = App()

    @app.workflow(name="same")
    async def one(ctx: Context) -> None: ...

    async def two(ctx: Context) -> None: ...

    app.workflow(name="same")(one)
    with pytest.raises(ValueError, match="two workflows called same"):
        app.workflow(name="same")(two)


def test_a_worker_of_another_python_than_the_starters_says_so() -> None:
    async def flow(ctx: Context) -> None: ...

    definition = define(flow, "flow")
    described = definition.describe(RunStarted(1, "r1", "flow", "1", None, "s", "d", python="2.7"), 5)
    assert described == RunDescribed(5, "1", python=PYTHON)
    for python in (PYTHON, None):
        assert definition.describe(RunStarted(1, "r1", "flow", "1", None, "s", "d", python=python), 5) is None


def test_an_input_with_a_default_may_be_left_out() -> None:
    app = App()

    @app.workflow
    async def report(ctx: Context, claim: Claim = Claim(amount=7)) -> int:  # noqa: B008 - it is never changed
        return claim.amount

    @app.workflow
    async def strict(ctx: Context, claim: Claim) -> int:
        return claim.amount

    @app.workflow
    async def none(ctx: Context) -> None: ...

    assert app.get("report").arguments(None) == ()
    assert app.get("report").arguments({"amount": 3}) == (Claim(amount=3),)
    assert app.get("none").arguments(None) == ()
    with pytest.raises(UnsupportedValue):
        app.get("strict").arguments(None)
    assert app.find("strict") is app.get("strict")
    assert app.find("nothing") is None


@pytest.mark.parametrize("tags", [[f"t{n}" for n in range(33)], [""], ["x" * 129], [7]])
def test_tags_are_bounded_as_those_of_a_start_are(tags: list[Any]) -> None:
    async def flow(ctx: Context) -> None: ...

    with pytest.raises(ValueError, match="32 tags"):
        App().workflow(tags=tags)(flow)


def test_an_application_takes_the_workflows_of_another() -> None:
    ours, theirs = App(), App()

    @theirs.workflow
    async def asks(ctx: Context) -> None: ...

    ours.include(theirs)
    ours.include(theirs)
    assert ours.get("asks") is theirs.get("asks")


def test_an_included_name_must_be_free() -> None:
    ours, theirs = App(), App()

    @theirs.workflow
    async def first(ctx: Context) -> None: ...

    @theirs.workflow(name="taken")
    async def second(ctx: Context) -> None: ...

    @ours.workflow(name="taken")
    async def third(ctx: Context) -> None: ...

    with pytest.raises(ValueError, match="two workflows called taken"):
        ours.include(theirs)
    assert ours.names() == ("taken",)
