"""What a handler is given: who calls, with what, over which engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from signoff.names import check_name
from signoff.server.access.identity import Identity
from signoff.server.config import ServerConfig
from signoff.server.http import body, query
from signoff.server.http.query import Repeated
from signoff.server.http.reply import Receive, Scope
from signoff.service.engine import Engine
from signoff.shapes import Check, Shape

_VERSION = version("signoff")


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API; what is read from it is checked.

    Attributes:
        by_token: tokens say who calls, not an application around this one (`identify`).
    """

    engine: Engine
    config: ServerConfig
    identity: Identity
    scope: Scope = field(repr=False)  # its headers hold the token
    receive: Receive
    by_token: bool = True

    @property
    def version(self) -> str:
        """Return the version of the package."""
        return _VERSION

    async def may_read(self, run_id: str) -> bool:
        """Tell whether the caller may read a run: by a grant, or as who started it."""
        identity = self.identity
        if identity.may("run:read", run_id):
            return True
        return identity.starter is not None and await self.engine.runs.starter_of(run_id) == identity.starter

    async def require_read(self, run_id: str) -> None:
        """Refuse whoever may not read a run, whether there is one or not.

        Raises:
            Unauthorized, Forbidden: see `Identity.require`.
        """
        if not await self.may_read(run_id):
            self.identity.require("run:read", run_id)

    async def may_see(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a request for input may be shown: to those it was asked of, and to readers of its run."""
        return not self.identity.principals.isdisjoint(row["audience"]) or await self.may_read(row["run_id"])

    def name(self, parameter: str, what: str) -> str:
        """Return a path parameter that is a name.

        Raises:
            InvalidName: it is not.
        """
        return check_name(self.scope["path_params"][parameter], what)

    def run_id(self) -> str:
        """Return the run id of the path.

        Raises:
            InvalidName: it is malformed.
        """
        return self.name("run_id", "run id")

    def key(self) -> str:
        """Return the key of a request for input of the path.

        Raises:
            InvalidName: it is malformed.
        """
        return query.path_key(self.scope["path_params"]["key"])

    def query(self, checks: Mapping[str, Check | Repeated]) -> dict[str, Any]:
        """Return the query parameters.

        Raises:
            BadRequest: one is unknown, repeated or wrong.
        """
        return query.query(self.scope["query_string"], checks)

    async def json(self) -> Any:
        """Return the parsed body.

        Raises:
            UnsupportedMediaType, PayloadTooLarge, BadRequest: see `body.py`.
        """
        body.check_content_type(self.scope)
        data = await body.read(self.scope, self.receive, self.config.max_body)
        return body.parse(data, self.config.max_depth)

    async def members(self, shape: Shape) -> dict[str, Any]:
        """Return the members of the body.

        Raises:
            UnsupportedMediaType, PayloadTooLarge, BadRequest: see `body.py` and `signoff.shapes`.
        """
        self.query({})
        return shape.read(await self.json())
