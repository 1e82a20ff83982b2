"""How an exception stands in the journal."""

from __future__ import annotations

import re

from signoff.errors import NonDeterminism, PublicError, SignoffError, StepFailed
from signoff.workflow import codec
from signoff.workflow.frames import frames_of
from signoff.workflow.journal import Error

_MOST = 4_000


def error_of(error: BaseException) -> Error:
    """Return an exception as the journal keeps it.

    Its message is public only if it is a `PublicError`, or a `StepFailed` that was caused by one. A group with a single
    exception in it stands for that exception.

    Example:
        >>> error_of(ValueError("no such account")).code
        'value_error'
    """
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    public, message = isinstance(error, PublicError), _message(error)
    if isinstance(error, StepFailed):
        cause = error.extra.get("error")
        if isinstance(cause, dict) and cause.get("public") is True:
            public, message = True, str(cause.get("message", ""))
    kind = type(error)
    frames = () if kind is NonDeterminism else frames_of(error)  # its message names the place
    return Error(_code(error), message[:_MOST], f"{kind.__module__}.{kind.__qualname__}", public, frames)


def reason(error: Error) -> str:
    """Return what tells whether an error is the one from before; addresses in its message do not count.

    Example:
        >>> reason(Error("a", "at 0x7f00")) == reason(Error("a", "at 0x7f99"))
        True
    """
    return codec.digest([error.code, error.type, re.sub(r"\b0x[0-9a-fA-F]+", "", error.message)])[:16]


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    return text.encode(errors="replace").decode()


def _code(error: BaseException) -> str:
    code = getattr(error, "code", None)
    if isinstance(error, SignoffError) and isinstance(code, str):
        return code
    if isinstance(code, str) and re.fullmatch(r"[a-z][a-z0-9_]{0,127}", code):
        return code
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(error).__name__).lower()
