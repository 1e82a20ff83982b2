from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff import InvalidAnswer
from signoff.errors import AlreadyDecided, BadRequest, Expired, NotInAudience, SignoffError, Stale, Withdrawn
from signoff.streams import offset
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import MOST_BACK, Accept, ExpireNow, Who, decide_answer
from signoff.workflow.input.entries import InputAnswered, InputExpired, InputRequested, InputRevised
from signoff.workflow.input.state import TRANSITIONS, InputState, Verb, answer, ask, expire, revise, withdraw
from signoff.workflow.input.submission import AnswerRequest, parse_answer

SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
ALICE = Who(frozenset({"user:alice", "group:finance"}), DecidedBy("person", "user:alice"))
LOCAL = Who(frozenset(), DecidedBy("operator", "local"), operator=True)


def pending(**members: Any) -> InputState:
    spec = {"title": "Approve?", "schema": SCHEMA, "actions": ["approve", "reject"]}
    entry = InputRequested(1_000, "approve:0", spec, ("group:finance",), **members)
    return ask(entry, "r1", "expense", offset.encode(5))


def given_answer(value: Any = None, action: str = "approve", seen: int = 5) -> AnswerRequest:
    return AnswerRequest("s1", action, {"ok": True} if value is None else value, offset.encode(seen))


def answered(state: InputState) -> InputState:
    return answer(state, InputAnswered(2_000, "approve:0", "s1", "d", "approve", {"ok": True}, ALICE.by))


STATES = {
    "pending": pending(),
    "answered": answered(pending()),
    "expired": expire(pending(), InputExpired(2_000, "approve:0")),
    "withdrawn": withdraw(pending(), 2_000, DecidedBy("workflow"), "moot"),
}


@pytest.mark.parametrize("status", STATES)
def test_states_are_what_they_are_called(status: str) -> None:
    assert STATES[status].row["status"] == status
    assert STATES[status].pending == (status == "pending")
    assert InputState.loads(STATES[status].dumps()) == STATES[status]


@pytest.mark.parametrize("status", STATES)
@pytest.mark.parametrize("verb", list(Verb))
def test_what_is_not_in_the_table_has_no_effect(status: str, verb: Verb) -> None:
    state = STATES[status]
    moves = {
        Verb.REVISE: lambda: revise(state, InputRevised(3_000, "approve:0", {"title": "New"}), offset.encode(9)),
        Verb.ANSWER: lambda: answered(state),
        Verb.EXPIRE: lambda: expire(state, InputExpired(3_000, "approve:0")),
        Verb.WITHDRAW: lambda: withdraw(state, 3_000, DecidedBy("workflow"), None),
    }
    before = state.dumps()
    after = moves[verb]()
    if (status, verb) in TRANSITIONS:
        assert after.row["status"] == TRANSITIONS[status, verb]
    else:
        assert after is state
    assert state.dumps() == before


def test_a_revision_counts_and_moves_the_offset() -> None:
    changes = {"title": "New", "show": {"n": 1}, "actions": ["ok"], "to": ["user:bob"], "deadline": 9_000, "ui": None}
    state = revise(pending(), InputRevised(3_000, "approve:0", changes), offset.encode(9))
    assert (state.row["revision"], state.row["revised"]) == (1, offset.encode(9))
    assert (state.row["title"], state.row["show"], state.row["actions"]) == ("New", {"n": 1}, ["ok"])
    assert (state.to, state.row["audience"], state.row["ui"]) == (("user:bob",), ["user:bob"], {})
    assert (state.deadline_ms, state.row["deadline"]) == (9_000, "1970-01-01T00:00:09.000Z")
    assert state.row["schema"] == SCHEMA


def test_the_value_is_shown_only_where_it_is_exposed() -> None:
    assert "value" not in answered(pending()).row
    assert answered(pending(expose=True)).row["value"] == {"ok": True}


def test_a_good_answer_is_accepted() -> None:
    assert decide_answer(pending(), given_answer(), ALICE, 2_000) == Accept()
    assert decide_answer(pending(), given_answer(), LOCAL, 2_000) == Accept()
    assert decide_answer(pending(), given_answer(seen=9), ALICE, 2_000) == Accept()


@pytest.mark.parametrize(
    ("status", "error"), [("answered", AlreadyDecided), ("expired", Expired), ("withdrawn", Withdrawn)]
)
def test_a_decided_request_takes_no_answer(status: str, error: type[SignoffError]) -> None:
    with pytest.raises(error) as refused:
        decide_answer(STATES[status], given_answer(), ALICE, 2_000)
    assert refused.value.extra["row"] == STATES[status].row


def test_checks_come_in_order() -> None:
    eve = Who(frozenset({"user:eve"}), DecidedBy("person", "user:eve"))
    everything_wrong = given_answer({"ok": 3}, "shrug", seen=0)
    with pytest.raises(NotInAudience):
        decide_answer(STATES["answered"], everything_wrong, eve, 10_000)
    late = pending(deadline=5_000)
    assert decide_answer(late, everything_wrong, ALICE, 5_000) == ExpireNow()
    with pytest.raises(Stale) as stale:
        decide_answer(late, everything_wrong, ALICE, 4_999)
    assert stale.value.extra["row"]["revised"] == offset.encode(5)
    with pytest.raises(InvalidAnswer) as refused:
        decide_answer(late, given_answer({"ok": 3}, "shrug"), ALICE, 4_999)
    assert refused.value.extra["errors"] == [{"pointer": "", "message": "Choose one of: approve, reject."}]
    with pytest.raises(InvalidAnswer) as refused:
        decide_answer(late, given_answer({"ok": 3}), ALICE, 4_999)
    assert refused.value.extra["errors"][0]["pointer"] == "/ok"


def test_four_eyes() -> None:
    mine = pending(forbid=("user:alice",))
    with pytest.raises(NotInAudience):
        decide_answer(mine, given_answer(), ALICE, 2_000)
    operator = Who(ALICE.principals, ALICE.by, operator=True)
    with pytest.raises(NotInAudience):
        decide_answer(mine, given_answer(), operator, 2_000)
    assert decide_answer(mine, given_answer(), LOCAL, 2_000) == Accept()


def test_rejecting_needs_no_value_but_a_value_is_checked() -> None:
    nothing = AnswerRequest("s1", "reject", None, offset.encode(5))
    assert decide_answer(pending(), nothing, ALICE, 2_000) == Accept()
    with pytest.raises(InvalidAnswer):
        decide_answer(pending(), given_answer({"ok": 1}, "reject"), ALICE, 2_000)
    with pytest.raises(InvalidAnswer):
        decide_answer(pending(), AnswerRequest("s1", "approve", None, offset.encode(5)), ALICE, 2_000)


# -- reading the body --------------------------------------------------------------------------------------------------

BODY = {"submission_id": "s1", "action": "approve", "value": None, "seen_offset": offset.encode(5)}


def test_a_body_is_read() -> None:
    assert parse_answer(BODY) == AnswerRequest("s1", "approve", None, offset.encode(5))
    assert parse_answer(BODY | {"seen_offset": "-1"}).seen_offset == "-1"


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (None, "object"),
        ([], "object"),
        ("x", "object"),
        *[({name: value for name, value in BODY.items() if name != left}, left) for left in BODY],
        (BODY | {"spare": 1}, "spare"),
        (BODY | {"submission_id": 3}, "submission_id"),
        (BODY | {"submission_id": ""}, "submission_id"),
        (BODY | {"submission_id": "x" * 129}, "submission_id"),
        (BODY | {"submission_id": "a\nb"}, "submission_id"),
        (BODY | {"submission_id": "é"}, "submission_id"),
        (BODY | {"action": None}, "action"),
        (BODY | {"action": ""}, "action"),
        (BODY | {"action": "a\x00"}, "action"),
        (BODY | {"action": "x" * 200}, "action"),
        (BODY | {"seen_offset": 5}, "seen_offset"),
        (BODY | {"seen_offset": "now"}, "seen_offset"),
        (BODY | {"seen_offset": "5"}, "seen_offset"),
        (BODY | {"seen_offset": "\u0660" * 16}, "seen_offset"),
        (BODY | {"value": orjson.loads("[" * 70 + "]" * 70)}, "value"),
        (BODY | {"value": orjson.loads('{"a":' * 70 + "1" + "}" * 70)}, "value"),
    ],
)
def test_what_is_wrong_with_a_body_is_named(body: Any, member: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_answer(body)
    assert member in str(refused.value)


def test_values_may_be_nested_within_reason() -> None:
    value = orjson.loads("[" * 60 + "]" * 60)
    assert parse_answer(BODY | {"value": value}).value == value


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text() | st.sampled_from(list(BODY)), inner)),
    max_leaves=10,
)


@given(st.one_of(anything, st.fixed_dictionaries(dict.fromkeys(BODY, anything))))
def test_any_json_is_either_read_or_refused(body: Any) -> None:
    try:
        read = parse_answer(body)
    except BadRequest:
        return
    assert read.submission_id.isascii()
    with suppress(Stale, InvalidAnswer):
        assert decide_answer(pending(), read, ALICE, 2_000) == Accept()


def test_who_is_asked_and_until_when_is_not_what_is_seen() -> None:
    state = revise(
        pending(), InputRevised(3_000, "approve:0", {"to": ["user:bob"], "deadline": 9_000}), offset.encode(9)
    )
    assert (state.row["revision"], state.row["revised"]) == (1, offset.encode(5))
    assert (state.row["audience"], state.deadline_ms) == (["user:bob"], 9_000)
    bob = Who(frozenset({"user:bob"}), DecidedBy("person", "user:bob"))
    assert decide_answer(state, given_answer(), bob, 4_000) == Accept()


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("title", "New"),
        ("description", "new"),
        ("schema", {"type": "object"}),
        ("ui", {"order": ["ok"]}),
        ("show", {"n": 1}),
        ("initial", {"ok": True}),
        ("actions", ["approve"]),
    ],
)
def test_what_is_seen_moves_the_offset_if_it_is_another(member: str, value: Any) -> None:
    once = revise(pending(), InputRevised(3_000, "approve:0", {member: value}), offset.encode(9))
    assert once.row["revised"] == offset.encode(9)
    again = revise(once, InputRevised(4_000, "approve:0", {member: value, "to": ["user:bob"]}), offset.encode(11))
    assert (again.row["revision"], again.row["revised"]) == (2, offset.encode(9))


def test_one_and_true_are_not_the_same_to_look_at() -> None:
    state = revise(pending(), InputRevised(3_000, "approve:0", {"show": {"n": 1}}), offset.encode(9))
    assert revise(state, InputRevised(4_000, "approve:0", {"show": {"n": True}}), offset.encode(11)).row[
        "revised"
    ] == offset.encode(11)


def test_going_back_takes_half_a_page_and_not_a_book() -> None:
    entry = InputRequested(
        1_000, "page:0", {"title": "?", "schema": SCHEMA, "actions": ["submit", "back"]}, ("user:a",)
    )
    state = ask(entry, "r1", "wizard", offset.encode(5))
    for half in ({"ok": "not yet"}, {}, 3, [None], "x" * (MOST_BACK - 2)):
        assert decide_answer(state, given_answer(half, "back"), LOCAL, 2_000) == Accept()
    assert decide_answer(state, AnswerRequest("s1", "back", None, offset.encode(5)), LOCAL, 2_000) == Accept()
    with pytest.raises(InvalidAnswer) as refused:
        decide_answer(state, given_answer("x" * (MOST_BACK - 1), "back"), LOCAL, 2_000)
    assert refused.value.extra["errors"][0]["pointer"] == ""
    with pytest.raises(InvalidAnswer):
        decide_answer(state, given_answer({"ok": "not yet"}, "submit"), LOCAL, 2_000)
    with pytest.raises(InvalidAnswer, match="does not match"):  # where it is not offered
        decide_answer(pending(), given_answer({}, "back"), ALICE, 2_000)
