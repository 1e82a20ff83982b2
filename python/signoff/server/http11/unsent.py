"""What was written to a client and has not reached it yet, and since when too little of it has moved."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

try:
    from fcntl import ioctl
    from termios import TIOCOUTQ
except ImportError:  # not on Windows: what the system holds is not seen there
    ioctl = None  # type: ignore[assignment]


class UnsentBytes:
    """What one client has yet to take, watched.

    Args:
        transport: with something in its buffer.
        now: in the seconds of the loop.
    """

    __slots__ = ("_last", "_since", "_transport")

    def __init__(self, transport: asyncio.Transport, now: float) -> None:
        self._transport = transport
        self._last = self.left()
        self._since = now

    def stuck(self, now: float, within: float, least: int) -> bool:
        """Look, and tell whether the client has taken too little for longer than `within` seconds.

        Args:
            least: bytes it has to take in that time, if there are so many.
        """
        left = self.left()
        if left > self._last or self._last - left >= min(least, self._last):
            self._last, self._since = left, now
        return now - self._since > within

    def left(self) -> int:
        """Return how many bytes the client has not confirmed.

        The system's own buffer counts: it takes more from ours only when a good part of it, which may be megabytes, is
        free, and until then a slow client would look like a stuck one.
        """
        ours = self._transport.get_write_buffer_size()
        socket: Any = self._transport.get_extra_info("socket")
        if ioctl is None or socket is None:
            return ours
        try:
            theirs = ioctl(socket.fileno(), TIOCOUTQ, b"\0" * 4)
        except OSError:
            return ours
        return ours + int.from_bytes(theirs, sys.byteorder)
