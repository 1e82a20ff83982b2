"""What tells one workflow's code from another's, so that a run is not tried again with code that it was stuck in."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

from signoff.workflow.definition import WorkflowDefinition


def fingerprint(definition: WorkflowDefinition) -> str:
    """Return a digest over a workflow's version, its function, and the source of the module it stands in.

    It does not depend on where the code lies, so that workers on different machines agree.
    """
    return _fingerprint(definition.version, definition.fn)


@lru_cache(maxsize=1024)
def _fingerprint(version: str, fn: Callable[..., Any]) -> str:
    digest = hashlib.sha256(version.encode(errors="replace"))
    fn = inspect.unwrap(fn)
    module = sys.modules.get(getattr(fn, "__module__", None) or "")
    try:
        digest.update(inspect.getsource(module).encode(errors="replace") if module else b"")
    except (OSError, TypeError):  # there is no source: a module typed in, or compiled
        digest.update(b"?")
    _add(digest, fn, 4)
    return digest.hexdigest()[:32]


def _add(digest: Any, part: object, depth: int) -> None:
    """Add code, a function with what it closes over, or a plain value; what else there is may differ by its address."""
    if isinstance(part, CodeType):
        digest.update(part.co_code)
        digest.update(repr(part.co_names).encode())
        for constant in part.co_consts:
            _add(digest, constant, depth)
    elif isinstance(part, FunctionType) and depth:
        _add(digest, part.__code__, depth)
        for cell in part.__closure__ or ():
            with suppress(ValueError):  # not assigned yet
                if isinstance(cell.cell_contents, FunctionType | str):  # a number there may be a count
                    _add(digest, cell.cell_contents, depth - 1)
    elif isinstance(part, str | bytes | int | float | complex | None):
        digest.update(repr(part).encode(errors="replace"))
