"""`/v1/runs/{run_id}/outputs`: what a run says while it runs, and where to read it."""

from __future__ import annotations

from typing import Final

from signoff.errors import RunNotFound
from signoff.server.api.call import Call
from signoff.server.api.operation import ServedOperation
from signoff.server.http.reply import Reply, ok


async def list_outputs(call: Call) -> Reply:
    """List the outputs of a run to those who may read them."""
    run_id = call.run_id()
    await call.require_read(run_id)
    call.query({})
    await call.engine.runs.get(run_id)
    return ok({"run_id": run_id, "outputs": await call.engine.outputs.of(run_id)})


OPERATIONS: Final = (
    ServedOperation(
        "GET",
        "/v1/runs/{run_id}/outputs",
        "listOutputs",
        "List the outputs of a run (§10.21)",
        "`run:read:{run_id}`",
        {200: "outputs-reply.json"},
        (RunNotFound,),
        handler=list_outputs,
    ),
)
