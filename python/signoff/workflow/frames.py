"""Where an exception was raised, as the journal keeps it: some frames, in bounded size, the innermost last."""

from __future__ import annotations

import linecache
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Final

from signoff.workflow.entry import Error, StackFrame

MOST: Final = 20
"""Frames kept, those nearest to the place."""

MOST_TEXT: Final = 4_000
"""Characters kept of them together."""

_LONGEST: Final = 300
_OURS: Final = str(Path(__file__).parent.parent)


def frames_of(error: BaseException) -> tuple[StackFrame, ...]:
    """Return where an exception passed, without the engine's own frames unless there are no others.

    Nothing of the exception runs: it may be anybody's.
    """
    trace: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)
    theirs: deque[tuple[str, int, str]] = deque(maxlen=MOST)
    ours: deque[tuple[str, int, str]] = deque(maxlen=MOST)
    while trace is not None:
        code = trace.tb_frame.f_code
        kept = ours if code.co_filename.startswith(_OURS) else theirs
        kept.append((code.co_filename, trace.tb_lineno or 0, code.co_qualname))
        trace = trace.tb_next
    found: list[StackFrame] = []
    room = MOST_TEXT
    for file, line, function in reversed(theirs or ours):
        frame = StackFrame(_text(file[-_LONGEST:]), line, _text(function[-_LONGEST:]), _text(_source(file, line)))
        room -= len(frame.file) + len(frame.function) + len(frame.source)
        if room < 0:
            break
        found.append(frame)
    return tuple(reversed(found))


def traceback_of(error: Error) -> str:
    """Return an error as people know it from Python.

    Example:
        >>> frames = (StackFrame("a.py", 3, "pay"),)
        >>> print(traceback_of(Error("value_error", "no", "builtins.ValueError", frames=frames)))
        Traceback (most recent call last):
          File "a.py", line 3, in pay
        builtins.ValueError: no
    """
    lines = ["Traceback (most recent call last):"] if error.frames else []
    for frame in error.frames:
        lines.append(f'  File "{frame.file}", line {frame.line}, in {frame.function}')
        lines += [f"    {frame.source}"] if frame.source else []
    return "\n".join([*lines, f"{error.type or error.code}: {error.message}"])


def _source(file: str, line: int) -> str:
    try:
        return linecache.getline(file, line).strip()[:_LONGEST]
    except Exception:  # a file that is no source, or is gone
        return ""


def _text(text: str) -> str:
    return text.encode(errors="replace").decode()
