"""`/v1/runs`: start, look at and list runs, and tell how they ended; what is done to them is in `verbs.py`."""

from __future__ import annotations

import re
from typing import Any, Final

from signoff.errors import (
    BadRequest,
    CancelledRun,
    FailedRun,
    Forbidden,
    InvalidInput,
    JournalTooLong,
    JournalUnreadable,
    RunConflict,
    RunNotFound,
    UnknownWorkflow,
)
from signoff.paths import run_path
from signoff.server.access.identity import Identity
from signoff.server.api.call import Call
from signoff.server.api.openapi import QueryParameter
from signoff.server.api.operation import LINE, NAME, PAGE, TIME, ServedOperation
from signoff.server.http.address import url_of
from signoff.server.http.query import Repeated, limit
from signoff.server.http.reply import Reply, ok
from signoff.service.kinds import RunFilter
from signoff.shapes import Check, Shape, WrongValue, anything, instant, maybe, name, one_of, principal, tags, text
from signoff.workflow.run.status import STATUSES

LONGEST_WAIT_S = 30
"""Seconds for which one request may wait for the end of a run."""

_WAIT: Final = QueryParameter(
    "wait",
    {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT_S, "default": 0},
    "Seconds to wait for the end.",
)

_SECONDS: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,40})?")

_START = Shape(
    required={"workflow": name},
    optional={"input": anything, "run_id": maybe(name), "tags": tags, "start_at": maybe(instant)},
)


def _starter(value: Any) -> str:
    return "me" if value == "me" else str(principal(value))


_LIST: dict[str, Check | Repeated] = {
    "workflow": name,
    "status": Repeated(one_of(*STATUSES)),
    "tag": Repeated(text(128)),
    "started_by": _starter,
    "created_after": instant,
    "created_before": instant,
    "cursor": text(512),
    "limit": limit,
}


def stream_of(run_id: str) -> str:
    """Return the address of a run's public stream."""
    return f"/v1/stream/{run_path(run_id)}"


async def start(call: Call) -> Reply:
    """Start a run; idempotent by `run_id`."""
    body = await call.members(_START)
    call.identity.require("run:start", body["workflow"])
    try:
        started = await call.engine.runs.start(
            body["workflow"],
            body.get("input"),
            run_id=body.get("run_id"),
            tags=body.get("tags", ()),
            start_at=body.get("start_at"),
            by=call.identity.by(),
        )
    except UnknownWorkflow:
        if call.identity.operator:
            raise
        # Which others there are is not for everybody who may start one.
        raise UnknownWorkflow(f"There is no workflow {body['workflow']!r} here; nothing was started.") from None
    run_id = started.run["id"]
    row = visible(call, started.run) if started.created else _found(call, started.run)
    value = {"run": row, "stream": stream_of(run_id), "offset": started.offset}
    if started.created:
        return ok(value, 201, (b"location", url_of(f"/v1/runs/{run_id}", call.scope, call.config.public_url)))
    return ok(value, 200, (b"idempotency-replayed", b"true"))


async def list_runs(call: Call) -> Reply:
    """List runs, newest first: one's own, those of a workflow that the caller may list, or all for operators."""
    query = call.query(_LIST)
    workflow = query.get("workflow")
    where = RunFilter(
        workflow,
        tuple(query.get("status", ())),
        tuple(query.get("tag", ())),
        query.get("created_after"),
        query.get("created_before"),
        started_by=_started_by(call.identity, workflow, query.get("started_by")),
    )
    page = await call.engine.runs.list(where, query.get("limit", 50), query.get("cursor"))
    return ok({"runs": [visible(call, row) for row in page.items], "cursor": page.cursor})


def _started_by(identity: Identity, workflow: str | None, asked: str | None) -> str | None:
    """Return whose runs are listed; None: everybody's.

    Raises:
        BadRequest: `me`, and the caller is no person.
        Forbidden: the caller may not list those.
    """
    if asked == "me":
        if identity.sub is None:
            raise BadRequest("?started_by=me is for a person; your request says of none. Name one: user:alice.")
        asked = f"user:{identity.sub}"
    if identity.may("workflow:list", "*" if workflow is None else workflow):
        return asked
    if identity.starter is not None and asked in {None, identity.starter}:
        return identity.starter
    if workflow is not None:
        identity.require("workflow:list", workflow)
    raise Forbidden("Name the workflow: ?workflow=…; only operators list the runs of all workflows.")


def visible(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what only readers of a run may see, as `workflows/{name}` does."""
    identity = call.identity
    if identity.may("run:read", row["id"]) or (identity.starter is not None and identity.starter == row["started_by"]):
        return row
    return {member: value for member, value in row.items() if member not in {"input", "output"}}


_TOLD: Final = frozenset({"id", "workflow", "version", "status", "created_at", "updated_at"})
_UNTOLD: Final[dict[str, Any]] = {"tags": [], "parent": None, "started_by": None, "error": None}


def _found(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of a run that a start has found, which may be somebody else's (§10.1)."""
    identity = call.identity
    if (
        identity.may("run:read", row["id"])
        or identity.may("workflow:list", row["workflow"])
        or (identity.sub is not None and row["started_by"] == f"user:{identity.sub}")
    ):
        return visible(call, row)
    return {name: value for name, value in row.items() if name in _TOLD} | _UNTOLD


async def get(call: Call) -> Reply:
    """Show one run with its pending requests."""
    run_id = call.run_id()
    await call.require_read(run_id)
    call.query({})
    row = await call.engine.runs.get(run_id)
    pending = await call.engine.inputs.pending(run_id)
    return ok({"run": row, "inputs": pending, "stream": stream_of(run_id)})


async def result(call: Call) -> Reply:
    """Tell how a run ended, or that it goes on; wait for its end as long as body."""
    run_id = call.run_id()
    await call.require_read(run_id)
    wait_s = call.query({"wait": _wait}).get("wait", 0)
    outcome = await call.engine.outcomes.get(run_id, wait_s=wait_s, operator=call.identity.operator)
    if outcome.run["status"] != "completed":
        return ok({"run": outcome.run}, 202)
    return ok({"run": outcome.run, "output": outcome.output} if outcome.shown else {"run": outcome.run})


def _wait(value: str) -> float:
    if not _SECONDS.fullmatch(value) or float(value) > LONGEST_WAIT_S:
        raise WrongValue(f"must be a number of seconds from 0 to {LONGEST_WAIT_S}")
    return float(value)


async def history(call: Call) -> Reply:
    """Export a run's journal, for operators."""
    run_id = call.run_id()
    call.identity.require_operator()
    call.query({})
    return ok({"run_id": run_id, "entries": await call.engine.runs.history(run_id)})


async def audit(call: Call) -> Reply:
    """Export what a run's journal proves, for operators and auditors."""
    run_id = call.run_id()
    call.identity.require("run:audit", run_id)
    call.query({})
    return Reply(200, await call.engine.audit.export(run_id))


OPERATIONS: Final = (
    ServedOperation(
        "POST",
        "/v1/runs",
        "startRun",
        "Start a run (§10.1)",
        "`run:start:{workflow}`",
        {200: "start-reply.json", 201: "start-reply.json"},
        (UnknownWorkflow, RunConflict, InvalidInput),
        request="start-request.json",
        replays=True,
        handler=start,
    ),
    ServedOperation(
        "GET",
        "/v1/runs",
        "listRuns",
        "List runs, newest first (§10.2)",
        "`workflow:list:{name}`, or `run:read:mine` for one's own",
        {200: "run-list.json"},
        query=(
            QueryParameter("workflow", NAME, "Runs of this workflow alone."),
            QueryParameter("status", {"$ref": "run-row.json#/$defs/run_status"}, "In any of these.", repeated=True),
            QueryParameter("created_after", TIME, "Started after this time."),
            QueryParameter("created_before", TIME, "Started before this time."),
            QueryParameter("tag", {**LINE, "minLength": 1, "maxLength": 128}, "With all of them.", repeated=True),
            QueryParameter(
                "started_by",
                {"anyOf": [{"const": "me"}, {"$ref": "common.json#/$defs/principal"}]},
                "Started by this person, such as user:alice; me: by the caller.",
            ),
            *PAGE,
        ),
        handler=list_runs,
    ),
    ServedOperation(
        "GET",
        "/v1/runs/{run_id}",
        "getRun",
        "Show a run and what it asks (§10.3)",
        "`run:read:{run_id}`",
        {200: "run-reply.json"},
        (RunNotFound,),
        handler=get,
    ),
    ServedOperation(
        "GET",
        "/v1/runs/{run_id}/result",
        "getResult",
        "Tell how a run ended, or that it goes on (§10.9)",
        "`run:read:{run_id}`",
        {200: "result-reply.json", 202: "result-reply.json"},
        (RunNotFound, FailedRun, CancelledRun),
        query=(_WAIT,),
        handler=result,
    ),
    ServedOperation(
        "GET",
        "/v1/runs/{run_id}/history",
        "getHistory",
        "Export a run's journal (§10.5)",
        "`operator`",
        {200: "history-reply.json"},
        (RunNotFound, JournalUnreadable),
        handler=history,
    ),
    ServedOperation(
        "GET",
        "/v1/runs/{run_id}/audit",
        "getEvidence",
        "Export a run's evidence, signed (§11.17)",
        "`run:audit:{run_id}`",
        {200: "evidence-bundle.json"},
        (RunNotFound, JournalUnreadable, JournalTooLong),
        handler=audit,
    ),
)
