"""Keep workflow code from reaching into the world: files, sockets, processes, threads and sleeping.

Python reports such acts to audit hooks. Ours is installed once and does nothing but look at a set while no machine
runs in this thread. What the interpreter does for itself (importing modules, reading source lines for a traceback,
time zone data) and what logging writes is let through.
"""

from __future__ import annotations

import sys
from threading import get_ident
from types import FrameType
from typing import Any

from signoff.errors import NotAllowedInWorkflow

_ACTS = {
    "open": "open a file",
    "time.sleep": "block with time.sleep (use ctx.sleep or asyncio.sleep)",
    "subprocess.Popen": "start a process",
    "os.system": "start a process",
    "os.exec": "start a process",
    "os.posix_spawn": "start a process",
    "os.spawn": "start a process",
    "os.fork": "fork",
    "os.listdir": "list a folder",
    "os.scandir": "list a folder",
    "os.mkdir": "make a folder",
    "os.remove": "delete a file",
    "os.rename": "rename a file",
    "os.rmdir": "delete a folder",
    "_thread.start_new_thread": "start a thread",
    "_thread.start_joinable_thread": "start a thread",
    "socket.__new__": "use the network",
    "socket.connect": "use the network",
    "socket.getaddrinfo": "use the network",
    "socket.gethostbyname": "use the network",
    "sqlite3.connect": "open a database",
    "urllib.Request": "use the network",
}

_ALLOWED = ("importlib", "_frozen_importlib", "zipimport", "linecache", "traceback", "tokenize", "zoneinfo", "logging")
_running: set[int] = set()
_installed = False


def enter() -> None:
    """Begin to watch this thread."""
    global _installed  # noqa: PLW0603 - an audit hook can be added once and never removed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)
    _running.add(get_ident())


def leave() -> None:
    """Stop watching this thread."""
    _running.discard(get_ident())


def refusal(act: str) -> NotAllowedInWorkflow:
    """Return the error for an act that workflow code must not do itself."""
    return NotAllowedInWorkflow(
        f"Workflow code cannot {act}: it runs again on every replay. Do it in a step: "
        'await ctx.step("name", function, ...).'
    )


def _hook(event: str, _args: tuple[Any, ...]) -> None:
    if _running and event in _ACTS and get_ident() in _running and not _for_the_interpreter():
        raise refusal(_ACTS[event])


def _for_the_interpreter() -> bool:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if isinstance(module, str) and module.partition(".")[0] in _ALLOWED:
            return True
        if module == "signoff.workflow.loop":
            return False
        frame = frame.f_back
    return False
