from __future__ import annotations

import pytest

from signoff import paths
from signoff.streams.path import engine_owned


@pytest.mark.parametrize(
    ("path", "where"),
    [
        (paths.run_path("r1"), "runs/r1"),
        (paths.journal_path("r1"), "runs/r1/journal"),
        (paths.inbox_path("user:alice"), "inbox/user:alice"),
        (paths.listing_path("expense"), "workflows/expense"),
        (paths.notifications_path("r1"), "notifications/1"),
    ],
)
def test_the_engines_streams_are_where_the_protocol_says_and_its_own(path: str, where: str) -> None:
    assert path == where
    assert engine_owned(path)


def test_what_is_of_a_run_is_its_stream_and_its_journal() -> None:
    assert paths.is_of_a_run(paths.run_path("r1"))
    assert paths.is_of_a_run(paths.journal_path("r1"))
    assert not paths.is_of_a_run(paths.inbox_path("user:alice"))
    assert not paths.is_of_a_run("runsheet")
