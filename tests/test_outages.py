"""An outage is told of when it begins, once a minute, and when it is over."""

from __future__ import annotations

import logging

import pytest

from signoff.outages import OutageLog


class Outage:
    """A log of outages whose time is told by the test."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.at = 1_000.0
        self.log = OutageLog(logging.getLogger("signoff.test"), "nothing is placed", lambda: self.at)
        self._caplog = caplog

    def fails(self, seconds: int) -> None:
        """Fail once a second."""
        for _ in range(seconds):
            self.log.failed(ConnectionError("nobody is there"))
            self.at += 1

    def said(self) -> list[str]:
        said = [record.getMessage() for record in self._caplog.records]
        self._caplog.clear()
        return said


def test_it_is_told_once_that_it_begins_and_once_that_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(caplog)
    outage.log.over()
    assert outage.said() == []
    outage.fails(59)
    assert outage.said() == ["nothing is placed: nobody is there"]
    outage.log.over()
    outage.log.over()
    assert outage.said() == ["over after 59 s: nothing is placed"]


def test_one_that_lasts_is_told_of_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(caplog)
    outage.fails(181)
    assert outage.said() == [
        "nothing is placed: nobody is there",
        "nothing is placed, for 60 s now: nobody is there",
        "nothing is placed, for 120 s now: nobody is there",
        "nothing is placed, for 180 s now: nobody is there",
    ]


def test_what_comes_and_goes_says_so_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(caplog)
    for _ in range(60):
        outage.fails(1)
        outage.log.over()
    assert len(outage.said()) == 12


def test_another_one_is_told_of_although_it_comes_soon(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(caplog)
    outage.fails(5)
    outage.log.over()
    outage.fails(30)
    outage.log.over()
    assert outage.said() == [
        "nothing is placed: nobody is there",
        "over after 5 s: nothing is placed",
        "nothing is placed: nobody is there",
        "over after 30 s: nothing is placed",
    ]
