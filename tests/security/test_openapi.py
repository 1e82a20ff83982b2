"""Whatever may be sent according to the published OpenAPI document, and what may not, is answered as the document says.

Requests are made from the document (schemathesis), always the same ones: half of them good, half of them bad in some
way; about runs and requests that are there, and others. Each is sent by an operator, by somebody whose token is narrow,
and by nobody.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.parameters import ParameterLocation

from signoff import tokens
from signoff.server.api.about import PUBLISHED
from signoff.server.config import ServerConfig
from signoff.workflow.entry import Error
from signoff.workflow.run.entries import RunCompleted, RunFailed
from signoff.workflow.step.entries import StepFailed, StepScheduled
from tests.server.hosting import SECRET, Host, hosting

DOCUMENT: Final[dict[str, Any]] = json.loads(PUBLISHED.read_text())
CONFIG: Final = ServerConfig(secret=SECRET, rate=0)
EXAMPLES: Final = {"operator": 12, "narrow": 6, "nobody": 2}

OPERATIONS: Final = [(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods]

RUNS: Final = ("asks", "done", "broke", "none")
KEYS: Final = ("approve:0", "claimed:0", "none:0")
LENGTHS: Final = ("/for", "/deadline")
"""Lengths of time: a pattern says how they are written, and not how long they may be."""
SLASH: Final = "An address has no encoded slashes"
"""Said of addresses that lead nowhere, before it is looked at who calls."""

load_all_checks()
CHECKED: Final[list[Any]] = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
    )
]


@cache
def _schema() -> Any:
    return schemathesis.openapi.from_dict(DOCUMENT)


async def _prepared(host: Host) -> None:
    for run_id in RUNS[:-1]:
        await host.ask(run_id, "approve:0")
        await host.ask(run_id, "claimed:0", to=("group:finance", "user:bora"))
        claimed = await host.post(f"/v1/runs/{run_id}/inputs/claimed:0/claim", {"for": "1h"}, **_bearer(sub="bora"))
        assert claimed.status_code == 200
    failed = Error("step_failed", "The bank was down.")
    await host.record("broke", StepScheduled(1, "pay:0"), StepFailed(1, "pay:0", 1, failed), RunFailed(1, failed))
    await host.record("done", RunCompleted(1, 7))


def _bearer(*grants: str, **claims: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens.mint(SECRET, grants=grants, **claims)}"}


def _callers() -> dict[str, dict[str, str]]:
    narrow = ("run:read:asks", "run:read:mine", "run:start:expense", "event:send:paid")
    return {
        "operator": _bearer(sub="boss", operator=True),
        "narrow": _bearer(*narrow, sub="alice", groups=("finance",)),
        "nobody": {},
    }


def _played(method: str, path: str, url: str) -> Counter[tuple[str, int]]:
    """Send all of one operation; return how often each caller got which status."""
    operation = _schema()[path][method]
    told: Counter[tuple[str, int]] = Counter()
    with requests.Session() as session:
        session.trust_env = False
        for caller, headers in _callers().items():

            def send(case: Any, mode: GenerationMode) -> None:
                response = case.call(base_url=url, session=session, headers=headers)  # noqa: B023
                if SLASH not in response.text:
                    told[caller, response.status_code] += 1  # noqa: B023
                case.validate_response(response, checks=CHECKED)
                if response.status_code >= 400 and not _is_page(operation, response):
                    _is_problem(response)
                    if mode is GenerationMode.POSITIVE:
                        assert not _of_its_shape(response.json()), (case.as_curl_command(), response.text)

            for mode in GenerationMode:
                if mode is GenerationMode.POSITIVE or _can_be_wrong(operation):
                    _each(operation, mode, EXAMPLES[caller], send)
    return told


def _each(operation: Any, mode: GenerationMode, examples: int, send: Callable[[Any, GenerationMode], None]) -> None:
    there = st.fixed_dictionaries({"run_id": st.sampled_from(("asks", *RUNS)), "key": st.sampled_from(KEYS)})

    @given(case=operation.as_strategy(generation_mode=mode), known=there | there | st.none())
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def each(case: Any, known: dict[str, str] | None) -> None:
        if known is not None and mode is GenerationMode.POSITIVE:
            case.path_parameters.update({name: known[name] for name in known if name in case.path_parameters})
        if mode is GenerationMode.POSITIVE and "wait" in (case.query or {}):
            case.query["wait"] = f"{float(case.query['wait']) / 1e4:.9f}"  # nothing happens to these runs meanwhile
        if mode is GenerationMode.NEGATIVE:
            assume(not case.meta.is_negative_at(ParameterLocation.HEADER))  # who calls is said by us
            assume(all(map(_is_sent, (case.query or {}).values())))
        send(case, mode)

    each()


def _is_sent(value: Any) -> bool:
    """Tell whether a value of the query gets there; an empty one is as good as none, and so not wrong."""
    return value not in ("", None, [], {}) and not (isinstance(value, list) and not all(map(_is_sent, value)))


def _can_be_wrong(operation: Any) -> bool:
    described = DOCUMENT["paths"][operation.path][operation.method]
    return operation.method != "options" and bool(described.keys() & {"parameters", "requestBody"})


def _is_page(operation: Any, response: Any) -> bool:
    """Tell whether people are told of a refusal by a page, where the document says so."""
    described = DOCUMENT["paths"][operation.path][operation.method]["responses"][str(response.status_code)]
    return response.headers["content-type"] == ["text/html; charset=utf-8"] and "text/html" in described["content"]


def _of_its_shape(document: dict[str, Any]) -> bool:
    """Tell whether something was refused for what a schema says: whether it is there, and what it looks like."""
    if document["status"] != 400:
        return False
    wrong = [one for one in document.get("errors", []) if one["pointer"] not in LENGTHS]
    of_the_address = ("The query parameter", "There is no query parameter")
    said = document["code"] == "invalid_name" or document["detail"].startswith(of_the_address)
    return bool(wrong) or "member" in document or said


def _is_problem(response: Any) -> None:
    """Check that a refusal is a problem document (RFC 9457)."""
    assert response.headers["content-type"] == ["application/problem+json"]
    document = response.json()
    assert document["status"] == response.status_code
    assert document["type"] == f"urn:signoff:problem:{document['code']}"
    assert document["title"]
    assert document["detail"]


@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=str)
async def test_what_is_sent_as_described_is_answered_as_described(method: str, path: str) -> None:
    async with hosting(config=CONFIG) as host:
        await _prepared(host)
        told = await asyncio.to_thread(_played, method, path, host.url)
    if {} not in DOCUMENT["paths"][path][method.lower()].get("security", [{}]):
        assert {status for caller, status in told if caller == "nobody"} == {401}
