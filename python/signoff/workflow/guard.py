"""Keep workflow code from reaching into the world: files, sockets, processes, threads, the clock and chance.

Python reports many such acts to audit hooks. Ours is installed once and does nothing but look at a set while no machine
runs in this thread. For clocks, chance and what is known of files there is no event: those functions are exchanged
while a machine runs. What is written in C and cannot be exchanged (`datetime.now`) is found by `source.py`. What the
interpreter does for itself (importing modules, reading source lines for a traceback, time zone data) and what logging
does is let through.
"""

from __future__ import annotations

import _thread
import functools
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Callable
from operator import itemgetter
from threading import get_ident
from types import FrameType
from typing import Any

from signoff.errors import NotAllowedInWorkflow

_ACTS = {
    "open": "open a file",
    "builtins.input": "read what somebody types",
    "time.sleep": "block with time.sleep (use ctx.sleep or asyncio.sleep)",
    **dict.fromkeys(
        ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile"), "start a process"
    ),
    **dict.fromkeys(("os.fork", "os.forkpty", "pty.spawn"), "fork"),
    **dict.fromkeys(("os.listdir", "os.scandir", "os.walk", "os.fwalk", "glob.glob"), "list a folder"),
    "os.mkdir": "make a folder",
    "os.remove": "delete a file",
    "os.rename": "rename a file",
    "os.rmdir": "delete a folder",
    "os.chdir": "change the working folder",
    **dict.fromkeys(
        ("os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate", "os.utime", "os.getxattr", "os.listxattr"),
        "touch a file",
    ),
    **dict.fromkeys(("tempfile.mkstemp", "tempfile.mkdtemp", "mmap.__new__"), "make a file"),
    **dict.fromkeys(("os.putenv", "os.unsetenv"), "change the environment"),
    **dict.fromkeys(("os.kill", "os.killpg", "signal.pthread_kill"), "send a signal"),
    **dict.fromkeys(("_thread.start_new_thread", "_thread.start_joinable_thread"), "start a thread"),
    **dict.fromkeys(
        (
            *("socket.__new__", "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"),
            *("socket.getnameinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getservbyname"),
            *("urllib.Request", "http.client.connect", "ftplib.connect", "smtplib.connect", "imaplib.open"),
        ),
        "use the network",
    ),
    **dict.fromkeys(("socket.gethostname", "socket.sethostname"), "ask for the name of its machine"),
    "sqlite3.connect": "open a database",
    "webbrowser.open": "open a browser",
}

_CLOCK = "read the clock (use ctx.now())"
_CHANCE = "use random (use ctx.random(), or ctx.uuid())"
_FILE = "look at a file"
_EXCHANGED = (
    (time, dict.fromkeys(("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"), _CLOCK)),
    (random, {"random": _CHANCE}),
)
"""What raises no audit event and is too fast for a detour: exchanged while workflow code runs in any thread."""

_KEPT = (
    (time, "sleep", _ACTS["time.sleep"]),  # before 3.13 there is no event for it
    (time, "process_time", _CLOCK),
    (random, "seed", _CHANCE),
    (random, "getrandbits", _CHANCE),
    (random, "_urandom", _CHANCE),  # of SystemRandom, and so of secrets
    (os, "urandom", _CHANCE),  # and so of uuid4
    (uuid, "uuid1", _CHANCE),
    (os, "stat", _FILE),  # and so of os.path and pathlib
    (os, "lstat", _FILE),
    (os, "access", _FILE),
    (os, "getcwd", "ask for the working folder"),
    (os, "getpid", "ask for its process"),
    (threading.Thread, "start", "start a thread"),  # Python 3.11 has no event for it, nor for the next
    (_thread, "start_new_thread", "start a thread"),
    (type(os.environ), "__getitem__", "read the environment"),
)
"""What raises no audit event and takes its time anyway: looked at for good once a machine has run."""

_ALLOWED = frozenset(
    (
        *("importlib", "_frozen_importlib", "_frozen_importlib_external", "zipimport", "zoneinfo"),
        *("linecache", "traceback", "tokenize", "_colorize", "warnings", "inspect"),
        *("logging", "loguru", "structlog", "opentelemetry", "sentry_sdk", "coverage", "bdb", "_pydevd_bundle"),
    )
)
"""What the interpreter does for itself, and what tells people what the code does: top-level modules."""

_THROUGH = frozenset(("os", "collections", "_collections_abc", "posixpath", "ntpath", "genericpath", "pathlib"))
_LIBRARIES = frozenset(("pydantic", "jsonschema"))
"""What workflow code uses as it uses the language. Only what these ask for themselves is let through, not what they
call for the user, such as a `default_factory`."""

_FRAMEWORKS = {"pydantic_ai", "pydantic_graph"}
"""What runs agents in workflow code, by an adapter. They time and number what they do for those who watch them; what
calls for models and tools is steps, and does not depend on it. Adapters name more of them: see `let_frameworks`."""

_THEIRS = frozenset(("uuid", "random", "secrets", "time", "datetime", "contextlib", "functools", "asyncio"))
"""What may stand between a framework and what it looks at."""

_OURS = ("signoff.workflow.loop", "signoff.workflow.machine")

_ABILITIES: tuple[Any, ...] = (
    *(os.supports_dir_fd, os.supports_effective_ids),
    *(os.supports_fd, os.supports_follow_symlinks),
)
"""What functions of `os` can do, as sets of the functions."""

_LOOKED_AT = frozenset((_CLOCK, _CHANCE, _FILE, "ask for its process", "read the environment"))
"""What frameworks may do: they look, and change nothing."""

_running: set[int] = set()
_installed = False


class _RefusedFunctions:
    """Functions of one module that are refused to workflow code; exchanged and put back at each turn of a machine."""

    __slots__ = ("_names", "_originals", "_read", "_seen", "_watched", "_watching")

    def __init__(self, module: Any, acts: dict[str, str]) -> None:
        self._names = vars(module)
        self._originals = {name: self._names[name] for name in acts}
        self._watched = {name: self._watch(name, act) for name, act in acts.items()}
        # One look at all of them, and one comparison: this is done for every step of every run.
        self._read = itemgetter(*acts)
        self._seen, self._watching = self._read(self._originals), self._read(self._watched)

    def _watch(self, name: str, act: str) -> Callable[..., Any]:
        @functools.wraps(self._originals[name])
        def watched(*args: Any, **options: Any) -> Any:
            if get_ident() in _running:
                check(act)
            return self._originals[name](*args, **options)  # whoever imports a name meanwhile keeps this one

        return watched

    def begin(self) -> None:
        """Put the watched functions in their place."""
        names = self._names
        if self._read(names) != self._seen:  # a test has put others there
            self._originals = {name: names[name] for name in self._originals}
            self._seen = self._read(names)
        names.update(self._watched)

    def end(self) -> None:
        """Put the functions back, but not where somebody else has put others meanwhile."""
        names = self._names
        if self._read(names) == self._watching:
            names.update(self._originals)
            return
        for name, original in self._originals.items():
            if names[name] is self._watched[name]:
                names[name] = original


_clocks, _numbers = (_RefusedFunctions(module, acts) for module, acts in _EXCHANGED)


def _watch_chance(generator: Any) -> dict[str, Callable[..., Any]]:
    number, bits = generator.random, generator.getrandbits

    def watched_number() -> float:
        if get_ident() in _running:
            check(_CHANCE)
        return float(number())

    def watched_bits(k: int, /) -> int:
        if get_ident() in _running:
            check(_CHANCE)
        return int(bits(k))

    return {"random": watched_number, "getrandbits": watched_bits}


_generator: Any = getattr(random, "_inst", random.Random(0))  # noqa: S311 - stands where there is none
_generators: dict[str, Any] = vars(_generator)
_chance = {"random": _generator.random, "getrandbits": _generator.getrandbits}
_watched_chance = _watch_chance(_generator)
_generators.update(_chance)
"""What the generator behind the functions of `random` (`randint`, `choice` and the rest) asks itself for: attributes of
its own that hide its class's, so that they can be exchanged."""


def enter() -> bool:
    """Begin to watch this thread; tell whether that is new."""
    me = get_ident()
    if me in _running:
        return False
    first = not _running
    _running.add(me)
    if first:
        if not _installed:
            _install()
        _clocks.begin()
        _numbers.begin()
        _generators.update(_watched_chance)
    return True


def leave() -> None:
    """Stop watching this thread."""
    _running.discard(get_ident())
    if not _running:
        _clocks.end()
        _numbers.end()
        _generators.update(_chance)


def watching() -> bool:
    """Tell whether workflow code runs in this thread now."""
    return get_ident() in _running


def check(act: str) -> None:
    """Refuse an act to workflow code, but not to what the interpreter does for itself.

    Raises:
        NotAllowedInWorkflow: the code itself does it.
    """
    if not _for_the_interpreter(by_frameworks=act in _LOOKED_AT):
        raise refusal(act)


def let_frameworks(*packages: str) -> None:
    """Let frameworks look at the clock, at chance and at their settings for themselves; what they call is held to all.

    An adapter says so of those that it knows to decide nothing by it that reaches the journal.

    Args:
        packages: top-level names of modules.
    """
    _FRAMEWORKS.update(packages)


def _install() -> None:
    """Install once what cannot be taken away again or costs nothing: the audit hook, and methods of rare use."""
    global _installed  # noqa: PLW0603 - an audit hook can be added once and never removed
    _installed = True
    sys.addaudithook(_hook)
    for owner, name, act in _KEPT:
        _refuse(owner, name, act)
    for module, pool in (("thread", "ThreadPoolExecutor"), ("process", "ProcessPoolExecutor")):
        loaded = sys.modules.get(f"concurrent.futures.{module}")
        if loaded is not None:
            _refuse(getattr(loaded, pool), "submit", "run code in a thread or process")


def _refuse(owner: Any, name: str, act: str) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def watched(*args: Any, **options: Any) -> Any:
        if _running and get_ident() in _running:
            check(act)
        return original(*args, **options)

    setattr(owner, name, watched)
    for abilities in _ABILITIES:  # shutil and others ask whether `os.stat` itself is among these
        if original in abilities:
            abilities.add(watched)


def refusal(act: str, instead: str = 'Do it in a step: await ctx.step("name", function, ...).') -> NotAllowedInWorkflow:
    """Return the error for an act that workflow code must not do itself."""
    return NotAllowedInWorkflow(f"Workflow code cannot {act}: it runs again on every replay. {instead}")


def endless() -> NotAllowedInWorkflow:
    """Return the error for code that goes on and on without waiting for anything of the world."""
    return NotAllowedInWorkflow(
        "Workflow code must not loop without end: wait for a step, a timer, an event or an input (ctx.step, ctx.sleep, "
        "ctx.await_event, ctx.await_input)."
    )


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _running and event in _ACTS and get_ident() in _running:
        if event == "open" and _is_time_zone(args[0]):
            return
        check(_ACTS[event])


def _for_the_interpreter(*, by_frameworks: bool) -> bool:
    frame: FrameType | None = sys._getframe(2)
    direct, theirs = True, by_frameworks
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if isinstance(module, str):
            top = module.partition(".")[0]
            if top in _ALLOWED or (direct and top in _LIBRARIES) or (theirs and top in _FRAMEWORKS):
                return True
            if module in _OURS:
                return False
            direct = direct and (top in _THROUGH or module == __name__)
            theirs = theirs and (top in _THROUGH or top in _THEIRS or module == __name__)
        frame = frame.f_back
    return False


def _is_time_zone(path: object) -> bool:
    zones = sys.modules.get("zoneinfo")
    return zones is not None and isinstance(path, str) and path.startswith(tuple(zones.TZPATH))
