"""`/v1/events` and `/v1/runs/{run_id}/events`: send events to one run, or to all that wait."""

from __future__ import annotations

from typing import Final

from signoff.errors import RunClosed, RunNotFound, SubmissionReused, TooManyEvents
from signoff.server.api.call import Call
from signoff.server.api.operation import ServedOperation
from signoff.server.http.reply import Reply, ok
from signoff.shapes import Shape, anything, maybe, text

_EVENT = Shape(required={"id": text(200)}, optional={"payload": anything, "key": maybe(text(200))})


async def send(call: Call) -> Reply:
    """Send an event to one run, which keeps it until it awaits the topic."""
    run_id, topic = call.run_id(), call.name("topic", "topic")
    call.identity.require("event:send", topic)
    event = await call.members(_EVENT)
    sent = await call.engine.events.send(
        run_id, topic, id=event["id"], payload=event.get("payload"), key=event.get("key")
    )
    return ok({"accepted": True, "duplicate": sent.duplicate}, 202)


async def emit(call: Call) -> Reply:
    """Send an event to every run that waits for the topic now."""
    topic = call.name("topic", "topic")
    call.identity.require("event:send", topic)
    event = await call.members(_EVENT)
    emitted = await call.engine.events.emit(topic, id=event["id"], payload=event.get("payload"), key=event.get("key"))
    refused = {"refused": emitted.refused} if emitted.refused else {}
    return ok({"delivered": emitted.delivered, **refused})


OPERATIONS: Final = (
    ServedOperation(
        "POST",
        "/v1/runs/{run_id}/events/{topic}",
        "sendEvent",
        "Send an event to one run (§9.1)",
        "`event:send:{topic}`",
        {202: "send-reply.json"},
        (RunNotFound, RunClosed, SubmissionReused, TooManyEvents),
        request="event-request.json",
        handler=send,
    ),
    ServedOperation(
        "POST",
        "/v1/events/{topic}",
        "emitEvent",
        "Send an event to every run that waits for it now (§9.2)",
        "`event:send:{topic}`",
        {200: "emit-reply.json"},
        (SubmissionReused,),
        request="event-request.json",
        handler=emit,
    ),
)
