"""How far this machine's clock is from that of the server whose leases we hold.

Leases are promises between machines, so their times are those of one clock: the server's. Callers reckon with their own
(`now`, `until`), and a store on a server shifts what they say where the two clocks differ by more than the looks at
them can be wrong. Below that nothing is shifted: what comes back is what was given.
"""

from __future__ import annotations

from typing import Final

TOLERANCE_MS: Final = 1_000
"""Milliseconds by which clocks may differ without anything being shifted. Leases are many times as long."""

LOOK_EVERY_S: Final = 60.0
"""Seconds after which another look at the server's clock is due."""


class ServerClock:
    """What is known of the server's clock. Pure: whoever asks the server notes the answer.

    Example:
        >>> clock = ServerClock()
        >>> clock.note(before=1_000, server=61_010, after=1_020)
        >>> clock.shift
        60000
        >>> clock.at_server(1_000)
        61000
    """

    def __init__(self) -> None:
        self.shift = 0

    def note(self, before: int, server: int, after: int) -> None:
        """Note what the server's clock said (ms) between two looks at our own; what took long tells little."""
        apart = server - (before + after) // 2
        unsure = (after - before) // 2
        self.shift = apart if abs(apart) > TOLERANCE_MS + unsure else 0

    def at_server(self, ours: int) -> int:
        """Return what the server's clock says when ours says this."""
        return ours + self.shift

    def at_home(self, theirs: int) -> int:
        """Return what our clock says when the server's says this."""
        return theirs - self.shift
