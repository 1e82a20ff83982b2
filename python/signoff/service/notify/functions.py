"""The application's own functions that are told of requests, `@app.on_request`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

from signoff.service.notify.target import NotifyTarget
from signoff.service.notify.threads import CallThreads
from signoff.workflow.notice import RequestEvent, RequestFunction

PREFIX = "app."


class FunctionMessenger:
    """What calls functions of the application in this process; one that is not async has a thread of its own."""

    def __init__(self, listeners: Mapping[str, RequestFunction]) -> None:
        self._listeners = listeners
        self._threads = CallThreads("signoff-on-request")

    def reaches(self, target: NotifyTarget) -> bool:
        """Tell whether this process has the function."""
        return target.id.removeprefix(PREFIX) in self._listeners

    def each(self, target: NotifyTarget, event: RequestEvent) -> Sequence[RequestEvent]:
        """Return the event, if the function wants it."""
        return (event,) if self._listeners[target.id.removeprefix(PREFIX)].wants(event) else ()

    async def tell(self, target: NotifyTarget, event: RequestEvent) -> str | None:
        """Call the function; what it raises is raised."""
        fn = self._listeners[target.id.removeprefix(PREFIX)].fn
        if inspect.iscoroutinefunction(fn):
            await fn(event)
            return None

        def call() -> None:
            fn(event)

        return await self._threads.call(f"{target.id} {event.request}", event.id, call)
