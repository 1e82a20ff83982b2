from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from signoff import App, Context, NonDeterminism
from signoff.errors import UnknownWorkflow, WorkflowError
from signoff.testing import replay, replay_folder, save_history
from signoff.workflow import journal
from tests.workflow.drive import Drive

app = App()


def price(of: str) -> int:
    return len(of)


@app.workflow
async def flow(ctx: Context, of: str) -> int:
    return await ctx.step("price", price, of) + 1


@app.workflow(name="later")
async def with_another_step(ctx: Context, of: str) -> int:
    return await ctx.step("cost", price, of) + 1


@pytest.fixture
def history() -> dict[str, Any]:
    drive = Drive(flow, "tea")
    drive.done("price:0", 3)
    return {"entries": [journal.to_json(entry) for entry in drive.journal], "next_offset": "0000000000000004"}


def test_code_that_asks_for_what_is_recorded_asks_for_nothing_new(history: dict[str, Any]) -> None:
    assert replay(app.get("flow"), history) == []


def test_what_is_not_recorded_yet_is_returned(history: dict[str, Any]) -> None:
    unfinished = {"entries": history["entries"][:-1]}
    assert [command.type for command in replay(app.get("flow"), unfinished)] == ["run.completed"]


def test_code_that_asks_for_something_else_is_told_where(history: dict[str, Any]) -> None:
    with pytest.raises(NonDeterminism) as caught:
        replay(app.get("later"), history)
    assert "test_history.py" in caught.value.extra["where"]


def test_an_application_replays_its_own_workflow(history: dict[str, Any]) -> None:
    assert replay(app, history) == []
    with pytest.raises(UnknownWorkflow, match="no workflow 'flow' here; known: none"):
        replay(App(), history)


@pytest.mark.parametrize(("entries", "said"), [(slice(0, 0), "is empty"), (slice(1, 2), "begins with step.scheduled")])
def test_a_part_of_a_history_is_none(history: dict[str, Any], entries: slice, said: str) -> None:
    with pytest.raises(WorkflowError, match=said):
        replay(app, {"entries": history["entries"][entries]})


@pytest.mark.parametrize("workflow", ["flow", None, price])
def test_what_can_be_replayed_is_said(history: dict[str, Any], workflow: Any) -> None:
    with pytest.raises(TypeError, match=r"takes the App, or what App\.get returns, and the history; not"):
        replay(workflow, history)


async def test_a_test_that_is_a_coroutine_may_replay(history: dict[str, Any]) -> None:
    assert replay(app.get("flow"), history) == []
    with pytest.raises(NonDeterminism):
        replay(app.get("later"), history)


def test_a_folder_of_histories_replays_or_says_where_not(history: dict[str, Any], tmp_path: Path) -> None:
    save_history(tmp_path / "old" / "tea.json", "tea-1", history["entries"])
    assert replay_folder(app, tmp_path) == replay_folder(app.get("flow"), tmp_path) == 1
    assert json.loads((tmp_path / "old" / "tea.json").read_text())["run_id"] == "tea-1"

    with pytest.raises(AssertionError) as caught:
        replay_folder(app.get("later"), tmp_path)
    said = str(caught.value).splitlines()
    assert said[:5] == [
        "1 of 1 histories do not replay; - is recorded, + is what the code asks for.",
        "",
        "old/tea.json",
        "    run.started",
        "  - step.scheduled price:0",
    ]
    assert said[5] == "  + step.scheduled cost:0"
    assert "test_history.py" in said[6]


def test_a_history_that_goes_less_far_than_the_code_is_told_too(history: dict[str, Any], tmp_path: Path) -> None:
    save_history(tmp_path / "tea.json", "tea-1", history["entries"][:-1])
    with pytest.raises(AssertionError, match=r"tea\.json\n  \+ run\.completed"):
        replay_folder(app, tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"entries": []}', '{"entries": [{"type": "x"}]}'])
def test_what_is_no_history_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "tea.json").write_text(text)
    with pytest.raises(AssertionError, match=r"tea\.json\n    \w+Error: "):
        replay_folder(app, tmp_path)


def test_a_folder_without_histories_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no histories in"):
        replay_folder(app, tmp_path / "nowhere")
