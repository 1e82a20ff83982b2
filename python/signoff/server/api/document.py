"""The OpenAPI document that `/v1/openapi.json` serves, made of the operations and the protocol's schemas."""

from __future__ import annotations

from typing import Final

from signoff import errors
from signoff.links import LONGEST
from signoff.server.api.answer_links import DESCRIBED as LINK
from signoff.server.api.openapi import ApiDescription, JsonObject, build
from signoff.server.api.operation import NAME
from signoff.server.api.routes import OPERATIONS

DESCRIPTION: Final = ApiDescription(
    "Signoff",
    "1",
    "Start, watch and steer runs, and answer what they ask of people. Sections (§) are those of the workflow protocol. "
    "Streams, which are not described here, follow the Durable Streams Protocol.",
    parameters={
        "run_id": NAME,
        "topic": NAME,
        "target": NAME,
        "key": {"$ref": "common.json#/$defs/id"},
        "file": NAME,
        "token": {"type": "string", "minLength": 1, "maxLength": LONGEST},
    },
    problems=(
        errors.Unauthorized,
        errors.Forbidden,
        errors.BadRequest,
        errors.InvalidName,
        errors.TooManyRequests,
        errors.StoreError,
        errors.StoreUnavailable,
    ),
    body_problems=(errors.PayloadTooLarge, errors.UnsupportedMediaType),
    run_problems=(errors.RunNotFound,),
)


def written(schemas: dict[str, JsonObject]) -> JsonObject:
    """Return the document of this API over the protocol's schemas, by file name."""
    return build(DESCRIPTION, (*OPERATIONS, *LINK), schemas)
