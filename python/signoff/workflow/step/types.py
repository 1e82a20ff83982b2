"""What a function is annotated with: the types that inputs and results are read as."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import types
import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Self, TypeVar


def return_type(fn: Callable[..., Any]) -> Any:
    """Return the type a function is annotated to return (what an async one resolves to); None if it does not say.

    Decorators that keep `__wrapped__` (functools.wraps, lru_cache, tenacity, validate_call) are looked through: they
    copy the annotation, which may be a text that only the module of the function itself can resolve.

    Raises:
        TypeError: the annotation names something that cannot be found.
    """
    return _of_function(fn) if type(fn) is types.FunctionType else _return_type(fn)


def _return_type(fn: Any) -> Any:
    called, owner = _innermost(fn)
    if isinstance(called, type):
        return called
    hint = evaluate(called, "return")
    if hint is typing.Self or hint is Self:
        return owner
    if typing.get_origin(hint) in _AWAITED:
        hint = typing.get_args(hint)[-1]
    return None if hint is Any or isinstance(hint, TypeVar) else hint


_of_function = lru_cache(maxsize=1024)(_return_type)


_AWAITED = (collections.abc.Awaitable, collections.abc.Coroutine)


def _innermost(fn: Any) -> tuple[Any, type | None]:
    """Return the function, or the class, whose annotation counts, and whose method it is."""
    called, owner = fn, None
    for _ in range(_MOST_WRAPPED):
        if isinstance(called, type):
            break
        if isinstance(called, functools.partial):
            called = called.func
        elif isinstance(called, types.MethodType):
            owner = called.__self__ if isinstance(called.__self__, type) else type(called.__self__)
            called = called.__func__
        elif (inner := _wrapped(called)) is not None:
            called = inner
        elif isinstance(called, types.FunctionType | types.BuiltinFunctionType | types.WrapperDescriptorType):
            break
        else:  # an object that can be called is annotated there
            owner, called = type(called), type(called).__call__
    return called, owner


_MOST_WRAPPED = 100


def _wrapped(called: Any) -> Any:
    """Return what a decorator has wrapped, unless the wrapper says itself what it returns."""
    inner = inspect.getattr_static(called, "__wrapped__", None)
    if not callable(inner):
        return None
    said = getattr(called, "__annotations__", {}).get("return", _UNSAID)
    return inner if said is _UNSAID or said == getattr(inner, "__annotations__", {}).get("return", said) else None


_UNSAID = object()


def evaluate(fn: Any, name: str, local: dict[str, Any] | None = None) -> Any:
    """Return the type a function's parameter (or `return`) is annotated with, Any without annotation.

    Raises:
        TypeError: the annotation names something that cannot be found.
    """
    try:
        hint = getattr(fn, "__annotations__", {}).get(name, Any)
        if hint is Any:
            return Any
        names = {**getattr(fn, "__globals__", {}), **(local or {}), **_closure(fn)}
        holder = types.SimpleNamespace(__annotations__={name: hint})
        return typing.get_type_hints(holder, globalns=names, localns=names, include_extras=True)[name]
    except NameError as error:
        raise TypeError(
            f"The annotation of {name!r} of {getattr(fn, '__qualname__', fn)!s} cannot be resolved ({error}); "
            "its values could not be read back. Import the type at run time, at the top of the module."
        ) from error


def _closure(fn: Any) -> dict[str, Any]:
    cells = getattr(fn, "__closure__", None) or ()
    names = fn.__code__.co_freevars if cells else ()
    found = {}
    for name, cell in zip(names, cells, strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found
