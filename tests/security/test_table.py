"""Every endpoint, and every stream of the engine's, against everybody who might call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from signoff import links, tokens
from signoff.paths import notifications_path
from signoff.server.api.about import PUBLISHED
from signoff.server.config import ServerConfig
from signoff.signing import Keyring
from signoff.workflow.input.attachment import AttachmentLimits
from tests.server.hosting import SCHEMA, SECRET, Host, hosting
from tests.server.streams.test_live_connection import connected, join

CONFIG: Final = ServerConfig(secret=SECRET, audience="app", rate=0)
KEY: Final = "approve:0"
FILE: Final = "scan"
FORM: Final = {**SCHEMA, "properties": {**SCHEMA["properties"], "scan": AttachmentLimits().schema}}  # type: ignore[dict-item]

CALLERS: Final = (
    "nobody",
    "expired",
    "audience",
    "revoked",
    "link",
    "other_link",
    "run",
    "user",
    "former",
    "asked",
    "operator",
)
"""No token; a token that has expired, that is for another audience, that was revoked; a signed link to this request, or
to that of another run, shown as a token; somebody who may read another run; another person; one whose claim was taken
over; one who is asked, and holds the claim; an operator."""

PUBLIC: Final = (200,) * len(CALLERS)


def row(run: int, user: int, former: int, asked: int, operator: int) -> tuple[int, ...]:
    """Return the statuses of a row: who shows no good token is always refused."""
    return (401,) * 6 + (run, user, former, asked, operator)


def operators(status: int) -> tuple[int, ...]:
    """Return the statuses of what is for operators alone, for whom it ends so."""
    return row(403, 403, 403, 403, status)


ENDPOINTS: Final[dict[str, tuple[int, ...]]] = {
    "getInput": row(403, 403, 200, 200, 200),
    "listInputs": row(200, 200, 200, 200, 200),
    "listApprovals": row(200, 200, 200, 200, 200),
    "answer": row(403, 403, 409, 200, 409),
    "claimInput": row(403, 403, 409, 200, 409),
    "releaseInput": row(403, 403, 409, 200, 200),
    "delegateInput": row(403, 403, 200, 200, 403),
    "commentInput": row(403, 403, 200, 200, 200),
    "revokeInput": row(403, 403, 403, 403, 400),
    "saveDraft": row(403, 403, 200, 200, 200),
    "uploadFile": row(403, 403, 409, 201, 409),
    "downloadFile": row(403, 403, 403, 200, 200),
    "removeFile": row(403, 403, 404, 204, 404),
    "mintLink": operators(400),
    "startRun": operators(200),
    "withdrawInput": operators(200),
    "reassignInput": operators(200),
    "reviseInput": operators(200),
    "cancelRun": operators(202),
    "terminateRun": operators(200),
    "pauseRun": operators(200),
    "resumeRun": operators(409),
    "deleteRun": operators(409),
    "retryRun": operators(409),
    "rewindRun": operators(404),
    "forkRun": operators(201),
    "sendEvent": operators(202),
    "emitEvent": operators(200),
    "prune": operators(200),
    "revokeTokens": operators(200),
    "listTargets": operators(200),
    "addTarget": operators(201),
    "retryTarget": operators(200),
    "skipTarget": operators(200),
    "pauseTarget": operators(200),
    "resumeTarget": operators(200),
    "signTarget": operators(200),
    "removeTarget": operators(200),
    "listRuns": operators(200),
    "getRun": operators(200),
    "getHistory": operators(200),
    "getEvidence": operators(200),
    "examine": operators(200),
    "listOutputs": operators(200),
    "getResult": operators(202),
    "health": PUBLIC,
    "describe": PUBLIC,
    "me": (200, *(401,) * 5, *(200,) * 5),
    "openLink": PUBLIC,
    "lookAtLink": PUBLIC,
    "methodsOfLink": (204,) * len(CALLERS),
    "answerByLink": (400,) * len(CALLERS),
}
"""Of links it makes no difference who else one is."""

BODIES: Final[dict[str, dict[str, Any]]] = {
    "answer": {"submission_id": "s", "action": "submit", "value": {"approved": True}},
    "startRun": {"workflow": "expense", "run_id": "r2", "input": {"amount": 120}},
    "delegateInput": {"to": "user:dora", "reason": "I am away"},
    "commentInput": {"text": "Hm."},
    "saveDraft": {"value": {"approved": True}},
    "withdrawInput": {"reason": "No longer wanted"},
    "reassignInput": {"to": ["user:dora"], "reason": "She knows"},
    "reviseInput": {"title": "Really?", "reason": "So that it is clear"},
    "rewindRun": {"to": "pay:0"},
    "sendEvent": {"id": "e1"},
    "emitEvent": {"id": "e1"},
    "prune": {"ended_before": "2020-01-01T00:00:00Z"},
    "revokeTokens": {"jti": "another"},
    "mintLink": {"for": "user:alice"},
    "addTarget": {"id": "crm", "url": "https://crm.example/hooks"},
    "signTarget": {"secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]},
}
"""What is sent; `{}` to all others."""


def published() -> list[tuple[str, str, str, Mapping[str, Any]]]:
    """Return each operation: its name, method, path and description."""
    paths = json.loads(PUBLISHED.read_text())["paths"]
    return [
        (operation["operationId"], method.upper(), path, operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "operationId" in operation
    ]


def link_to(run_id: str, **how: Any) -> str:
    """Return the token of a link with which alice answers the request of a run."""
    return links.make(Keyring((SECRET,)), run_id, KEY, ("user:alice", "group:finance"), **how).token


def headers(run_id: str) -> dict[str, dict[str, str]]:
    """Return what each caller sends who is after a run."""

    def shown(token: str) -> dict[str, str]:
        return {"authorization": f"Bearer {token}"}

    def minted(sub: str, *grants: str, groups: tuple[str, ...] = (), **claims: Any) -> dict[str, str]:
        return shown(tokens.mint(SECRET, sub, grants=grants, groups=groups, **{"audience": "app", **claims}))

    return {
        "nobody": {},
        "expired": minted("boss", operator=True, now=1_000_000_000),
        "audience": minted("boss", operator=True, audience="another"),
        "revoked": minted("boss", operator=True, jti="revoked"),
        "link": shown(link_to(run_id)),
        "other_link": shown(link_to("r2")),
        "run": minted("rita", "run:read:r2"),
        "user": minted("otto"),
        "former": minted("bora", groups=("finance",)),
        "asked": minted("alice", groups=("finance",)),
        "operator": minted("boss", operator=True),
    }


async def _ask(host: Host, method: str, path: str, who: Mapping[str, str], **how: Any) -> int:
    return (await host.http.request(method, path, headers={**how.pop("headers", {}), **who}, **how)).status_code


def _address(path: str, run_id: str = "r1") -> str:
    return path.format(
        run_id=run_id, key=KEY, topic="paid", workflow="expense", target="crm", file=FILE, token=link_to(run_id)
    )


async def _taken_over(host: Host, run_id: str) -> None:
    """Let a run ask; bora claims the request, an operator takes it from her, and alice claims it."""
    await host.ask(run_id, KEY, spec={"schema": FORM})
    callers = headers(run_id)
    for caller, verb in (("former", "claim"), ("operator", "release"), ("asked", "claim")):
        assert await _ask(host, "POST", f"/v1/runs/{run_id}/inputs/{KEY}/{verb}", callers[caller], json={}) == 200


async def _prepared(host: Host) -> None:
    await _taken_over(host, "r1")
    await host.ask("r2", KEY)
    await host.engine.outputs.create("r1", "words")
    await host.engine.outputs.create("r2", "words")
    await host.engine.revocations.revoke("jti:revoked", None)


async def _statuses(host: Host, name: str, method: str, path: str) -> tuple[int, ...]:
    """Have everybody call, those who may change something each about a run of their own."""
    found = []
    for caller in CALLERS:
        run_id = "r1"
        if method == "POST" and "{run_id}" in path and caller in {"former", "asked", "operator"}:
            run_id = f"{name}.{caller}"
            await _taken_over(host, run_id)
        body = BODIES.get(name, {})
        if name == "answer":
            body = {**body, "seen_offset": (await host.engine.inputs.get(run_id, KEY))["revised"]}
        how: dict[str, Any] = {"json": body} if method == "POST" else {}
        found.append(await _ask(host, method, _address(path, run_id), headers(run_id)[caller], **how))
    return tuple(found)


async def test_every_endpoint_lets_in_whom_it_should() -> None:
    async with hosting(config=CONFIG) as host:
        await _prepared(host)
        found = {name: await _statuses(host, name, method, path) for name, method, path, _ in published()}
    assert found == ENDPOINTS


@pytest.fixture(autouse=True)
def _failures_as_one_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signoff.server.app.FAILURES_AT_ONCE", 10_000)


STREAMS: Final = {
    "runs/r1": operators(200),
    "runs/r1/journal": operators(200),
    "runs/r1/out/words": operators(200),
    "runs/r1/out/none": operators(404),
    f"runs/r1/files/{FILE}": operators(200),
    "runs/r1/files/none": operators(404),
    "runs/none": operators(404),
    "runs/r2": row(200, 403, 403, 403, 200),
    "runs/r2/out/words": row(200, 403, 403, 403, 200),
    "runs/r2/journal": operators(200),
    "inbox/group:finance": row(403, 403, 200, 200, 200),
    "inbox/user:alice": row(403, 403, 403, 200, 200),
    "workflows/expense": operators(200),
    "drafts/user:alice": row(403, 403, 403, 200, 403),
    "drafts/user:bora": row(403, 403, 200, 403, 403),
    notifications_path("r1"): operators(200),
    "notifications/none": operators(404),
    "chat/1": operators(200),
    "__ds/subscriptions/s1": operators(404),
    "__ds/jwks.json": PUBLIC,
}
LIVE: Final = ("?offset=now&live=long-poll", "?offset=-1&live=sse")


async def _streams(host: Host) -> None:
    """Have streams of each kind that there is."""
    await _prepared(host)
    await host.ask("r3", KEY, to=("user:alice",))
    callers = headers("r1")
    for caller in ("asked", "former"):
        path = f"/v1/runs/r1/inputs/{KEY}/draft"
        assert await _ask(host, "POST", path, callers[caller], json={"value": {"approved": True}}) == 200
    file = f"/v1/runs/r1/inputs/{KEY}/files/{FILE}"
    assert await _ask(host, "PUT", file, callers["asked"], content=b"bytes") == 201
    made = {"headers": {"content-type": "application/json"}}
    assert await _ask(host, "PUT", "/v1/stream/chat/1", callers["operator"], **made) == 201


async def test_every_stream_lets_in_whom_it_should_however_it_is_read() -> None:
    async with hosting(config=CONFIG) as host:
        await _streams(host)
        found = {}
        for path in STREAMS:
            statuses = []
            for caller, who in headers("r1").items():
                status = await _ask(host, "GET", f"/v1/stream/{path}", who)
                assert await _ask(host, "HEAD", f"/v1/stream/{path}", who) == status, (path, caller)
                if status in {401, 403}:
                    for live in LIVE:
                        assert await _ask(host, "GET", f"/v1/stream/{path}{live}", who) == status, (path, caller, live)
                statuses.append(status)
            found[path] = tuple(statuses)
    assert found == STREAMS


async def test_what_is_carried_with_others_is_let_in_as_it_is_alone() -> None:
    async with hosting(config=CONFIG) as host:
        await _streams(host)
        found: dict[str, list[int]] = {path: [] for path in STREAMS}
        for who in headers("r1").values():
            opened: dict[str, int] = {}
            async with connected(host, *(join(path, path) for path in STREAMS), headers=who) as frames:
                while len(opened) < len(STREAMS):
                    kind, data = await frames.next()
                    if kind == "opened":
                        opened[data["id"]] = data["status"]
            for path, status in opened.items():
                found[path].append(status)
    carried = STREAMS | {"__ds/subscriptions/s1": operators(400)}  # which is no stream, and has no offsets
    assert {path: tuple(statuses) for path, statuses in found.items()} == carried


async def test_nobody_writes_the_engines_streams_and_the_applications_who_may() -> None:
    async with hosting(config=CONFIG) as host:
        await _streams(host)
        before = await host.everything()
        for path in STREAMS:
            if path.startswith("__ds/"):
                continue
            for caller, who in headers("r1").items():
                for method in ("PUT", "POST", "DELETE"):
                    how = {} if method == "DELETE" else {"json": [{"a": 1}]}
                    status = await _ask(host, method, f"/v1/stream/{path}", who, **how)
                    own = path == "chat/1" and caller == "operator"
                    expected = (204 if method != "PUT" else 200) if own else 401 if caller in CALLERS[:6] else 403
                    assert status == expected, (method, path, caller)
        assert await host.everything() == before


CONTROL: Final = (
    ("PUT", ""),
    ("GET", ""),
    ("POST", "/streams"),
    ("DELETE", "/streams/chat%2F1"),
    ("POST", "/claim"),
    ("POST", "/callback"),
    ("POST", "/ack"),
    ("POST", "/release"),
    ("DELETE", ""),
)
"""What there is to ask of a subscription, beside what its own token of each wake is for."""


async def test_subscriptions_are_for_operators_and_wakes_for_who_holds_their_token() -> None:
    async with hosting(config=CONFIG) as host:
        await _streams(host)
        for method, rest in CONTROL:
            for caller, who in headers("r1").items():
                path = f"/v1/stream/__ds/subscriptions/s1{rest}"
                status = await _ask(host, method, path, who, **({} if method in {"GET", "DELETE"} else {"json": {}}))
                by_token = rest in {"/callback", "/ack", "/release"}
                if by_token or caller in CALLERS[:6]:
                    assert status in {400, 401, 404}, (method, rest, caller)
                    assert by_token or status == 401, (method, rest, caller)
                else:
                    assert (status == 403) == (caller != "operator"), (method, rest, caller)


def _hidden_in(token: str) -> Iterator[dict[str, Any]]:
    for name in ("token", "access_token", "authorization", "link"):
        yield {"params": {name: token}}
        yield {"headers": {"cookie": f"{name}={token}"}}
    yield {"headers": {"authorization": f"Basic {token}"}}
    yield {"headers": {"authorization": token}}
    yield {"headers": {"x-signoff-token": token, "x-authorization": f"Bearer {token}"}}


async def test_a_links_token_is_good_nowhere_but_at_the_end_of_its_address() -> None:
    async with hosting(config=CONFIG) as host:
        await _streams(host)
        before = await host.everything()
        known = [(method, path) for _, method, path, one in published() if {} not in one.get("security", [{}])]
        addresses = [(method, _address(path)) for method, path in known]
        addresses += [("GET", f"/v1/stream/{path}") for path in STREAMS if STREAMS[path] != PUBLIC]
        for how in _hidden_in(link_to("r1")):
            for method, address in addresses:
                assert await _ask(host, method, address, {}, **how) == 401, (method, address, how)
        for method in ("PUT", "PATCH", "DELETE", "TRACE"):
            assert await _ask(host, method, f"{links.PATH}{link_to('r1')}", {}) == 405, method
        assert await host.everything() == before


async def test_each_link_opens_its_own_page_alone() -> None:
    old = b"o" * 40
    async with hosting(config=replace(CONFIG, old_secrets=(old,))) as host:
        await host.ask("r1", KEY, spec={"title": "Vermilion"})
        await host.ask("r2", KEY, spec={"title": "Ultramarine"})
        revoked = links.make(Keyring((SECRET,)), "r1", KEY, "user:alice")
        await host.engine.revocations.revoke(f"link:{revoked.id}", None)
        rotated = links.make(Keyring((old,)), "r1", KEY, ("user:alice", "group:finance")).token
        good, other = link_to("r1"), link_to("r2")
        pages = {
            good: 200,
            rotated: 200,
            other: 200,
            link_to("r1", now_s=1_000_000_000): 410,
            revoked.token: 410,
            links.make(Keyring((SECRET,)), "r1", KEY, "user:otto").token: 403,
            links.make(Keyring((b"x" * 40,)), "r1", KEY, "user:alice").token: 404,
            good[:-2] + ("AA" if good[-2:] != "AA" else "BB"): 404,
            tokens.mint(SECRET, "boss", operator=True, audience="app"): 404,
        }
        before = await host.everything()
        for token, status in pages.items():
            for method in ("GET", "HEAD", "POST"):
                how: dict[str, Any] = {"content": b"", "headers": {"content-type": "application/x-www-form-urlencoded"}}
                page = await host.http.request(method, f"{links.PATH}{token}", **(how if method == "POST" else {}))
                told = {400} if status == 200 else {400, 403} if status == 403 else {status}  # to a form without fields
                assert page.status_code in (told if method == "POST" else {status}), (method, token)
                shown = {title for title in ("Vermilion", "Ultramarine") if title in page.text}
                own = "Ultramarine" if token == other else "Vermilion"
                assert shown <= ({own} if status == 200 else set())
        assert await host.everything() == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_what_a_form_of_another_site_can_send_does_nothing(kind: str) -> None:
    """Not even with an operator's token, which no browser adds by itself."""
    async with hosting(config=CONFIG) as host:
        await _prepared(host)
        before = await host.everything()
        sent = {"content-type": kind, "origin": "https://evil.example"}
        boss = headers("r1")["operator"]
        for name, method, path, _ in published():
            if method != "POST" or name == "answerByLink":  # which takes a form from whoever has the link
                continue
            for who in ({}, boss):
                answer = await host.http.post(_address(path), content=b'{"a":"="}', headers={**sent, **who})
                assert answer.status_code == (415 if who else 401), (name, answer.text)
                assert "set-cookie" not in answer.headers
                assert "access-control-allow-origin" not in answer.headers
        assert await host.everything() == before
