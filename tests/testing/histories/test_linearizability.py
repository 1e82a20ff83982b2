"""The search for an order: against all orders, on histories small enough to try them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.testing.histories import linearizability
from signoff.testing.histories.linearizability import SearchTooLong, check
from signoff.testing.histories.recording import RecordedCall


class Cell:
    """One value: `set` to it, or `get` it."""

    initial = 0

    def step(self, state: int, operation: RecordedCall) -> Iterable[int]:
        if operation.name == "set":
            return [operation.given]
        return [state] if operation.unknown or operation.result == state else []


def set_(value: int, called: int, returned: int | None = None) -> RecordedCall:
    return RecordedCall(f"c{called}", "x", "set", value, called, returned, None)


def get(result: int, called: int, returned: int) -> RecordedCall:
    return RecordedCall(f"c{called}", "x", "get", None, called, returned, result)


def test_what_came_one_after_the_other_is_judged_in_that_order() -> None:
    assert check([set_(1, 0, 1), get(1, 2, 3)], Cell()) is None
    assert check([set_(1, 0, 1), get(0, 2, 3)], Cell()) is not None
    assert check([set_(1, 0, 1), set_(2, 2, 3), get(1, 4, 5)], Cell()) is not None


def test_what_overlaps_may_come_in_either_order() -> None:
    assert check([set_(1, 0, 3), get(0, 1, 2)], Cell()) is None
    assert check([set_(1, 0, 3), get(1, 1, 2)], Cell()) is None
    assert check([set_(1, 0, 9), get(1, 1, 2), get(0, 3, 4)], Cell()) is not None, "it cannot have been undone"


def test_what_had_no_reply_may_have_happened_at_any_time_or_never() -> None:
    assert check([set_(1, 0), get(0, 1, 2), get(0, 3, 4)], Cell()) is None
    assert check([set_(1, 0), get(0, 1, 2), get(1, 3, 4)], Cell()) is None
    assert check([set_(1, 0), get(1, 1, 2), get(0, 3, 4)], Cell()) is not None
    assert check([get(1, 1, 2), set_(1, 3)], Cell()) is not None, "not before it was called"


def test_subjects_have_nothing_to_do_with_each_other() -> None:
    other = RecordedCall("c", "y", "get", None, 2, 3, 0)
    assert check([set_(1, 0, 1), other], Cell()) is None
    wrong = RecordedCall("c", "y", "get", None, 2, 3, 1)
    found = check([set_(1, 0, 1), wrong], Cell())
    assert found is not None
    assert (found.subject, found.stuck) == ("y", (wrong,))


def test_a_violation_tells_how_far_it_could_be_explained() -> None:
    first, late = set_(1, 0, 1), get(7, 2, 3)
    found = check([first, late], Cell())
    assert found is not None
    assert (found.order, found.state, found.stuck) == ((first,), 1, (late,))
    assert "c2 get None -> 7" in str(found)


def test_a_search_that_takes_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linearizability, "MOST_TRIED", 50)
    many = [set_(value, value, 100) for value in range(1, 9)]
    with pytest.raises(SearchTooLong):
        check([*many, get(99, 101, 102)], Cell())


def _by_trying_all(operations: Sequence[RecordedCall]) -> bool:
    """Decide by the definition: some order of all with a reply, and some without, keeps to time and to the model."""
    known = [one for one in operations if not one.unknown]
    lost = [one for one in operations if one.unknown]
    chosen = [[*known, *some] for count in range(len(lost) + 1) for some in combinations(lost, count)]
    return any(_fits(order) for some in chosen for order in permutations(some))


def _fits(order: Sequence[RecordedCall]) -> bool:
    for number, one in enumerate(order):
        if any(later.returned is not None and later.returned < one.called for later in order[number + 1 :]):
            return False
    state = 0
    for one in order:
        if not (after := list(Cell().step(state, one))):
            return False
        [state] = after
    return True


@st.composite
def _histories(draw: st.DrawFn) -> list[RecordedCall]:
    operations = []
    for number in range(draw(st.integers(1, 6))):
        called = 2 * draw(st.integers(0, 9)) + 20 * (number % 2) * draw(st.booleans())
        length = draw(st.none() | st.integers(0, 6))
        returned = None if length is None else called + 1 + 2 * length
        value = draw(st.integers(0, 2))
        operations.append(
            get(value, called, returned) if draw(st.booleans()) and returned else set_(value, called, returned)
        )
    return operations


@given(_histories())
def test_it_decides_as_trying_all_orders_does(operations: list[RecordedCall]) -> None:
    assert (check(operations, Cell()) is None) == _by_trying_all(operations)
