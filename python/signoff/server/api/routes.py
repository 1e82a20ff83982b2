"""The paths of the API, and what serves each: the handler by method, once it is known who calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.routing import Route

from signoff.errors import MethodNotAllowed
from signoff.server.access.authenticator import Authenticator
from signoff.server.access.identity import ANONYMOUS
from signoff.server.api import document, events, inputs, runs, verbs
from signoff.server.api.call import Call
from signoff.server.config import ServerConfig
from signoff.server.http.reply import Receive, Reply, Scope, Send, ok
from signoff.service.act import VERBS
from signoff.service.engine import Engine

Handler = Callable[[Call], Awaitable[Reply]]


async def health(call: Call) -> Reply:
    """Tell that the server is up, to everybody."""
    call.query({})
    return ok({"status": "ok", "version": call.version})


# Paths are tried in this order. Answers come first, being what people wait for.
ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/v1/runs/{run_id}/inputs/{key}/answer": {"POST": inputs.answer},
    "/v1/runs": {"GET": runs.list_runs, "POST": runs.start},
    "/v1/runs/{run_id}": {"GET": runs.get},
    "/v1/runs/{run_id}/result": {"GET": runs.result},
    "/v1/runs/{run_id}/history": {"GET": runs.history},
    **{verbs.address(verb): {"POST": verbs.VerbHandler(verb)} for verb in VERBS.values()},
    "/v1/runs/{run_id}/events/{topic}": {"POST": events.send},
    "/v1/runs/{run_id}/inputs/{key}": {"GET": inputs.get},
    "/v1/inputs": {"GET": inputs.list_inputs},
    "/v1/events/{topic}": {"POST": events.emit},
    "/v1/openapi.json": {"GET": document.describe},
    "/health": {"GET": health},
}

OPEN = frozenset({"/health", "/v1/openapi.json"})
"""Paths for which it does not matter who calls, nor whether that can be found out."""


def routes(engine: Engine, config: ServerConfig, authenticator: Authenticator) -> list[Route]:
    """Return the routes of the API over an engine."""
    return [
        Route(path, Endpoint(engine, config, None if path in OPEN else authenticator, handlers))
        for path, handlers in ROUTES.items()
    ]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of the API: the handler is chosen by method, then it is found out who calls.

    Attributes:
        authenticator: None: it does not matter who calls.
        handlers: by method.
    """

    engine: Engine
    config: ServerConfig
    authenticator: Authenticator | None
    handlers: Mapping[str, Handler]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        head = method == "HEAD"
        handler = self.handlers.get("GET" if head else method)
        if handler is None:
            reply = self._without_handler(method)
        else:
            identity = ANONYMOUS if self.authenticator is None else await self.authenticator.identify(scope)
            reply = await handler(Call(self.engine, self.config, identity, scope, receive))
        await reply.send(send, head=head)

    def _without_handler(self, method: str) -> Reply:
        names = ["HEAD"] if "GET" in self.handlers else []
        allow = ", ".join(sorted([*self.handlers, *names, "OPTIONS"]))
        if method == "OPTIONS":
            return Reply(204, b"", ((b"allow", allow.encode("ascii")),))
        raise MethodNotAllowed(f"This address takes {allow}, not {method[:20]}. Nothing was done.", allow=allow)
