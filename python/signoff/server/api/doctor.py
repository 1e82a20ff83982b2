"""`/v1/doctor`: what is wrong with the store and its runs, for operators."""

from __future__ import annotations

from typing import Final

from signoff.errors import StoreError
from signoff.server.api.call import Call
from signoff.server.api.operation import ServedOperation
from signoff.server.http.reply import Reply, ok
from signoff.service.diagnosis import judge, judge_store
from signoff.timestamps import rfc3339


async def examine(call: Call) -> Reply:
    """Look at everything that can be wrong, with bounded work."""
    call.identity.require_operator()
    call.query({})
    engine = call.engine
    try:
        findings = judge(await engine.doctor.examine())
    except StoreError as error:  # operators may know what others read as "cannot be used right now"
        findings = [judge_store(error)]
    told = [finding.to_json() for finding in findings]
    return ok({"at": rfc3339(engine.clock.now_ms()), "version": call.version, "findings": told})


OPERATIONS: Final = (
    ServedOperation(
        "GET",
        "/v1/doctor",
        "examine",
        "Tell what is wrong (§10.15)",
        "`operator`",
        {200: "doctor-reply.json"},
        handler=examine,
    ),
)
