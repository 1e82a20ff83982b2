"""How an exception stands in the journal."""

from __future__ import annotations

import re
from typing import Any

from signoff.errors import (
    EventTimedOut,
    InputExpired,
    NonDeterminism,
    PublicError,
    SignoffError,
    StepFailed,
    WorkflowStuck,
)
from signoff.workflow import codec
from signoff.workflow.entry import Error, StackFrame
from signoff.workflow.frames import frames_of

_MOST = 4_000
_PLACED = (NonDeterminism, WorkflowStuck)
"""Whose messages name the place in the workflow's code; they are raised in ours."""

_ENDS = {StepFailed: "step", EventTimedOut: "wait", InputExpired: "input"}
"""How the code learns that something it asked for has come to no result, and what of the error names it."""

_MOST_LINKS = 1_000
"""How many exceptions are looked at for what they were raised for."""

_CODE = re.compile(r"[a-z][a-z0-9_]{0,127}")


def error_of(error: BaseException) -> Error:
    """Return an exception as the journal keeps it, whatever the exception is.

    Its message is public only if it is a `PublicError`, or a `StepFailed` that was caused by one. A group with a single
    exception in it stands for that exception. What an exception says of itself (`code`, `str`) is its author's code: if
    that fails, the exception is told by its class alone, or by nothing.

    Example:
        >>> error_of(ValueError("no such account")).code
        'value_error'
    """
    try:
        return _error_of(error)
    except BaseException:  # whatever it is: the attempt has failed, and that must be written down
        return Error("exception", "", "")


def _error_of(error: BaseException) -> Error:
    # Classes are compared by `type`: `isinstance` would ask the exception for its `__class__`.
    while issubclass(type(error), BaseExceptionGroup) and len(inner := _inner(error)) == 1:
        error = inner[0]
    kind = type(error)
    public, message = issubclass(kind, PublicError), _message(error)
    if issubclass(kind, StepFailed):
        cause = _member(_member(error, "extra"), "get", lambda get: get("error"))
        if isinstance(cause, dict) and cause.get("public") is True:
            public, message = True, str(cause.get("message", ""))
    frames = () if kind in _PLACED else _frames(error)
    name = _plain(f"{kind.__module__}.{kind.__qualname__}")
    return Error(_plain(_code(error)), message[:_MOST], name, public, frames)


def causes_of(error: BaseException | None) -> tuple[str, ...]:
    """Return the ids of the commands whose errors ended the code, given the exception that it raised.

    That is the error itself, the members of a group, and what an exception was raised `from`, or while it was handled.

    Example:
        >>> causes_of(ExceptionGroup("two", [StepFailed("no", step="pay:0"), StepFailed("no", step="note:0")]))
        ('pay:0', 'note:0')
    """
    found: dict[str, None] = {}
    seen: set[int] = set()
    left = [error]
    while left and len(seen) < _MOST_LINKS:
        one = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        kind = type(one)
        if (named := next((name for end, name in _ENDS.items() if issubclass(kind, end)), None)) is not None:
            id_ = _member(_member(one, "extra"), "get", lambda get, named=named: get(named))
            if type(id_) is str:
                found[id_] = None
                continue
        if issubclass(kind, BaseExceptionGroup):
            left += reversed(_inner(one))
        else:
            cause = BaseException.__dict__["__cause__"].__get__(one)
            left.append(BaseException.__dict__["__context__"].__get__(one) if cause is None else cause)
    return tuple(found)


def reason(error: Error) -> str:
    """Return what tells whether an error is the one from before; addresses in its message do not count.

    Example:
        >>> reason(Error("a", "at 0x7f00")) == reason(Error("a", "at 0x7f99"))
        True
    """
    return codec.digest([error.code, error.type, re.sub(r"\b0x[0-9a-fA-F]+", "", error.message)])[:16]


def _inner(group: BaseException) -> tuple[BaseException, ...]:
    exceptions: tuple[BaseException, ...] = BaseExceptionGroup.exceptions.__get__(group)
    return exceptions


def _member(of: object, name: str, read: Any = lambda value: value) -> Any:
    """Return what an exception has under a name, None if asking for it fails."""
    try:
        return read(getattr(of, name, None))
    except BaseException:
        return None


def _frames(error: BaseException) -> tuple[StackFrame, ...]:
    try:
        return frames_of(error)
    except BaseException:
        return ()


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:
        text = ""
    return _plain(text[:_MOST])


def _plain(text: str) -> str:
    return text.encode(errors="replace").decode()


def _code(error: BaseException) -> str:
    kind = type(error)
    code = _member(error, "code")
    if type(code) is str and (issubclass(kind, SignoffError) or _CODE.fullmatch(code)):
        return code
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind.__name__).lower()
