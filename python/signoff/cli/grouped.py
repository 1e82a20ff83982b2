"""Options that several sub-commands share, declared once as the members of a dataclass."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_type_hints

SubCommand = Callable[..., Any]


def grouped(parameter: str, group: type, make: Callable[..., Any] | None = None) -> Callable[[SubCommand], SubCommand]:
    """Return a decorator that gives a sub-command several options in place of one of its parameters.

    Args:
        parameter: which one.
        group: a dataclass; each member is an option.
        make: what the sub-command gets, made of the options by their names; unless given, `group`.
    """
    hints = get_type_hints(group, include_extras=True)
    shared = [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in fields(group)
    ]
    made = group if make is None else make

    def decorate(command: SubCommand) -> SubCommand:
        signature = inspect.signature(command, eval_str=True)
        own = [one for one in signature.parameters.values() if one.name != parameter]

        @functools.wraps(command)
        def run(**given: Any) -> Any:
            told = {one.name: given.pop(one.name) for one in shared}
            return command(**given, **{parameter: made(**told)})

        vars(run)["__signature__"] = signature.replace(parameters=[*own, *shared])
        return run

    return decorate
