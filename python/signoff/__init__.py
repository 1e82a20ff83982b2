"""Durable workflows in Python whose other half is the browser."""

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
