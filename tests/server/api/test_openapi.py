"""What the API says of itself: a valid OpenAPI document, of every operation there is, with the protocol's schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from signoff import errors
from signoff.links import PATH, make
from signoff.server.api.about import PUBLISHED
from signoff.server.api.answer_links import DESCRIBED
from signoff.server.api.document import written
from signoff.server.api.openapi import ApiDescription, ApiOperation, JsonObject, QueryParameter, build, component
from signoff.server.api.routes import OPERATIONS, Endpoint, routes
from signoff.signing import Keyring
from tests.protocol.material import SCHEMAS, load
from tests.server.hosting import KEYED, SECRET, hosting, problem

DOCUMENT: dict[str, Any] = json.loads(PUBLISHED.read_text())
OPEN_TO_ALL = {"/health", "/v1/openapi.json"}
LINKS = "/v1/answer/{token}"
PLAIN = ApiDescription("Test", "1", "A test.", {"id": {"type": "string"}})


def _get(path: str = "/a", name: str = "a", **members: Any) -> ApiOperation:
    return ApiOperation("GET", path, name, "Get it", None, {200: {"type": "object"}}, **members)


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_published_document_is_what_table_and_schemas_say() -> None:
    assert written(SCHEMAS) == DOCUMENT, "run `make fix` and commit the result"


def test_every_route_is_described_and_every_description_is_a_route() -> None:
    nothing: Any = None
    served = set()
    for route in routes(nothing, nothing, nothing):
        assert isinstance(route.app, Endpoint)
        served |= {(method, route.path) for method in route.app.operations}
    described = [(operation.method, operation.path) for operation in OPERATIONS]
    assert len(described) == len(set(described))
    assert served == set(described)
    links = {(operation.method, operation.path) for operation in DESCRIBED}
    assert links == {(method, f"{PATH}{{token}}") for method in ("GET", "HEAD", "OPTIONS", "POST")}
    published = {(m.upper(), path) for path, methods in DOCUMENT["paths"].items() for m in methods}
    assert published == served | links


async def test_the_pages_of_links_are_as_described() -> None:
    async with hosting("memory:", KEYED) as host:
        await host.ask(to=("user:alice",))
        described = DOCUMENT["paths"]["/v1/answer/{token}"]
        good = f"{PATH}{make(Keyring((SECRET,)), 'r1', 'approve:0', 'user:alice').token}"
        for method, path, how in (
            ("GET", good, {}),
            ("GET", f"{PATH}none", {}),
            ("HEAD", good, {}),
            ("OPTIONS", good, {}),
            ("POST", good, {"data": {"add": ""}}),
            ("POST", good, {"data": {"nothing": ""}}),
            ("POST", good, {"content": b"x"}),
            ("POST", good, {"json": {}}),
            ("POST", f"{PATH}none", {"json": {}}),
        ):
            reply = await host.http.request(method, path, **how)
            responses = described[method.lower()]["responses"]
            kinds = set(responses[str(reply.status_code)].get("content", {}))
            told = reply.headers.get("content-type", "").partition(";")[0]
            assert told in kinds if told else not kinds


def test_what_is_for_everybody_needs_nothing() -> None:
    assert {operation.path for operation in OPERATIONS if operation.grant is None} == OPEN_TO_ALL
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            assert ("security" in operation) == (path not in {*OPEN_TO_ALL, LINKS})


def test_every_reply_and_body_of_the_protocol_is_referred_to() -> None:
    bodies = {component(name) for name in SCHEMAS if name.endswith(("-reply.json", "-request.json", "-list.json"))}
    of_streams = {"LiveRequest"}  # which are described elsewhere
    assert bodies - of_streams <= set(DOCUMENT["components"]["schemas"])


def test_what_is_refused_is_described_with_its_status_and_code() -> None:
    refused = DOCUMENT["paths"]["/v1/runs/{run_id}/inputs/{key}/answer"]["post"]["responses"]["409"]
    schema = refused["content"]["application/problem+json"]["schema"]["allOf"]
    assert schema[0] == {"$ref": "#/components/schemas/Problem"}
    codes = [
        "already_decided",
        "claimed",
        "expired",
        "not_claimed",
        "stale",
        "submission_reused",
        "validating",
        "withdrawn",
    ]
    assert schema[1]["properties"]["code"]["enum"] == codes
    assert errors.Stale.title in refused["description"]


def _judge(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", **DOCUMENT})


def test_the_components_judge_as_the_schemas_do() -> None:
    case = load("answers.json")["cases"][0]
    assert _judge("AnswerReply").is_valid(case["reply"]["body"])
    assert _judge("InputRow").is_valid(case["row"])
    assert _judge("AnswerRequest").is_valid(case["body"])
    for wrong in ({"revised": "3"}, {"status": "answered"}, {"colour": "red"}):
        assert not _judge("InputRow").is_valid(case["row"] | wrong)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("token", [{}, {"authorization": "Bearer nonsense"}], ids=["no token", "no valid token"])
async def test_it_is_served_to_everybody(method: str, token: dict[str, str]) -> None:
    async with hosting("memory:", config=KEYED) as host:
        reply = await host.http.request(method, "/v1/openapi.json", headers=token)
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "application/json"
        assert reply.content == (PUBLISHED.read_bytes() if method == "GET" else b"")
        problem(await host.http.get("/v1/openapi.json?v=2"), 400, "bad_request")


async def test_bodies_with_a_member_nobody_knows_are_refused_as_described() -> None:
    async with hosting("memory:") as host:
        for operation in OPERATIONS:
            if operation.request is None:
                continue
            path = operation.path.format(run_id="r1", topic="paid", key="approve:0", target="crm")
            problem(await host.post(path, {"colour": "red"}), 400, "bad_request")
            described = DOCUMENT["paths"][operation.path]["post"]
            schema = described["requestBody"]["content"]["application/json"]["schema"]
            assert not Draft202012Validator({**schema, "components": DOCUMENT["components"]}).is_valid({"colour": 1})
            assert "`bad_request`" in described["responses"]["400"]["description"]


@pytest.mark.parametrize(
    ("description", "operations", "says"),
    [
        (PLAIN, [_get(), _get(name="b")], "GET /a .* is described twice"),
        (PLAIN, [_get(), _get("/b")], "GET /b .* is described twice"),
        (PLAIN, [_get("/a/{key}")], "a parameter key that is not described"),
        (PLAIN, [ApiOperation("GET", "/a", "a", "Get it", None, {200: "no-reply.json"})], "no schema no-reply.json"),
    ],
    ids=["path", "name", "parameter", "file"],
)
def test_a_table_that_does_not_hold_is_refused(
    description: ApiDescription, operations: list[ApiOperation], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        build(description, operations, SCHEMAS)


def test_two_schemas_of_one_name_are_refused() -> None:
    schemas: dict[str, JsonObject] = {
        "a-row.json": {"$ref": "b.json#/$defs/a_row"},
        "b.json": {"$defs": {"a_row": {"type": "string"}}},
    }
    with pytest.raises(ValueError, match="would both be called ARow"):
        build(PLAIN, [ApiOperation("GET", "/a", "a", "Get it", None, {200: "a-row.json"})], schemas)


def test_a_repeated_parameter_is_a_list_and_files_become_components() -> None:
    schemas = {"a.json": {"$id": "x", "title": "A", "$defs": {"b": {"enum": [1]}}, "items": {"$ref": "#/$defs/b"}}}
    query = (QueryParameter("b", {"$ref": "a.json#/$defs/b"}, "One of these.", repeated=True),)
    document = build(PLAIN, [_get("/a/{id}", query=query, request="a.json")], schemas)
    assert document["components"]["schemas"] == {
        "A": {"title": "A", "items": {"$ref": "#/components/schemas/B"}},
        "B": {"enum": [1]},
    }
    path, named = document["paths"]["/a/{id}"]["get"]["parameters"]
    assert path["required"]
    assert named["schema"] == {"type": "array", "items": {"$ref": "#/components/schemas/B"}}
