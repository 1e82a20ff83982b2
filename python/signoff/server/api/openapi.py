"""The OpenAPI 3.1 document, built from a table of operations and the schemas of the protocol.

Pure: what is published is built beforehand (`.ci/openapi`) and stands beside this module, since the schemas are no part
of the package. A schema `run-row.json` becomes the component `RunRow`, its definition `run_status` the component
`RunStatus`: the names that the TypeScript types have, too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from signoff.errors import SignoffError

JsonObject = dict[str, Any]
Problem = type[SignoffError]

VERSION: Final = "3.1.1"
_ABOUT_A_FILE = {"$schema", "$id", "$comment", "$defs"}


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A parameter of a query.

    Attributes:
        name: as it stands in the address.
        schema: JSON Schema of its value; `$ref` names a file of the protocol's schemas.
        description: what it narrows, in a sentence.
        repeated: it may stand there several times.
    """

    name: str
    schema: JsonObject
    description: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One method of one path, as callers see it.

    Attributes:
        method, path: `path` has its parameters in braces.
        name: unique; what generated clients call the operation.
        summary: an imperative sentence.
        grant: what the caller must hold (§14.5), in words where no grant does; None: nothing, whoever calls.
        replies: by status, the file of the schema, e.g. `run-reply.json`, or a schema.
        problems: what it may refuse with, beside what every operation may.
        request: the file of the body's schema, or a schema; None: it takes no body.
        query: what the query may have; an empty value is as good as none.
        replays: the same request again has the same effect once, and is replied to with `Idempotency-Replayed`.
        anybody: who is nobody is served, too.
        of_a_run: it does something to the run of its path, which may not be there.
        pages: by status, what the HTML page says that is replied, where people open the address.
        form: what the fields of an HTML form are that is taken in place of `request`; None: it takes none.
        form_files: when such a form may have files; None: never.
        octets: what a body is that is no JSON; None: it takes none.
        gives_octets: what is replied that is no JSON; None: nothing.
    """

    method: str
    path: str
    name: str
    summary: str
    grant: str | None
    replies: Mapping[int, str | JsonObject]
    problems: Sequence[Problem] = ()
    request: str | JsonObject | None = None
    query: Sequence[QueryParameter] = ()
    replays: bool = False
    of_a_run: bool = False
    anybody: bool = False
    pages: Mapping[int, str] = field(default_factory=dict)
    form: str | None = None
    form_files: str | None = None
    octets: str | None = None
    gives_octets: str | None = None


@dataclass(frozen=True, slots=True)
class ApiDescription:
    """What holds for all operations.

    Attributes:
        title, version, description: of the API.
        parameters: the schema of each parameter of a path, by its name.
        problems: what every operation that is not for everybody may refuse with.
        body_problems: what every operation with a body may refuse with.
        run_problems: what every operation on one run may refuse with.
    """

    title: str
    version: str
    description: str
    parameters: Mapping[str, JsonObject]
    problems: Sequence[Problem] = ()
    body_problems: Sequence[Problem] = ()
    run_problems: Sequence[Problem] = ()


def build(
    description: ApiDescription, operations: Iterable[ApiOperation], schemas: Mapping[str, JsonObject]
) -> JsonObject:
    """Return the document.

    Args:
        operations: in the order in which they shall stand there.
        schemas: the protocol's schemas by file name; those that nothing refers to are left out.

    Raises:
        ValueError: an operation is there twice, two schemas would have one name, or a file or parameter is not there.
    """
    components = _Components(schemas)
    paths: dict[str, JsonObject] = {}
    names: set[str] = set()
    for operation in operations:
        methods = paths.setdefault(operation.path, {})
        method = operation.method.lower()
        if method in methods or operation.name in names:
            raise ValueError(f"{operation.method} {operation.path} ({operation.name}) is described twice.")
        names.add(operation.name)
        methods[method] = _operation(description, operation, components)
    return {
        "openapi": VERSION,
        "info": {"title": description.title, "version": description.version, "description": description.description},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.found.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def component(file: str, pointer: str = "") -> str:
    """Return the name of a schema among the components.

    Example:
        >>> component("run-row.json"), component("common.json", "/$defs/row_error")
        ('RunRow', 'RowError')
    """
    word = pointer.rpartition("/")[2] if pointer else file.removesuffix(".json")
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[-_.]", word))


@dataclass(slots=True)
class _Components:
    """The schemas that were referred to, and where each stands."""

    schemas: Mapping[str, JsonObject]
    found: dict[str, JsonObject] = field(default_factory=dict)
    places: dict[str, tuple[str, str]] = field(default_factory=dict)

    def schema(self, schema: str | JsonObject) -> JsonObject:
        """Return a schema as it stands in an operation: a reference, or itself."""
        written: JsonObject = self._rewritten({"$ref": schema} if isinstance(schema, str) else schema, "")
        return written

    def _refer(self, file: str, pointer: str) -> JsonObject:
        name, place = component(file, pointer), (file, pointer)
        if self.places.setdefault(name, place) != place:
            raise ValueError(f"{'#'.join(self.places[name])} and {file}#{pointer} would both be called {name}.")
        if name not in self.found:
            self.found[name] = {}  # first: a schema may refer to itself
            members = {key: value for key, value in self._at(file, pointer).items() if key not in _ABOUT_A_FILE}
            self.found[name] = self._rewritten(members, file)
        return {"$ref": f"#/components/schemas/{name}"}

    def _at(self, file: str, pointer: str) -> JsonObject:
        node = self.schemas.get(file)
        for part in pointer.split("/")[1:]:
            node = None if node is None else node.get(part)
        if node is None:
            raise ValueError(f"There is no schema {file}#{pointer}.")
        return node

    def _rewritten(self, node: Any, file: str) -> Any:
        if isinstance(node, list):
            return [self._rewritten(one, file) for one in node]
        if not isinstance(node, dict):
            return node
        written = {key: self._rewritten(value, file) for key, value in node.items() if key != "$ref"}
        if isinstance(node.get("$ref"), str):
            other, _, pointer = node["$ref"].partition("#")
            written = self._refer(other or file, pointer) | written
        return written


def _operation(description: ApiDescription, operation: ApiOperation, components: _Components) -> JsonObject:
    written: JsonObject = {"operationId": operation.name, "summary": operation.summary}
    if operation.of_a_run:
        written["x-verb"] = operation.path.rpartition("/")[2]
    if operation.grant is not None:
        security: list[JsonObject] = [*([{}] if operation.anybody else []), {"token": []}]
        written |= {"description": f"Needs: {operation.grant}.", "security": security}
    if parameters := _parameters(description, operation, components):
        written["parameters"] = parameters
    if operation.request is not None:
        body: JsonObject = {"application/json": {"schema": components.schema(operation.request)}}
        if operation.form is not None:
            fields = {"type": "object", "description": operation.form}
            body["application/x-www-form-urlencoded"] = {"schema": fields}
            if operation.form_files is not None:
                body["multipart/form-data"] = {"schema": {**fields, "description": operation.form_files}}
        written["requestBody"] = {"required": True, "content": body}
    if operation.octets is not None:
        written["requestBody"] = {"required": True, "description": operation.octets, "content": {"*/*": {}}}
    written["responses"] = _responses(description, operation, components)
    return written


def _parameters(description: ApiDescription, operation: ApiOperation, components: _Components) -> list[JsonObject]:
    written: list[JsonObject] = []
    for name in re.findall(r"\{(\w+)\}", operation.path):
        if name not in description.parameters:
            raise ValueError(f"{operation.path} has a parameter {name} that is not described.")
        schema = components.schema(description.parameters[name])
        written.append({"name": name, "in": "path", "required": True, "schema": schema})
    for one in operation.query:
        schema = components.schema(one.schema)
        several = {"type": "array", "items": schema} if one.repeated else schema
        written.append({"name": one.name, "in": "query", "description": one.description, "schema": several})
    return written


def _responses(description: ApiDescription, operation: ApiOperation, components: _Components) -> JsonObject:
    written: JsonObject = {}
    for status, schema in sorted(operation.replies.items()):
        written[str(status)] = {
            "description": _SUCCESS[status],
            "content": {"application/json": {"schema": components.schema(schema)}},
        }
        if operation.replays and status == 200:
            written["200"]["headers"] = {"Idempotency-Replayed": _REPLAYED}
    if operation.gives_octets is not None:
        written["200"] = {"description": operation.gives_octets, "content": {"application/octet-stream": {}}}
    elif not operation.replies and not operation.pages:
        written["204"] = {"description": _SUCCESS[204]}
    problems = [*description.run_problems, *operation.problems] if operation.of_a_run else [*operation.problems]
    if operation.grant is not None:
        problems += description.problems
    if operation.request is not None:
        problems += description.body_problems
    by_status: dict[int, dict[str, str]] = defaultdict(dict)
    for kind in problems:
        by_status[kind.status][kind.code] = kind.title
    for status, titles in sorted(by_status.items()):
        codes = {"type": "object", "properties": {"code": {"enum": sorted(titles)}}}
        schema = {"allOf": [components.schema("problem.json"), codes]}
        written[str(status)] = {
            "description": "; ".join(f"`{code}`: {title}" for code, title in sorted(titles.items())) + ".",
            "content": {"application/problem+json": {"schema": schema}},
        }
    for status, says in sorted(operation.pages.items()):
        reply = written.setdefault(str(status), {"description": says})
        reply.setdefault("content", {})["text/html"] = {"schema": {"type": "string", "description": says}}
    return dict(sorted(written.items()))


_SUCCESS: Final = {200: "Done.", 201: "Made.", 202: "Taken up, or under way.", 204: "Nothing to say."}
_REPLAYED: Final = {
    "description": "`true`: this is the reply to a request that was replied to before; nothing was done again.",
    "schema": {"const": "true"},
}
