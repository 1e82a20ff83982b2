from __future__ import annotations

import pytest

from signoff.server.http.prefer import preferred_wait_s


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], 10.0),
        (["wait=3"], 3.0),
        (["wait=0"], 0.0),
        (["WAIT = 5"], 5.0),
        (['wait="7"'], 7.0),
        (["wait=4; foo"], 4.0),
        (["wait=9999"], 60.0),
        (["respond-async"], 0.0),
        (["respond-async, wait=2"], 2.0),
        (["respond-async", "wait=2"], 2.0),
        (["wait=1", "wait=2"], 1.0),
        (["wait=-1"], 10.0),
        (["wait=soon"], 10.0),
        (["return=minimal"], 10.0),
    ],
)
def test_what_cannot_be_understood_is_not_said(given: list[str], expected: float) -> None:
    scope = {"headers": [(b"prefer", one.encode()) for one in given]}
    assert preferred_wait_s(scope, 10.0) == expected
