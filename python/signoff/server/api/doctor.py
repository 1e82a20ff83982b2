"""`/v1/doctor`: what is wrong with the store and its runs, for operators."""

from __future__ import annotations

from typing import Final

from signoff.server.api.call import Call
from signoff.server.api.operation import ServedOperation
from signoff.server.http.reply import Reply, ok
from signoff.service.diagnosis import judge
from signoff.timestamps import rfc3339


async def examine(call: Call) -> Reply:
    """Look at everything that can be wrong, with bounded work."""
    call.identity.require_operator()
    call.query({})
    facts = await call.engine.doctor.examine()
    findings = [finding.to_json() for finding in judge(facts)]
    return ok({"at": rfc3339(facts.now), "version": call.version, "findings": findings})


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
