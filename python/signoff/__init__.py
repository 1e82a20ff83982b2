"""Durable workflows in Python whose other half is the browser."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signoff.errors import (
        DeterminismWarning,
        EventTimedOut,
        InputExpired,
        InputWithdrawn,
        InvalidAnswer,
        NonDeterminism,
        NotAllowedInWorkflow,
        PublicError,
        SignoffError,
        StepFailed,
        UnsupportedValue,
        WorkflowError,
    )
    from signoff.workflow.context import Context
    from signoff.workflow.definition import App
    from signoff.workflow.journal import DecidedBy
    from signoff.workflow.requests import Answer, InputRequest
    from signoff.workflow.retry import Retry
    from signoff.workflow.steps import StepInfo, current_step, step

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "App",
    "Context",
    "DecidedBy",
    "DeterminismWarning",
    "EventTimedOut",
    "InputExpired",
    "InputRequest",
    "InputWithdrawn",
    "InvalidAnswer",
    "NonDeterminism",
    "NotAllowedInWorkflow",
    "PublicError",
    "Retry",
    "SignoffError",
    "StepFailed",
    "StepInfo",
    "UnsupportedValue",
    "WorkflowError",
    "__version__",
    "current_step",
    "step",
]

_HOMES = {
    "Answer": "signoff.workflow.requests",
    "App": "signoff.workflow.definition",
    "Context": "signoff.workflow.context",
    "DecidedBy": "signoff.workflow.journal",
    "DeterminismWarning": "signoff.errors",
    "EventTimedOut": "signoff.errors",
    "InputExpired": "signoff.errors",
    "InputRequest": "signoff.workflow.requests",
    "InputWithdrawn": "signoff.errors",
    "InvalidAnswer": "signoff.errors",
    "NonDeterminism": "signoff.errors",
    "NotAllowedInWorkflow": "signoff.errors",
    "PublicError": "signoff.errors",
    "Retry": "signoff.workflow.retry",
    "SignoffError": "signoff.errors",
    "StepFailed": "signoff.errors",
    "StepInfo": "signoff.workflow.steps",
    "UnsupportedValue": "signoff.errors",
    "WorkflowError": "signoff.errors",
    "current_step": "signoff.workflow.steps",
    "step": "signoff.workflow.steps",
}
"""Where each public name stands. It is loaded when it is asked for: a command that asks a server needs no workflow."""


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(home), name)
    return found
