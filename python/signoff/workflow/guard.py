"""Keep workflow code from reaching into the world: files, sockets, processes, threads and sleeping.

Python reports such acts to audit hooks. Ours is installed once and does nothing but look at a set while no machine
runs in this thread. What the interpreter does for itself (importing modules, reading source lines for a traceback,
time zone data) and what logging writes is let through.
"""

from __future__ import annotations

import sys
import time
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
_sleep = time.sleep


def enter() -> None:
    """Begin to watch this thread."""
    global _installed, _sleep  # noqa: PLW0603 - an audit hook can be added once and never removed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)
    _running.add(get_ident())
    if time.sleep is not _watched_sleep:
        # Python before 3.13 does not report sleeping to audit hooks.
        _sleep, time.sleep = time.sleep, _watched_sleep


def leave() -> None:
    """Stop watching this thread."""
    _running.discard(get_ident())
    if not _running and time.sleep is _watched_sleep:
        time.sleep = _sleep


def refusal(act: str) -> NotAllowedInWorkflow:
    """Return the error for an act that workflow code must not do itself."""
    return NotAllowedInWorkflow(
        f"Workflow code cannot {act}: it runs again on every replay. Do it in a step: "
        'await ctx.step("name", function, ...).'
    )


def endless() -> NotAllowedInWorkflow:
    """Return the error for code that goes on and on without waiting for anything of the world."""
    return NotAllowedInWorkflow(
        "Workflow code must not loop without end: wait for a step, a timer, an event or an input (ctx.step, ctx.sleep, "
        "ctx.await_event, ctx.await_input)."
    )


def _watched_sleep(seconds: Any, /) -> None:
    if get_ident() in _running:
        raise refusal(_ACTS["time.sleep"])
    _sleep(seconds)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _running and event in _ACTS and get_ident() in _running and not _for_the_interpreter(event, args):
        raise refusal(_ACTS[event])


def _for_the_interpreter(event: str, args: tuple[Any, ...]) -> bool:
    if event == "open" and _is_time_zone(args[0]):
        return True
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if isinstance(module, str) and module.partition(".")[0] in _ALLOWED:
            return True
        if module == "signoff.workflow.loop":
            return False
        frame = frame.f_back
    return False


def _is_time_zone(path: object) -> bool:
    zones = sys.modules.get("zoneinfo")
    return zones is not None and isinstance(path, str) and path.startswith(tuple(zones.TZPATH))
