"""What one of several server processes has of the process that started it: the socket, and a line between the two.

The child says on it that it serves. The parent says that it is to end; that the parent has died ends the line, and
means the same. It is said on a line and not by a signal, because who ends a whole group of processes (Ctrl-C, systemd)
sends a signal to parent and children, and a second one would end the children at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from typing import Final

VARIABLE: Final = "SIGNOFF_SERVER_PROCESS"
"""Tells a child that it is one: the descriptors of the bound socket and of its end of the line, and its number."""

SERVES: Final = b"s"
"""The child accepts connections."""

END: Final = b"e"
"""The child is to end."""

LEAVE: Final = b"l"
"""The child is to end, while others go on on the same address: its clients are sent to them first."""


class ParentLine:
    """The child's end, as a part of its process: that the parent wants it to end ends all parts.

    Args:
        listening: the bound socket.
        line: the end of the line.
        number: which of the parent's children this is, from 1 on.

    Attributes:
        listening: the bound socket, which the parent keeps open.
    """

    def __init__(self, listening: socket.socket, line: socket.socket, number: int) -> None:
        self.listening = listening
        self.number = number
        self._line = line
        self._leave: Callable[[], None] | None = None

    @classmethod
    def inherited(cls) -> ParentLine | None:
        """Take what the parent left; None: this process was started by nobody of ours."""
        told = os.environ.pop(VARIABLE, None)
        if told is None:
            return None
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it is the parent's; a terminal that is closed sends it to all
        *descriptors, number = map(int, told.split())
        listening, line = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        line.setblocking(False)
        return cls(listening, line, number)

    @staticmethod
    def variable(listening: socket.socket, line: socket.socket, number: int) -> str:
        """Return what `VARIABLE` is for a child that inherits these two, and has this number."""
        return f"{listening.fileno()} {line.fileno()} {number}"

    def serves(self) -> None:
        """Tell the parent that connections are accepted."""
        with contextlib.suppress(OSError):  # if it has died, the end of the line tells so
            self._line.send(SERVES)

    def on_leave(self, act: Callable[[], None]) -> None:
        """Call `act` before this process ends for others to take over."""
        self._leave = act

    async def run(self) -> None:
        """Wait until the parent wants this process to end, or has died."""
        loop = asyncio.get_running_loop()
        try:
            said = await loop.sock_recv(self._line, 1)
        except OSError:
            said = b""
        if said == LEAVE and self._leave is not None:
            self._leave()

    async def stop(self) -> None:
        """Wait for nothing more."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
