from __future__ import annotations

from typing import Any

import pytest

from signoff.server.forms import page

ROW: dict[str, Any] = {
    "title": "Pay?",
    "choices": {"yes": {"label": "Pay it"}, "no": {"label": "Not"}},
    "votes": [
        {"action": "no", "by": {"kind": "person", "id": "user:bora"}},
        {"action": "yes", "by": {"kind": "person", "id": "user:alice"}},
    ],
    "quorum": {"need": 2},
    "action": None,
}


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        ("accepted", "<h1>Thank you</h1>"),
        ("voted", "“Pay?”: Pay it. 1 of 2 agree so far."),
        ("validating", "“Pay?”: Pay it. Your answer is being checked; it is kept until then."),
    ],
)
def test_each_outcome_has_a_page(outcome: str, says: str) -> None:
    assert says in page.accepted_page(ROW, outcome, "yes").decode()


def test_a_used_link_tells_what_its_own_holder_chose() -> None:
    assert "Pay it. 1 of 2" in page.used_page(ROW, "voted", "user:alice").decode()
    assert "Not. 1 of 2" in page.used_page(ROW, "voted", "user:bora").decode()
    assert "Not. Your answer is recorded" in page.used_page(ROW | {"action": "no"}, "accepted", "user:alice").decode()
    assert "your answer is recorded" in page.used_page(ROW, "accepted", "user:alice").decode()


def test_nothing_but_the_style_of_the_page_is_let_in() -> None:
    assert "script" not in page.POLICY
    assert page.POLICY.startswith("default-src 'none'; style-src 'sha256-")
