"""What the code says of how its requests are judged, and what a worker needs to do so."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from signoff.workflow.durations import duration_ms
from signoff.workflow.offer import Feeds
from signoff.workflow.validation.decide import ALL, VALUES
from signoff.workflow.validation.entries import InputRefused, InputReturned, InputSubmitted
from signoff.workflow.validation.types import code_judges

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands
    from signoff.workflow.input.actions import Offered
    from signoff.workflow.input.options import RequestOptions

Validator = Callable[..., Any | Awaitable[Any]]

TIMEOUT_MS: Final = 30_000
"""How long a validator, or a policy, may take unless the request says otherwise."""


@dataclass(frozen=True, slots=True)
class Checks:
    """How the code has its request judged.

    Attributes:
        validate: judges answers; None: nothing but their types does.
        decide: is asked before people are; None: nobody is.
        timeout_ms: how long either may take.
        informed: `validate` is given the `Submission` too.
        context: the context variables that the code had set when it asked.
        policy: what the request's policy says of it, for those who do not have the code.
        remembered: an approval that somebody has given for the next times too may decide, after `decide`.
    """

    validate: Validator | None
    decide: Validator | None
    timeout_ms: int
    informed: bool
    context: Context = field(repr=False)
    policy: dict[str, Any] = field(default_factory=dict)
    remembered: bool = False

    @classmethod
    def of(cls, offered: Offered, options: RequestOptions, *, remembered: bool = False) -> Checks:
        """Return what the options of a request say.

        Args:
            remembered: see `Checks`.

        Raises:
            TypeError: `validate` or `decide` is no function that could be called.
            ValueError: `validate_timeout` is no duration.
        """
        validate, decide = options.get("validate"), options.get("decide")
        for name, function in (("validate", validate), ("decide", decide)):
            if function is not None and not callable(function):
                raise TypeError(f"`{name}` of a request is a function, not {type(function).__name__}.")
        given = options.get("validate_timeout")
        timeout_ms = TIMEOUT_MS if given is None else duration_ms(given)
        if timeout_ms <= 0:
            raise ValueError("`validate_timeout` of a request is longer than nothing.")
        informed = validate is not None and _wanted(validate) > 1
        which = None
        if validate is not None or any(map(code_judges, offered.all_types)):
            which = ALL if informed or any(map(offered.null_is_value, offered.names)) else VALUES
        policy = ({"validated": which} if which else {}) | ({"decides": True} if decide or remembered else {})
        return cls(validate, decide, timeout_ms, informed, copy_context(), policy, remembered)


NO_CHECKS: Final = Checks(None, None, TIMEOUT_MS, False, Context())


def _wanted(function: Callable[..., Any]) -> int:
    """Return how many arguments a function wants to be called with."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a built-in that does not say
        return 1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in positional and one.default is inspect.Parameter.empty for one in parameters)


@dataclass(frozen=True, slots=True, eq=False)
class OpenValidation:
    """A judgement that is due.

    Attributes:
        run_id, input_id: what is judged about.
        submission: the answer; None: the policy is to be asked before people are.
        checks: how.
        offered: what may be chosen, and how it is read.
    """

    run_id: str
    input_id: str
    submission: InputSubmitted | None
    checks: Checks
    offered: Offered

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Return what tells it from any other, also once the machine was rebuilt."""
        sent = self.submission
        return (self.input_id, "", "", 0) if sent is None else (self.input_id, sent.submission_id, sent.digest, sent.at)


def _submitted(commands: Commands, entry: InputSubmitted) -> None:
    request = commands.inputs.get(entry.id)
    if request is not None:
        request.submission = entry


def _ended(commands: Commands, entry: InputRefused | InputReturned) -> None:
    request = commands.inputs.get(entry.id)
    if request is None:
        return
    if entry.submission_id is None:
        request.deciding = False
    elif request.submission is not None and request.submission.submission_id == entry.submission_id:
        request.submission = None


FEEDS: Feeds = {InputSubmitted: _submitted, InputRefused: _ended, InputReturned: _ended}
