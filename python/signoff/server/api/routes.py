"""The paths of the API, and what serves each: the handler by method, once it is known who calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.routing import Route

from signoff.errors import MethodNotAllowed
from signoff.links import PATH
from signoff.server.access.authenticator import Authenticator
from signoff.server.access.identity import ANONYMOUS, Identity
from signoff.server.api import (
    about,
    approvals,
    doctor,
    drafts,
    events,
    files,
    input_verbs,
    inputs,
    links,
    notifications,
    outputs,
    prune,
    runs,
    tokens,
    verbs,
)
from signoff.server.api.answer_links import LinkEndpoint
from signoff.server.api.call import Call
from signoff.server.api.operation import ServedOperation
from signoff.server.config import ServerConfig
from signoff.server.http.reply import PiecedReply, Receive, Reply, Scope, Send
from signoff.service.engine import Engine
from signoff.service.links import Links

# Paths are tried in this order. Answers come first, being what people wait for.
OPERATIONS: Final = (
    *inputs.OPERATIONS,
    *input_verbs.OPERATIONS,
    *drafts.OPERATIONS,
    *files.OPERATIONS,
    *approvals.OPERATIONS,
    *links.OPERATIONS,
    *runs.OPERATIONS,
    *outputs.OPERATIONS,
    *verbs.OPERATIONS,
    *events.OPERATIONS,
    *prune.OPERATIONS,
    *tokens.OPERATIONS,
    *notifications.OPERATIONS,
    *doctor.OPERATIONS,
    *about.OPERATIONS,
)
"""All there is to ask of the API."""


def routes(engine: Engine, config: ServerConfig, authenticator: Authenticator) -> list[Route]:
    """Return the routes of the API over an engine."""
    paths: dict[str, dict[str, ServedOperation]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation
    return [Route(path, Endpoint(engine, config, authenticator, methods)) for path, methods in paths.items()]


def link_route(engine: Engine, config: ServerConfig, authenticator: Authenticator) -> Route:
    """Return the route of signed links, which takes and gives HTML, and knows who calls by the link."""
    links = Links(engine.store, engine.committer, engine.clock, config.keyring)
    return Route(f"{PATH}{{token}}", LinkEndpoint(engine, config, authenticator, links))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of the API: the operation is chosen by method, then it is found out who calls.

    Attributes:
        operations: by method.
    """

    engine: Engine
    config: ServerConfig
    authenticator: Authenticator
    operations: Mapping[str, ServedOperation]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        head = method == "HEAD"
        operation = self.operations.get("GET" if head else method)
        if operation is None:
            reply: Reply | PiecedReply = self._of_no_operation(method)
        else:
            # Of what is for everybody it does not matter who calls, nor whether that can be found out.
            identity = ANONYMOUS if operation.grant is None else await self._caller(scope, operation)
            by_token = self.authenticator.by_token
            reply = await operation.handler(Call(self.engine, self.config, identity, scope, receive, by_token))
        await reply.send(send, head=head)

    async def _caller(self, scope: Scope, operation: ServedOperation) -> Identity:
        identity = await self.authenticator.identify(scope)
        self.authenticator.admit(scope, identity)
        if not operation.anybody:
            identity.require_known()  # before anything is said of what was sent
        return identity

    def _of_no_operation(self, method: str) -> Reply:
        names = ["HEAD"] if "GET" in self.operations else []
        allow = ", ".join(sorted([*self.operations, *names, "OPTIONS"]))
        if method == "OPTIONS":
            return Reply(204, b"", ((b"allow", allow.encode("ascii")),))
        raise MethodNotAllowed(f"This address takes {allow}, not {method[:20]}. Nothing was done.", allow=allow)
