"""Which tools people decide about, as the adapters take it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from signoff import Rejected
from signoff.errors import UnsupportedValue
from signoff.names import made_name

Gates = Mapping[str, Mapping[str, Any]]
"""Tools by name, each with the options of `Context.approve_tool`."""


def gates_of(given: Gates | None) -> dict[str, dict[str, Any]]:
    """Return options by tool.

    Raises:
        TypeError: it is no such mapping.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(one, Mapping) for one in given.values()):
        raise TypeError('`gate` is a mapping of tools to options, such as {"send_mail": {"to": ["user:alice"]}}.')
    return {name: dict(options) for name, options in given.items()}


def step_name(tool: str) -> str:
    """Return the name of the steps that call a tool.

    Example:
        >>> step_name("files:read")
        'run.files_read'
    """
    return made_name("run.", tool)


def arguments_of(text: str) -> Any:
    """Return the arguments that a model gives a tool as JSON; what is none stays text, and fits no tool."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def misfit_told(error: UnsupportedValue) -> str:
    """Return what a model is told of arguments that a tool cannot take, which nobody was asked about."""
    return f"Nothing was done. {error.detail}"


def refusal_told(decision: Rejected) -> str:
    """Return what a model is told of a call that people refused."""
    return f"This was refused: {decision.reason}" if decision.reason else "This was refused."
