"""Decorators of another module than the functions they decorate, whose annotations they copy as text."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def logged(fn: Any) -> Any:
    @functools.wraps(fn)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return inner


def awaited(fn: Any) -> Any:
    @functools.wraps(fn)
    async def inner(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return inner


class Retrying:
    """A decorator that is an object, as tenacity's and lru_cache's are."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.fn(*args, **kwargs)


def as_text(fn: Any) -> Any:
    def inner(*args: Any, **kwargs: Any) -> str:
        return str(fn(*args, **kwargs))

    inner.__wrapped__ = fn  # type: ignore[attr-defined]
    return inner
