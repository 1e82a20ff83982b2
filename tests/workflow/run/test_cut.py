"""What operators undo is undone everywhere alike: in replay, in the rows, in inboxes and in the index."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import orjson
import pytest

from signoff.errors import NonDeterminism, UnknownCommand
from signoff.streams import state
from signoff.workflow.decision import AppendEntries, Loaded
from signoff.workflow.entry import DecidedBy, Entry, Error
from signoff.workflow.event.entries import EventAwaited, EventReceived, EventTimedOut
from signoff.workflow.handover.entries import InputAmended
from signoff.workflow.input.entries import InputAnswered, InputExpired, InputRequested, InputRevised
from signoff.workflow.input.state import InputState
from signoff.workflow.machine import Machine
from signoff.workflow.projection import project, refold
from signoff.workflow.run import undo
from signoff.workflow.run.cut import before_end, cut_of_failure, effective, id_of, is_cut
from signoff.workflow.run.entries import (
    CancelRequested,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunResumed,
    RunRetried,
    RunRewound,
    RunTerminated,
    RunUnblocked,
)
from signoff.workflow.run.place import end_of
from signoff.workflow.run.undo import retried_on, retried_otherwise
from signoff.workflow.step.entries import StepCompleted, StepFailed, StepScheduled
from signoff.workflow.view import RunFold, View
from tests.workflow.corpus import app
from tests.workflow.input.requests import SUBMITTED
from tests.workflow.loaded import started
from tests.workflow.world import ERROR, World, by_chance

SHAPES = sorted(app.names())
OPERATOR = DecidedBy("operator", "local")


class RewoundWorld(World):
    """A world whose operators undo what they do not like, a few times."""

    cuts = 0

    def run(self, most: int = 300) -> list[Entry]:
        for _ in range(most):
            status = self.loaded().status
            if (
                self.cuts < 4
                and status not in {"completed", "cancelled"}
                and (status == "failed" or not self.choose(5))
            ):
                self.cuts += 1
                self.cut(failed=status == "failed")
            elif self.machine.outcome is not None:
                return self.journal
            else:
                self.step()
        return self.journal

    def loaded(self) -> Loaded:
        view = View()
        tail = refold(view, self.journal, past=True)
        return Loaded(view, tail)

    def cut(self, *, failed: bool = False) -> None:
        run = self.loaded()
        ids = [id_ for entry in run.past.entries if (id_ := id_of(entry)) is not None and not is_noise(id_)]
        if failed and self.choose(2):
            self.write(undo.retry(run, {}, OPERATOR, self.now))
        elif ids:
            self.write(
                undo.rewind(run, {"to": ids[self.choose(len(ids))], "after": bool(self.choose(2))}, OPERATOR, self.now)
            )
        elif failed:
            self.write(undo.retry(run, {}, OPERATOR, self.now))

    def write(self, decision: AppendEntries[Any]) -> None:
        self.journal += decision.entries
        self.machine = Machine(self.definition)
        try:
            new = self.machine.advance(self.journal)
        except NonDeterminism:
            cut = retried_otherwise(effective(self.journal), self.now)
            assert cut is not None
            self.journal.append(cut)
            self.machine = Machine(self.definition)
            new = self.machine.advance(self.journal)
        self.journal += new


def is_noise(id_: str) -> bool:
    return id_.startswith("nobody") or id_ == "timer:99"


def story(name: str, seed: int) -> list[Entry]:
    return RewoundWorld(app.get(name), by_chance(seed), 1, cancels=seed % 2 == 0).run(120)


STORIES = [pytest.param(name, seed, id=f"{name}-{seed}") for name in SHAPES for seed in range(5)]


def rows_of(entries: list[Entry]) -> dict[tuple[str, str], Any]:
    """Return the rows of a journal, without what counts what was shown before."""
    return comparable(state.fold(map(orjson.loads, project(View(), entries, 0).public)))


def comparable(rows: Any) -> dict[tuple[str, str], Any]:
    return {
        key: {name: value for name, value in row.items() if name not in {"revised", "revision"}}
        for key, row in rows.items()
    }


@pytest.mark.parametrize(("name", "seed"), STORIES)
def test_replay_of_the_whole_journal_comes_to_what_was_done(name: str, seed: int) -> None:
    entries = story(name, seed)
    machine = Machine(app.get(name))
    assert machine.advance(entries) == []
    again = Machine(app.get(name))
    assert again.advance(list(effective(entries))) == []
    assert (machine.open_steps.keys(), machine.open_timers) == (again.open_steps.keys(), again.open_timers)
    assert machine.now_ms == again.now_ms


@pytest.mark.parametrize(("name", "seed"), STORIES)
def test_what_is_effective_stays_so(name: str, seed: int) -> None:
    left = effective(story(name, seed))
    assert effective(left) == left


@pytest.mark.parametrize(("name", "seed"), STORIES)
def test_rows_inboxes_and_index_are_those_of_what_is_left(name: str, seed: int) -> None:
    entries = story(name, seed)
    view, tail = View(), 0
    refold(view, [], past=True)
    public: list[Any] = []
    inboxes: dict[str, list[Any]] = {}
    parts: dict[str, InputState] = {}
    waits: dict[str, tuple[str, str | None]] = {}
    for entry in entries:
        if view.run is not None:
            view.run = RunFold.loads(view.run.dumps())
        delta = project(view, [entry], tail)
        tail += len(delta.public)
        public += map(orjson.loads, delta.public)
        for principal, message in delta.inboxes:
            inboxes.setdefault(principal, []).append(orjson.loads(message))
        parts |= delta.inputs
        for id_, topic, key, remove in delta.waits:
            assert (id_ in waits) == remove
            if remove:
                del waits[id_]
            else:
                waits[id_] = topic, key
    shown = state.fold(public)
    whole = View()
    assert refold(whole, entries) == tail
    assert whole == view
    assert view.past is not None
    assert view.past.rows == shown
    left = list(effective(entries))
    expected = rows_of(left)
    assert comparable(shown) == expected
    assert view.run is not None
    assert waits == {id_: (topic, key) for id_, topic, key in view.run.waits}
    assert parts == view.inputs
    pending = [request for request in view.inputs.values() if request.pending]
    assert [request.row["id"] for request in pending] == view.run.inputs
    for principal, messages in inboxes.items():
        asked = {f"r1/{request.row['id']}" for request in pending if principal in request.to}
        assert {key for _, key in state.fold(messages)} == asked
    for request in pending:
        assert request.row == shown["input", request.row["id"]]


@pytest.mark.parametrize(("name", "seed"), STORIES)
def test_rows_do_not_depend_on_how_entries_are_batched(name: str, seed: int) -> None:
    entries = story(name, seed)
    whole = View()
    refold(whole, [], past=True)
    at_once = project(whole, entries, 0)
    for size in (2, 5):
        view, public, inboxes = View(), [], []  # type: ignore[var-annotated]
        refold(view, [], past=True)
        for start in range(0, len(entries), size):
            delta = project(view, entries[start : start + size], len(public))
            public += delta.public
            inboxes += delta.inboxes
        assert (tuple(public), tuple(inboxes)) == (at_once.public, at_once.inboxes)
        assert view == whole


def test_the_stories_have_cuts_of_both_kinds() -> None:
    kinds = {entry.type for name in SHAPES for entry in story(name, 3) if is_cut(entry)}
    assert kinds == {"run.rewound", "run.retried"}


@pytest.mark.parametrize(("name", "seed"), STORIES)
def test_a_fork_shows_what_it_shares_and_goes_on_from_there(name: str, seed: int) -> None:
    world = RewoundWorld(app.get(name), by_chance(seed), 1)
    world.run(60)
    source = world.loaded()
    ids = [id_ for entry in source.past.entries if (id_ := id_of(entry)) is not None and not is_noise(id_)]
    at = random.Random(seed).choice([None, *ids])
    other = undo.fork(source, {"run_id": "r2", "at": at}, OPERATOR, world.now + 1_000)
    assert other.run_id == "r2"
    decision = other.decide(None)
    assert isinstance(decision, AppendEntries)
    entries = list(decision.entries)
    assert effective(entries) == entries
    view = View()
    delta = project(view, entries, 0)
    shown = state.fold(map(orjson.loads, delta.public))
    assert all(orjson.loads(message)["headers"]["operation"] == "insert" for message in delta.public)
    assert view.run is not None
    assert view.run.row["forked_from"] == {"run_id": "r1", "keep": len(entries) - 1}
    told = {(principal, orjson.loads(message)["key"]) for principal, message in delta.inboxes}
    assert told == {(who, f"r2/{id_}") for id_ in view.run.inputs for who in view.inputs[id_].to}
    for row in (row for (kind, _), row in shown.items() if kind == "input"):
        assert row["run_id"] == "r2"
    machine = Machine(app.get(name))
    entries += machine.advance(entries)
    again = View()
    tail = refold(again, entries)
    assert tail == len(delta.public) + len(project(view, entries[len(decision.entries) :], len(delta.public)).public)
    assert again == view
    assert Machine(app.get(name)).advance(entries) == []


# -- where to cut ------------------------------------------------------------------------------------------------------

A, B, UNDO = StepScheduled(1, "a:0"), StepScheduled(1, "b:0"), StepScheduled(3, "undo:0")
A_BROKE, B_BROKE = StepFailed(2, "a:0", 1, ERROR), StepFailed(2, "b:0", 1, ERROR)
B_DONE = StepCompleted(2, "b:0", 1, None)
ASKED = InputRequested(2, "i:0", {"title": "?", "schema": {}}, deadline=9)
WAITS = EventAwaited(2, "e:0", "e", timeout_at=10)
UNDONE = StepCompleted(3, "undo:0", 1, 1)
LET_PASS, RAISED = RunFailed(4, Error("step_failed", "no")), RunFailed(4, Error("key_error", "no"))


@pytest.mark.parametrize(
    ("entries", "keep", "anew"),
    [
        pytest.param([A, A_BROKE, LET_PASS], 3, ("a:0",), id="the step it failed by"),
        pytest.param([A, A_BROKE, RAISED], 3, ("a:0",), id="the code has raised another error for it"),
        pytest.param([A, StepFailed(2, "a:0", 1, ERROR, 9), A_BROKE, LET_PASS], 4, ("a:0",), id="after attempts"),
        pytest.param([A, B, A_BROKE, B_BROKE, LET_PASS], 5, ("a:0", "b:0"), id="two that failed meanwhile"),
        pytest.param([A, B, A_BROKE, B_DONE, LET_PASS], 5, ("a:0",), id="another was done after it"),
        pytest.param([A, B, A_BROKE, B_DONE, RAISED], 5, (), id="the code went on, and raised"),
        pytest.param([A, A_BROKE, UNDO, StepCompleted(3, "undo:0", 1, 1), LET_PASS], 3, ("a:0",), id="cleaned up"),
        pytest.param(
            [A, B, A_BROKE, B_BROKE, UNDO, StepCompleted(3, "undo:0", 1, 1), LET_PASS],
            5,
            ("a:0", "b:0"),
            id="cleaned up after two that failed meanwhile",
        ),
        pytest.param(
            [A, A_BROKE, B, B_BROKE, UNDO, StepCompleted(3, "undo:0", 1, 1), LET_PASS],
            5,
            ("b:0",),
            id="one that failed before the code went on stays failed",
        ),
        pytest.param([A, A_BROKE, UNDO, StepCompleted(3, "undo:0", 1, 1), RAISED], 5, (), id="caught, then raised"),
        pytest.param([A, StepCompleted(2, "a:0", 1, 1), B, RAISED], 3, (), id="what its last turn asked for goes"),
        pytest.param([RAISED], 1, (), id="at once"),
        pytest.param([A, A_BROKE, RunBlocked(3, ERROR), RunUnblocked(3), RAISED], 5, ("a:0",), id="after a block"),
        pytest.param([A, A_BROKE, RunPaused(3), RunResumed(3), RAISED], 5, ("a:0",), id="while it was paused"),
    ],
)
def test_where_a_failed_run_goes_on(entries: list[Entry], keep: int, anew: tuple[str, ...]) -> None:
    assert cut_of_failure([started(), *entries]) == (keep, anew, None)


def failed_by(*causes: str) -> RunFailed:
    return RunFailed(4, Error("key_error", "no"), causes)


@pytest.mark.parametrize(
    ("entries", "keep", "anew", "otherwise"),
    [
        pytest.param([A, A_BROKE, failed_by("a:0")], 3, ("a:0",), None, id="the step it failed by"),
        pytest.param([A, A_BROKE, failed_by()], 3, (), None, id="its code, having swallowed the error"),
        pytest.param([A, B, A_BROKE, B_BROKE, failed_by("b:0")], 5, ("b:0",), None, id="one, the other was swallowed"),
        pytest.param([A, B, A_BROKE, B_BROKE, failed_by("b:0", "a:0")], 5, ("a:0", "b:0"), None, id="both"),
        pytest.param([A, A_BROKE, B, B_BROKE, failed_by("a:0")], 5, ("a:0",), 2, id="one from before"),
        pytest.param([A, A_BROKE, UNDO, UNDONE, failed_by("a:0")], 5, ("a:0",), 2, id="cleaned up, or gone on beside"),
        pytest.param(
            [A, B, StepFailed(2, "a:0", 1, ERROR, 9), A_BROKE, UNDO, B_DONE, failed_by("a:0")],
            7,
            ("a:0",),
            3,
            id="after attempts",
        ),
        pytest.param(
            [A, UNDO, RunRetried(3, OPERATOR, 3, otherwise=2), A_BROKE, failed_by("a:0")],
            5,
            ("a:0",),
            2,
            id="what an earlier retry kept may be because of this",
        ),
        pytest.param(
            [A, StepCompleted(2, "a:0", 1, 1), B, failed_by("a:0")], 3, (), None, id="a result nobody can read"
        ),
        pytest.param([A, StepFailed(2, "a:0", 1, ERROR, 9), failed_by("a:0")], 3, (), None, id="an attempt alone"),
        pytest.param([ASKED, InputExpired(9, "i:0"), failed_by("i:0")], 3, ("i:0",), None, id="a request"),
        pytest.param([WAITS, EventTimedOut(9, "e:0"), UNDO, UNDONE, failed_by("e:0")], 5, ("e:0",), 2, id="a wait"),
    ],
)
def test_where_a_run_that_says_why_it_failed_goes_on(
    entries: list[Entry], keep: int, anew: tuple[str, ...], otherwise: int | None
) -> None:
    assert cut_of_failure([started(), *entries]) == (keep, anew, otherwise)


@pytest.mark.parametrize(
    ("behind", "goes_on"),
    [
        pytest.param([], True, id="at once"),
        pytest.param([B_DONE], True, id="something was kept behind it"),
        pytest.param([StepScheduled(9, "c:0")], False, id="the code had agreed, and asked for more"),
        pytest.param([RunRewound(9, 3)], False, id="it was rewound since"),
        pytest.param([RunRetried(9, OPERATOR, 2, (), 5)], False, id="that was it"),
    ],
)
def test_a_retry_whose_code_does_not_ask_for_all_that_is_kept_undoes_more(behind: list[Entry], goes_on: bool) -> None:
    wish = RunRetried(5, OPERATOR, 4, ("a:0",), otherwise=2)
    cut = retried_otherwise([started(), A, UNDO, UNDONE, wish, *behind], 9)
    assert cut == (RunRetried(9, OPERATOR, 2, (), 5) if goes_on else None)


def test_what_is_open_again_has_as_much_time_as_it_had() -> None:
    revised = InputRevised(3, "i:0", {"title": "!", "deadline": 8})
    entries = [
        started(),
        ASKED,
        WAITS,
        revised,
        InputExpired(9, "i:0"),
        EventTimedOut(9, "e:0"),
        failed_by("i:0", "e:0"),
    ]
    retried = RunRetried(100, OPERATOR, 6, ("i:0", "e:0"))
    assert effective([*entries, retried]) == [
        started(),
        replace(ASKED, deadline=107),
        replace(WAITS, timeout_at=108),
        replace(revised, changes={"title": "!", "deadline": 105}),
        replace(retried, keep=4, anew=()),
    ]


def test_reminders_and_escalations_of_what_is_open_again_are_put_off_with_or_without_a_deadline() -> None:
    plan = [{"what": "remind", "at": 50}, {"what": "escalate", "at": 70, "to": ["group:directors"], "keep": True}]
    asked = InputRequested(20, "a:0", {"title": "?", "schema": {}}, policy={"schedule": plan})
    revised = InputRevised(30, "a:0", {"schedule": plan[:1]})
    cut = RunRewound(1_000, 3, anew=("a:0",))
    _, again, also, _ = effective([started(), asked, revised, cut])
    assert isinstance(again, InputRequested)
    assert isinstance(also, InputRevised)
    assert [one["at"] for one in (again.policy or {})["schedule"]] == [1_030, 1_050]
    assert [one["at"] for one in also.changes["schedule"]] == [1_020]


@pytest.mark.parametrize(
    ("failed", "goes_on"),
    [
        pytest.param([failed_by("b:0")], True, id="by what had failed before the retry"),
        pytest.param([replace(B_BROKE, at=50), failed_by("b:0")], False, id="by what failed since"),
        pytest.param(
            [StepFailed(50, "a:0", 1, ERROR), failed_by("b:0", "a:0")], False, id="by that and by what failed since"
        ),
        pytest.param([failed_by()], False, id="by its code"),
        pytest.param([RunRewound(60, 3), failed_by("b:0")], False, id="once it was rewound"),
        pytest.param([RunRetried(60, OPERATOR, 3, ("a:0",), 40), failed_by("b:0")], True, id="once it went on so"),
    ],
)
def test_a_retry_gets_over_all_that_had_failed(failed: list[Entry], goes_on: bool) -> None:
    old = [] if failed[0] == replace(B_BROKE, at=50) else [replace(B_BROKE, at=9)]
    cut = retried_on([started(), A, B, RunRetried(40, OPERATOR, 3), *old, *failed])
    assert (cut is not None) == goes_on
    if cut is not None:
        assert (cut.anew, cut.since) == (("b:0",), 40)


@pytest.mark.parametrize(
    ("entries", "shared"),
    [
        pytest.param([A, B], 3, id="it goes on"),
        pytest.param([A, StepCompleted(2, "a:0", 1, 1), B, RunCompleted(2, 1)], 3, id="completed"),
        pytest.param([A, A_BROKE, LET_PASS], 3, id="failed"),
        pytest.param([A, RunTerminated(2)], 2, id="terminated"),
        pytest.param([A, CancelRequested(2), UNDO, RunCancelled(3)], 2, id="cancelled"),
        pytest.param([A, CancelRequested(2), RunTerminated(3)], 2, id="asked to stop, then terminated"),
    ],
)
def test_what_a_fork_shares_unless_told(entries: list[Entry], shared: int) -> None:
    assert before_end([started(), *entries]) == shared


@pytest.mark.parametrize(
    ("id_", "end"), [("a:0", 4), ("b:0", 3), ("e:0", 8), ("e:1", 7), ("e:2", 10), ("i:0", 11), ("nothing:0", None)]
)
def test_where_a_command_has_come_to_its_end(id_: str, end: int | None) -> None:
    entries = [
        started(),
        A,
        B,
        StepCompleted(2, "a:0", 1, 1),
        EventAwaited(2, "e:0", "e", "k"),
        EventAwaited(2, "e:1", "e", "l"),
        EventReceived(3, "e", "1", 1, "l"),
        EventReceived(3, "e", "2", 1, "k"),
        EventReceived(3, "e", "3", 1, "m"),
        EventAwaited(3, "e:2", "e"),
        InputRequested(3, "i:0", {"title": "?", "schema": {}}),
    ]
    assert end_of(entries, id_) == end


def test_an_unknown_command_is_named() -> None:
    run = RewoundWorld(app.get("sequence"), by_chance(1)).loaded()
    with pytest.raises(UnknownCommand, match="has not asked for 'nothing:0'"):
        undo.rewind(run, {"to": "nothing:0"}, OPERATOR, 5)


@pytest.mark.parametrize(("changes", "stays"), [({"deadline": 9_000}, False), ({"title": "New"}, True)])
def test_an_answer_is_undone_with_its_verdict_whatever_was_revised_meanwhile(
    changes: dict[str, Any], stays: bool
) -> None:
    """Its sender was told of the verdict; an answer that the revision itself had ended is not judged anew by a cut."""
    asked = InputRequested(1_000, "approve:0", {"title": "Approve?", "schema": {}, "actions": ["approve"]})
    amended = InputAmended(1_600, "approve:0", changes, "why", OPERATOR)
    answered = InputAnswered(2_000, "approve:0", "s1", "d", "approve", {"ok": True}, SUBMITTED.by)
    left = effective([asked, SUBMITTED, amended, answered, RunRewound(3_000, keep=3)])
    assert (SUBMITTED in left) == stays
    assert amended in left
