"""An endpoint is declared once, beside its handler: what serves it, and what the OpenAPI document says of it.

Each module of this folder has its `OPERATIONS`; `routes.py` puts them together. From one follow the route, the place in
`/v1/openapi.json`, and whether it matters who calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from signoff.server.api.call import Call
from signoff.server.api.openapi import ApiOperation, QueryParameter
from signoff.server.http.reply import PiecedReply, Reply

Handler = Callable[[Call], Awaitable[Reply | PiecedReply]]

TIME: Final = {"$ref": "common.json#/$defs/instant"}
LINE: Final = {"$ref": "common.json#/$defs/line"}
NAME: Final = {"$ref": "common.json#/$defs/name"}
PAGE: Final = (
    QueryParameter("cursor", {**LINE, "minLength": 1, "maxLength": 512}, "Where the next page begins."),
    QueryParameter("limit", {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}, "How many at most."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedOperation(ApiOperation):
    """An operation of the API and what serves it.

    Attributes:
        handler: what is called once it is known who calls; where `grant` is None, whoever that is.
    """

    handler: Handler
