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
        Refused,
        SignoffError,
        StepFailed,
        UnsupportedValue,
        WorkflowError,
    )
    from signoff.runtime.observe import (
        AnswerReceived,
        AttemptEnded,
        AttemptStarted,
        EntriesCommitted,
        Observation,
        Observer,
        RunClaimed,
        RunEnded,
        RunIsBlocked,
        RunLost,
        RunReleased,
        RunReplayed,
        RunWaiting,
        StoreTrouble,
    )
    from signoff.sql import Transaction
    from signoff.workflow.approval.ask import ToolRequest
    from signoff.workflow.approval.outcome import (
        Approved,
        Edited,
        Rejected,
        Responded,
        ToolDecision,
        approve,
        reject,
    )
    from signoff.workflow.context import Context
    from signoff.workflow.definition import App
    from signoff.workflow.entry import DecidedBy
    from signoff.workflow.input.actions import Action
    from signoff.workflow.input.answer import Answer, Vote
    from signoff.workflow.input.attachment import Attachment, AttachmentLimits
    from signoff.workflow.input.request import InputRequest
    from signoff.workflow.input.times import Before, Default, Escalation, Reminder
    from signoff.workflow.notice import RequestEvent
    from signoff.workflow.step.current import StepInfo, current_step
    from signoff.workflow.step.options import step
    from signoff.workflow.step.retry import Retry
    from signoff.workflow.validation.verdict import Decided, Submission
    from signoff.workflow.vote.quorum import Quorum

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Answer",
    "AnswerReceived",
    "App",
    "Approved",
    "Attachment",
    "AttachmentLimits",
    "AttemptEnded",
    "AttemptStarted",
    "Before",
    "Context",
    "Decided",
    "DecidedBy",
    "Default",
    "DeterminismWarning",
    "Edited",
    "EntriesCommitted",
    "Escalation",
    "EventTimedOut",
    "InputExpired",
    "InputRequest",
    "InputWithdrawn",
    "InvalidAnswer",
    "NonDeterminism",
    "NotAllowedInWorkflow",
    "Observation",
    "Observer",
    "PublicError",
    "Quorum",
    "Refused",
    "Rejected",
    "Reminder",
    "RequestEvent",
    "Responded",
    "Retry",
    "RunClaimed",
    "RunEnded",
    "RunIsBlocked",
    "RunLost",
    "RunReleased",
    "RunReplayed",
    "RunWaiting",
    "SignoffError",
    "StepFailed",
    "StepInfo",
    "StoreTrouble",
    "Submission",
    "ToolDecision",
    "ToolRequest",
    "Transaction",
    "UnsupportedValue",
    "Vote",
    "WorkflowError",
    "__version__",
    "approve",
    "current_step",
    "reject",
    "step",
]

_HOMES = {
    "Action": "signoff.workflow.input.actions",
    "Answer": "signoff.workflow.input.answer",
    "AnswerReceived": "signoff.runtime.observe",
    "App": "signoff.workflow.definition",
    "Approved": "signoff.workflow.approval.outcome",
    "Attachment": "signoff.workflow.input.attachment",
    "AttachmentLimits": "signoff.workflow.input.attachment",
    "AttemptEnded": "signoff.runtime.observe",
    "AttemptStarted": "signoff.runtime.observe",
    "Before": "signoff.workflow.input.times",
    "Context": "signoff.workflow.context",
    "Decided": "signoff.workflow.validation.verdict",
    "DecidedBy": "signoff.workflow.entry",
    "Default": "signoff.workflow.input.times",
    "DeterminismWarning": "signoff.errors",
    "Edited": "signoff.workflow.approval.outcome",
    "EntriesCommitted": "signoff.runtime.observe",
    "Escalation": "signoff.workflow.input.times",
    "EventTimedOut": "signoff.errors",
    "InputExpired": "signoff.errors",
    "InputRequest": "signoff.workflow.input.request",
    "InputWithdrawn": "signoff.errors",
    "InvalidAnswer": "signoff.errors",
    "NonDeterminism": "signoff.errors",
    "NotAllowedInWorkflow": "signoff.errors",
    "Observation": "signoff.runtime.observe",
    "Observer": "signoff.runtime.observe",
    "PublicError": "signoff.errors",
    "Quorum": "signoff.workflow.vote.quorum",
    "Refused": "signoff.errors",
    "Rejected": "signoff.workflow.approval.outcome",
    "Reminder": "signoff.workflow.input.times",
    "Responded": "signoff.workflow.approval.outcome",
    "RequestEvent": "signoff.workflow.notice",
    "Retry": "signoff.workflow.step.retry",
    "RunClaimed": "signoff.runtime.observe",
    "RunEnded": "signoff.runtime.observe",
    "RunIsBlocked": "signoff.runtime.observe",
    "RunLost": "signoff.runtime.observe",
    "RunReleased": "signoff.runtime.observe",
    "RunReplayed": "signoff.runtime.observe",
    "RunWaiting": "signoff.runtime.observe",
    "SignoffError": "signoff.errors",
    "StepFailed": "signoff.errors",
    "StepInfo": "signoff.workflow.step.current",
    "StoreTrouble": "signoff.runtime.observe",
    "Submission": "signoff.workflow.validation.verdict",
    "ToolDecision": "signoff.workflow.approval.outcome",
    "ToolRequest": "signoff.workflow.approval.ask",
    "Transaction": "signoff.sql",
    "UnsupportedValue": "signoff.errors",
    "Vote": "signoff.workflow.input.answer",
    "WorkflowError": "signoff.errors",
    "approve": "signoff.workflow.approval.outcome",
    "current_step": "signoff.workflow.step.current",
    "reject": "signoff.workflow.approval.outcome",
    "step": "signoff.workflow.step.options",
}
"""Where each public name stands. It is loaded when it is asked for: a command that asks a server needs no workflow."""


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(home), name)
    return found
