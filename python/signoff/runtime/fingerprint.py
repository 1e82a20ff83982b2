"""What tells one workflow's code from another's, so that a run is not tried again with code that it was stuck in."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable
from functools import lru_cache
from types import CodeType
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
    code = getattr(fn, "__code__", None)
    if isinstance(code, CodeType):
        _add(digest, code)
    return digest.hexdigest()[:32]


def _add(digest: Any, code: CodeType) -> None:
    digest.update(code.co_code)
    digest.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add(digest, constant)
        elif isinstance(constant, str | bytes | int | float | complex | None):
            digest.update(repr(constant).encode(errors="replace"))
