"""What is said of an outage: that it has begun, once a minute that it lasts, and that it is over.

A part that tries again every second would say the same every second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

REMIND_S: Final = 60.0
"""Seconds between two lines about one outage."""

APART_S: Final = 10.0
"""Seconds after such a line in which another outage that begins is not worth one: what comes and goes says so once."""


class OutageLog:
    """The lines in a log about what one part of Signoff cannot do for now.

    Args:
        log: where they go, as warnings.
        what: cannot be done, e.g. `inboxes and listings lag behind`.
        now: tells seconds.

    Example:
        >>> outage = OutageLog(logging.getLogger("signoff"), "inboxes and listings lag behind")
        >>> outage.failed(ConnectionError("nothing listens there"))
        >>> outage.over()
    """

    def __init__(self, log: logging.Logger, what: str, now: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._what = what
        self._now = now
        self._since: float | None = None
        self._told = False
        self._told_at = -REMIND_S

    def failed(self, error: object) -> None:
        """Note that it could not be done once more.

        Args:
            error: why.
        """
        now = self._now()
        if self._since is None:
            self._since, self._told = now, False
        if now - self._told_at < (REMIND_S if self._told else APART_S):
            return
        lasting = f", for {now - self._since:.0f} s now" if self._told else ""
        self._told, self._told_at = True, now
        self._log.warning("%s%s: %s", self._what, lasting, error)

    def over(self) -> None:
        """Note that it could be done."""
        if self._since is None:
            return
        since, self._since = self._since, None
        if self._told:
            self._log.warning("over after %.0f s: %s", self._now() - since, self._what)
