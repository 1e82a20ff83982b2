"""The operations of the API as `/v1/openapi.json` describes them, and that document."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from signoff import errors
from signoff.server.api.call import Call
from signoff.server.api.openapi import ApiDescription, ApiOperation, JsonObject, QueryParameter, build
from signoff.server.api.verbs import operations
from signoff.server.http.reply import JSON_TYPE, Reply

PUBLISHED: Final = Path(__file__).with_name("openapi.json")
"""What is served; written by `.ci/openapi`."""

_TIME: Final = {"type": "string", "format": "date-time"}
_NAME: Final = {"$ref": "common.json#/$defs/name"}
_PAGE: Final = (
    QueryParameter("cursor", {"type": "string", "minLength": 1, "maxLength": 512}, "Where the next page begins."),
    QueryParameter("limit", {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}, "How many at most."),
)
_WAIT: Final = QueryParameter(
    "wait", {"type": "number", "minimum": 0, "maximum": 30, "default": 0}, "Seconds to wait for the end."
)
_GONE: Final = (errors.RunNotFound,)

DESCRIPTION: Final = ApiDescription(
    "Signoff",
    "1",
    "Start, watch and steer runs, and answer what they ask of people. Sections (§) are those of the workflow protocol. "
    "Streams, which are not described here, follow the Durable Streams Protocol.",
    parameters={"run_id": _NAME, "topic": _NAME, "key": {"$ref": "common.json#/$defs/id"}},
    problems=(
        errors.Unauthorized,
        errors.Forbidden,
        errors.BadRequest,
        errors.InvalidName,
        errors.StoreError,
        errors.StoreUnavailable,
    ),
    body_problems=(errors.PayloadTooLarge, errors.UnsupportedMediaType),
    run_problems=_GONE,
)

OPERATIONS: Final = (
    ApiOperation("GET", "/health", "health", "Tell that the server is up", None, {200: "health-reply.json"}),
    ApiOperation("GET", "/v1/openapi.json", "describe", "Return this document", None, {200: {"type": "object"}}),
    ApiOperation(
        "POST",
        "/v1/prune",
        "prune",
        "Delete runs that ended long ago (§10.16)",
        "`operator`",
        {200: "prune-reply.json"},
        request="prune-request.json",
    ),
    ApiOperation(
        "GET", "/v1/doctor", "examine", "Tell what is wrong (§10.15)", "`operator`", {200: "doctor-reply.json"}
    ),
    ApiOperation(
        "POST",
        "/v1/runs",
        "startRun",
        "Start a run (§10.1)",
        "`run:start:{workflow}`",
        {200: "start-reply.json", 201: "start-reply.json"},
        (errors.UnknownWorkflow, errors.RunConflict, errors.InvalidInput),
        request="start-request.json",
        replays=True,
    ),
    ApiOperation(
        "GET",
        "/v1/runs",
        "listRuns",
        "List runs, newest first (§10.2)",
        "`workflow:list:{name}`",
        {200: "run-list.json"},
        query=(
            QueryParameter("workflow", _NAME, "Runs of this workflow alone."),
            QueryParameter("status", {"$ref": "run-row.json#/$defs/run_status"}, "In any of these.", repeated=True),
            QueryParameter("created_after", _TIME, "Started after this time."),
            QueryParameter("created_before", _TIME, "Started before this time."),
            QueryParameter(
                "tag", {"type": "string", "minLength": 1, "maxLength": 128}, "With all of them.", repeated=True
            ),
            *_PAGE,
        ),
    ),
    ApiOperation(
        "GET",
        "/v1/runs/{run_id}",
        "getRun",
        "Show a run and what it asks (§10.3)",
        "`run:read:{run_id}`",
        {200: "run-reply.json"},
        _GONE,
    ),
    ApiOperation(
        "GET",
        "/v1/runs/{run_id}/result",
        "getResult",
        "Tell how a run ended, or that it goes on (§10.9)",
        "`run:read:{run_id}`",
        {200: "result-reply.json", 202: "result-reply.json"},
        (*_GONE, errors.FailedRun, errors.CancelledRun),
        query=(_WAIT,),
    ),
    ApiOperation(
        "GET",
        "/v1/runs/{run_id}/history",
        "getHistory",
        "Export a run's journal (§10.5)",
        "`operator`",
        {200: "history-reply.json"},
        (*_GONE, errors.JournalUnreadable),
    ),
    *operations(),
    ApiOperation(
        "POST",
        "/v1/runs/{run_id}/events/{topic}",
        "sendEvent",
        "Send an event to one run (§9.1)",
        "`event:send:{topic}`",
        {202: "send-reply.json"},
        (*_GONE, errors.RunClosed, errors.SubmissionReused, errors.TooManyEvents),
        request="event-request.json",
    ),
    ApiOperation(
        "POST",
        "/v1/events/{topic}",
        "emitEvent",
        "Send an event to every run that waits for it now (§9.2)",
        "`event:send:{topic}`",
        {200: "emit-reply.json"},
        (errors.SubmissionReused,),
        request="event-request.json",
    ),
    ApiOperation(
        "GET",
        "/v1/inputs",
        "listInputs",
        "List requests for input, newest first (§7.5)",
        "to be one of those asked, or `operator`",
        {200: "input-list.json"},
        query=(
            QueryParameter(
                "status",
                {"enum": ["pending", "answered", "expired", "withdrawn", "any"], "default": "pending"},
                "What became of them.",
            ),
            QueryParameter("audience", {"$ref": "common.json#/$defs/principal"}, "Asked of this person or group."),
            *_PAGE,
        ),
    ),
    ApiOperation(
        "GET",
        "/v1/runs/{run_id}/inputs/{key}",
        "getInput",
        "Show one request for input (§7.5)",
        "to be one of those asked, or `run:read:{run_id}`",
        {200: "input-reply.json"},
        (*_GONE, errors.InputNotFound),
    ),
    ApiOperation(
        "POST",
        "/v1/runs/{run_id}/inputs/{key}/answer",
        "answer",
        "Decide a request for input, exactly once (§8)",
        "to be one of those asked",
        {200: "answer-reply.json"},
        (
            *_GONE,
            errors.InputNotFound,
            errors.NotInAudience,
            errors.SubmissionReused,
            errors.AlreadyDecided,
            errors.Expired,
            errors.Withdrawn,
            errors.Stale,
            errors.InvalidAnswer,
        ),
        request="answer-request.json",
        replays=True,
    ),
)


def written(schemas: dict[str, JsonObject]) -> JsonObject:
    """Return the document of this API over the protocol's schemas, by file name."""
    return build(DESCRIPTION, OPERATIONS, schemas)


@cache
def _published() -> bytes:
    return PUBLISHED.read_bytes()


async def describe(call: Call) -> Reply:
    """Return the OpenAPI document, to everybody."""
    call.query({})
    return Reply(200, _published(), (JSON_TYPE,))
