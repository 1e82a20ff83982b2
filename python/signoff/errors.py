"""Every exception Signoff raises, as one tree.

    SignoffError
    ├── BadRequest (400)            the request itself is malformed
    │   ├── InvalidOffset           an offset that is not one of ours
    │   ├── InvalidName             a name that does not match [A-Za-z0-9_.-]{1,128}
    │   ├── MethodNotAllowed (405)  this address takes other methods
    │   ├── PayloadTooLarge (413) · UnsupportedMediaType (415)
    │   └── WebhookUrlRejected      the server will not call this address
    ├── Unauthorized (401)
    │   └── TokenInvalid            a wake's token is not one of ours, or has expired
    ├── Forbidden (403)             known caller, not allowed
    │   ├── EngineOwned             the stream belongs to the engine
    │   └── NotInAudience           this person was not asked
    ├── NotFound (404)
    │   ├── StreamNotFound · RunNotFound · InputNotFound · UnknownWorkflow · UnknownCommand · SubscriptionNotFound
    ├── Gone (410)                  the offset is older than what is kept
    │   └── StreamDeleted           the stream is kept for its forks alone
    ├── Conflict409 (409)           the state of the world says no
    │   ├── StreamConflict          other configuration, other content type, sequence regression
    │   ├── StreamClosed            nothing may be appended any more
    │   ├── ProducerGap · ProducerFenced (403)
    │   ├── RunConflict · RunClosed the run id is taken by another workflow or input; the run has ended
    │   ├── TooManyEvents · TooManyComments     the run, or the request, has as many as it may
    │   ├── NoResult                the run has ended without one
    │   │   └── FailedRun · CancelledRun
    │   ├── JournalUnreadable · JournalTooLong  of a newer release; too long to be undone or copied at once
    │   ├── NotBlocked · NotPaused · NotEnded   nothing to try again, or to resume, or to delete yet
    │   ├── Stale                   the person has not seen the newest revision
    │   ├── AlreadyDecided · Expired · Withdrawn · ClaimedByOther · NotClaimed
    │   ├── BeingValidated · SubmissionReused   another answer is being judged; one submission id, two bodies
    │   ├── SubscriptionExists · AlreadyClaimed · NoPendingWork
    │   ├── Fenced                  the wake is over, another took its place
    │   └── InvalidAck              of a stream that is not linked, or an offset that is not between cursor and tail
    ├── InvalidAnswer (422)         the value does not match the schema; carries JSON Pointers
    ├── InvalidInput (422)          the input does not fit the workflow; nothing was started
    ├── TooManyRequests (429)       this caller calls too often; may be sent again after `retry_after` seconds
    ├── NotSupported (501)          a part of a protocol this server does not have
    ├── NotValidated · ServerBusy (503)     no verdict by the workflow's validator; too many clients
    ├── StoreError (503)
    │   ├── StoreUnavailable · SchemaTooNew · LeaseLost
    ├── ServerUnreachable (503)     raised by clients: there was no answer
    └── WorkflowError               what workflow code meets
        ├── StepFailed              a step used up its attempts or raised a non-retryable error
        ├── InputExpired            the deadline passed and nobody answered
        ├── InputWithdrawn · EventTimedOut
        ├── NonDeterminism          the code and the journal disagree
        ├── WorkflowStuck           the code did not come to a wait, and was stopped
        ├── WorkerLost              the workers that took the run died of it, or froze
        ├── NotAllowedInWorkflow    I/O, threads or wall clock inside workflow code
        ├── UnsupportedValue        a value the journal cannot keep
        └── PublicError             raised by users: the message may be shown in a browser
            └── Refused             raised by users' validators: an answer that is not taken

Each has a `code` (stable, snake_case, on the wire), an HTTP `status` and a `detail` that tells a person what happened,
what it means for their data and what to do. Where `detail` is for whoever runs the store (a file's path, what a
database said), `public_detail` is what others get to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class SignoffError(Exception):
    """The root of everything Signoff raises.

    Args:
        detail: what happened, what it means for the data, what to do. One or two sentences.
        extra: members added to the problem document (RFC 9457 §3.2) and readable as `.extra`.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.extra: Mapping[str, Any] = extra

    @property
    def public_detail(self) -> str:
        """Return what may be said to whoever sent the request."""
        return self.detail


class BadRequest(SignoffError):
    """A malformed request; nothing was stored."""

    code, status, title = "bad_request", 400, "The request is malformed"


class InvalidOffset(BadRequest):
    """An offset this server never handed out."""

    code, title = "invalid_offset", "The offset is malformed"


class InvalidName(BadRequest):
    """A name that does not match `[A-Za-z0-9_.-]{1,128}`."""

    code, title = "invalid_name", "The name is malformed"


class PayloadTooLarge(BadRequest):
    """A body above the configured limit."""

    code, status, title = "payload_too_large", 413, "The body is too large"


class MethodNotAllowed(BadRequest):
    """A method this address does not take; `extra["allow"]` names those it does."""

    code, status, title = "method_not_allowed", 405, "The address does not take this method"


class UnsupportedMediaType(BadRequest):
    """A body of another type than asked for."""

    code, status, title = "unsupported_media_type", 415, "The body has the wrong type"


class WebhookUrlRejected(BadRequest):
    """An address that the server does not call (Durable Streams §12.8)."""

    code, title = "webhook_url_rejected", "Webhooks are not sent to this address"


class Unauthorized(SignoffError):
    """A request that does not say who it is, or says it wrongly."""

    code, status, title = "unauthorized", 401, "Authentication is required"


class TokenInvalid(Unauthorized):
    """A callback, ack or release whose token was not given out for this subscription, or has expired."""

    code, title = "token_invalid", "The token is not valid for this subscription"


class Forbidden(SignoffError):
    """A known caller that may not do this."""

    code, status, title = "forbidden", 403, "Not allowed"


class EngineOwned(Forbidden):
    """A foreign write to a stream the engine owns."""

    code, title = "engine_owned", "This stream is written by the engine alone"


class NotInAudience(Forbidden):
    """An answer from somebody who was not asked."""

    code, title = "not_in_audience", "You are not among those asked"


class NotFound(SignoffError):
    """Something that does not exist."""

    code, status, title = "not_found", 404, "There is no such thing"


class StreamNotFound(NotFound):
    """A path at which no stream lives."""

    code, title = "stream_not_found", "There is no stream at this path"


class RunNotFound(NotFound):
    """An id that no run has."""

    code, title = "run_not_found", "There is no run with this id"


class InputNotFound(NotFound):
    """An input that the run never asked for."""

    code, title = "input_not_found", "The run has no such request"


class UnknownWorkflow(NotFound):
    """A name under which no workflow is registered here."""

    code, title = "unknown_workflow", "There is no workflow of this name"


class UnknownCommand(NotFound):
    """The run's code has not asked for anything under this id; carries the last ids it has asked for, as `known`."""

    code, title = "unknown_command", "The run has no command of this id"


class SubscriptionNotFound(NotFound):
    """An id that no subscription has."""

    code, title = "subscription_not_found", "There is no subscription with this id"


class Gone(SignoffError):
    """Something that is no longer kept (Durable Streams §5.6)."""

    code, status, title = "gone", 410, "This part of the stream is no longer kept"


class StreamDeleted(Gone):
    """A stream that was deleted; what it held is kept for its forks."""

    code, title = "stream_deleted", "The stream was deleted"


class Conflict409(SignoffError):
    """A request that the state of the world does not allow."""

    code, status, title = "conflict", 409, "The request conflicts with the current state"


class StreamConflict(Conflict409):
    """Another configuration, another content type or a sequence regression."""

    code, title = "stream_conflict", "The stream exists with another configuration"


class StreamClosed(Conflict409):
    """A stream that is closed (Durable Streams §5.2)."""

    code, title = "stream_closed", "The stream is closed"


class ProducerGap(Conflict409):
    """A missing sequence number (Durable Streams §5.2.1)."""

    code, title = "producer_gap", "A sequence number is missing"


class ProducerFenced(Conflict409):
    """A producer of which there is a newer epoch (Durable Streams §5.2.1)."""

    code, status, title = "producer_fenced", 403, "A newer producer took over"


class RunConflict(Conflict409):
    """A run id that is taken by another workflow or another input."""

    code, title = "run_conflict", "This run id is already in use for something else"


class RunClosed(Conflict409):
    """A run that has ended."""

    code, title = "run_closed", "The run has ended"


class TooManyEvents(Conflict409):
    """An event for a run that holds as many that nobody awaits as it may; nothing was stored."""

    code, title = "too_many_events", "The run holds too many events that nobody awaits"


class TooManyComments(Conflict409):
    """The request has as many comments as there may be; carries the current `row`."""

    code, title = "too_many_comments", "The request has as many comments as there may be"


class NoResult(Conflict409):
    """A run that has ended without a result; carries the `run` row and the `error`."""

    code, title = "no_result", "The run has ended without a result"


class FailedRun(NoResult):
    """A run that has failed; `extra["error"]` tells why, as far as the caller may know."""

    code, title = "run_failed", "The run has failed"


class CancelledRun(NoResult):
    """A run that was cancelled or terminated."""

    code, title = "run_cancelled", "The run was cancelled"


class JournalUnreadable(Conflict409):
    """Refusal of what needs a whole journal that has entries this release cannot read."""

    code, title = "journal_unreadable", "The run's history has what this release cannot read"


class JournalTooLong(Conflict409):
    """A run whose history is too long to be undone in part, or copied, in one piece."""

    code, title = "journal_too_long", "The run's history is too long for this"


class NotBlocked(Conflict409):
    """A run that is to be tried again and is not blocked; carries the `run` row."""

    code, title = "not_blocked", "The run is not blocked"


class NotPaused(Conflict409):
    """A run that is to be resumed and is not paused; carries the `run` row."""

    code, title = "not_paused", "The run is not paused"


class NotEnded(Conflict409):
    """A run that is to be deleted and has not ended; carries the `run` row."""

    code, title = "not_ended", "The run has not ended"


class Stale(Conflict409):
    """An answer to what has been revised since the person saw it; carries the current `row`."""

    code, title = "stale", "The request was revised after you saw it"


class AlreadyDecided(Conflict409):
    """An answer after somebody else's; carries the current `row`."""

    code, title = "already_decided", "This request is already decided"


class Expired(Conflict409):
    """An answer after the deadline; carries the current `row`."""

    code, title = "expired", "The deadline of this request has passed"


class Withdrawn(Conflict409):
    """An answer to a request that was taken back; carries the current `row`."""

    code, title = "withdrawn", "This request was withdrawn"


class BeingValidated(Conflict409):
    """An answer while another one is being judged by the workflow's validator; carries the current `row`."""

    code, title = "validating", "Another answer is being checked"


class ClaimedByOther(Conflict409):
    """A request that somebody else is working on; carries the current `row`."""

    code, title = "claimed", "Somebody else has claimed this request"


class NotClaimed(Conflict409):
    """A request that has to be claimed before it is answered; carries the current `row`."""

    code, title = "not_claimed", "Claim this request before you answer it"


class SubmissionReused(Conflict409):
    """One submission id that came with two different bodies."""

    code, title = "submission_reused", "This submission id was used for another answer"


class SubscriptionExists(Conflict409):
    """A subscription's id that is taken by another configuration."""

    code, title = "subscription_already_exists", "The subscription exists with another configuration"


class AlreadyClaimed(Conflict409):
    """A lease that another worker holds; carries `current_holder` and `generation`."""

    code, title = "already_claimed", "Another worker holds the lease"


class NoPendingWork(Conflict409):
    """A claim where there is nothing to claim."""

    code, title = "no_pending_work", "Everything is acknowledged"


class Fenced(Conflict409):
    """A wake that is over, so that its worker must stop (Durable Streams §7.3)."""

    code, title = "fenced", "This wake is over"


class InvalidAck(Conflict409):
    """An acknowledgement that cannot be; no cursor moved."""

    code, title = "invalid_ack", "This cannot be acknowledged"


class InvalidAnswer(SignoffError):
    """A value that does not match the schema; `extra["errors"]` is `[{"pointer", "message"}]`."""

    code, status, title = "invalid_answer", 422, "The answer does not match what was asked"


class InvalidInput(SignoffError):
    """An input that does not fit its workflow; nothing was started."""

    code, status, title = "invalid_input", 422, "The input does not fit the workflow"


class NotSupported(SignoffError):
    """A part of a protocol that this server does not have."""

    code, status, title = "not_supported", 501, "This server does not support that"


class NotValidated(SignoffError):
    """An answer on which the workflow's validator came to no verdict; carries the current `row`, open as before."""

    code, status, title = "not_validated", 503, "The answer could not be checked"


class ServerBusy(SignoffError):
    """A client more than the server can serve."""

    code, status, title = "server_busy", 503, "The server is busy"


class TooManyRequests(SignoffError):
    """A caller that calls more often than the server lets anybody; `extra["retry_after"]` is in seconds."""

    code, status, title = "too_many_requests", 429, "You call too often"


class StoreError(SignoffError):
    """Trouble where bytes stay.

    Args:
        detail: for whoever runs the store; may name files and quote a database. It is logged, and never sent.
        public_detail: what is sent instead, to whoever asked; unless given, what the kind of error means to them.
    """

    code, status, title = "store_error", 503, "The store cannot be used right now"
    meaning: ClassVar[str] = (
        "The server cannot use its store right now. What was accepted before is not lost. Whether this request took "
        "effect is not certain: send it again, with the same ids, in a while."
    )

    def __init__(self, detail: str = "", *, public_detail: str = "", **extra: Any) -> None:
        super().__init__(detail, **extra)
        self._public_detail = public_detail or self.meaning

    @property
    def public_detail(self) -> str:
        """Return what may be said to whoever sent the request: nothing of the inside."""
        return self._public_detail


class StoreUnavailable(StoreError):
    """A store that cannot be reached."""

    code, title = "store_unavailable", "The store cannot be reached"


class OutcomeUnknown(StoreUnavailable):
    """The store was lost in the middle of a commit: it may have been written, or not."""

    code, title = "outcome_unknown", "Whether the last write was kept is not known"
    meaning = (
        "The server lost its store in the middle of a write, and could not find out whether it was kept. Send the "
        "request again, with the same ids: what took effect is not done twice."
    )


class SchemaTooNew(StoreError):
    """A store written by a newer version of Signoff."""

    code, title = "schema_too_new", "The store was written by a newer version"
    meaning = (
        "The server's data was written by a newer version of Signoff than it is. Nothing was changed. "
        "Whoever runs it has to start the newer version; then send the request again."
    )


class LeaseLost(StoreError):
    """A run that another worker owns now; nothing was changed."""

    code, title = "lease_lost", "Another worker owns this run now"
    meaning = "Another worker owns this run now. Nothing was changed."


class ServerUnreachable(SignoffError):
    """A server that did not answer, as a client sees it; whether anything was done is unknown."""

    code, status, title = "server_unreachable", 503, "The server cannot be reached"


class WorkflowError(SignoffError):
    """The root of what workflow code can meet."""

    code, title = "workflow_error", "The workflow failed"


class StepFailed(WorkflowError):
    """A step that used up its attempts or raised a non-retryable error.

    `extra` has `step` (`name:n`), `error` (`{code, message, type}`) and `attempts`.
    """

    code, title = "step_failed", "A step failed"


class InputExpired(WorkflowError):
    """A request that nobody answered before its deadline."""

    code, title = "input_expired", "Nobody answered in time"


class InputWithdrawn(WorkflowError):
    """A request that was taken back before it was answered."""

    code, title = "input_withdrawn", "The request was withdrawn"


class EventTimedOut(WorkflowError):
    """An awaited event that did not come in time."""

    code, title = "event_timed_out", "The event did not come in time"


class NonDeterminism(WorkflowError):
    """Code and journal that disagree; `extra` has `expected`, `found` and `where`."""

    code, title = "non_determinism", "The code and the journal disagree"


class WorkflowStuck(WorkflowError):
    """Workflow code that went on for longer than it may without waiting for anything, and where it was."""

    code, title = "workflow_stuck", "The workflow's code does not come to an end"


class WorkerLost(WorkflowError):
    """A run that worker after worker died of, or froze."""

    code, title = "worker_lost", "Workers are lost on this run"


class NotAllowedInWorkflow(WorkflowError):
    """I/O, threads or wall clock in workflow code; the detail names `ctx.step`."""

    code, title = "not_allowed_in_workflow", "This cannot be done inside a workflow"


class DeterminismWarning(UserWarning):
    """A line, found when a workflow is registered, that cannot do the same in every replay."""


class UnsupportedValue(WorkflowError):
    """A value the journal cannot keep, or one that does not fit the type it is read as; names the place."""

    code, title = "unsupported_value", "This value cannot be kept"


class PublicError(WorkflowError):
    """An error for users to raise: its message is meant for people and may be shown in a browser."""

    code, title = "public_error", "The workflow reports a problem"


class Refused(PublicError):
    """An error for users' validators to raise: an answer is not taken, and the request stays open.

    Args:
        errors: what is wrong with which field: JSON Pointers (RFC 6901) into the value, and messages for people. A text
            alone is the message.
        message: what is wrong with the answer as a whole.

    Raises:
        TypeError: something else than texts is given, or nothing, or a key is no JSON Pointer.

    Example:
        >>> raise Refused({"/email": "already taken"})
    """

    code, title = "refused", "The answer was refused"

    def __init__(self, errors: Mapping[str, str] | str | None = None, message: str = "") -> None:
        if isinstance(errors, str):
            message, errors = errors, None
        if not (errors is None or isinstance(errors, Mapping)):
            raise TypeError(f"Refused takes messages by JSON Pointer, or a text, not {type(errors).__name__}.")
        if not isinstance(message, str):
            raise TypeError(f"The `message` of Refused is a text, not {type(message).__name__}.")
        given = [*([("", message)] if message else []), *(errors or {}).items()]
        for pointer, said in given:
            if not (isinstance(pointer, str) and (pointer == "" or pointer.startswith("/"))):
                raise TypeError(f"Refused takes JSON Pointers such as '/email', not {pointer!r:.100}.")
            if not isinstance(said, str):
                raise TypeError(f"What Refused says of {pointer!r:.100} is a text, not {type(said).__name__}.")
        if not given:
            raise TypeError("Refused says what is wrong: Refused({'/email': 'already taken'}, message='…').")
        found = [{"pointer": pointer, "message": said} for pointer, said in given]
        super().__init__(message or "; ".join(said for _, said in given), errors=found)
