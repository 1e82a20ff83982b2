from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from signoff.client import SignoffClient
from signoff.errors import BadRequest
from signoff.links import read
from signoff.signing import Keyring
from signoff.workflow.input.entries import InputExpired, InputWithdrawn
from tests.protocol.material import complaints
from tests.server.hosting import KEYED, SECRET, Host, bearer, hosting, problem

KEYRING = Keyring((SECRET,))
SENDER = bearer("mailer", "run:link:r1")
PATH = "/v1/runs/r1/inputs/approve:0/links"


async def minted(host: Host, **body: Any) -> httpx.Response:
    body = {"for": ["user:alice", "group:finance"], **body}
    assert complaints("link-request.json", body) == []
    return await host.post(PATH, body, **SENDER)


async def test_a_link_to_what_a_fork_shares_is_good() -> None:
    async with hosting("memory:", KEYED) as host:
        await host.ask()
        await host.ask(name="later:0")
        boss = bearer("boss", "operator")
        forked = await host.post("/v1/runs/r1/fork", {"run_id": "r2", "at": "later:0"}, **boss)
        assert forked.status_code == 201, forked.text
        run, row = forked.json()["run"], await host.engine.inputs.get("r2", "approve:0")
        assert (row["status"], row["asked_at"] < run["created_at"]) == ("pending", True)
        made = await host.post(PATH.replace("r1", "r2"), {"for": ["user:alice", "group:finance"]}, **boss)
        assert (await host.http.get(made.json()["url"])).status_code == 200


async def test_a_link_that_was_made_decides_as_the_person_it_is_for(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(spec={"actions": ["approve", "reject"]})
        made = await minted(host, actions=["reject"], expires_in=3600, once=True)
        assert made.status_code == 201
        told = made.json()
        assert complaints("link-reply.json", told) == []
        now_s = host.engine.clock.now_ms() / 1000
        link = read(KEYRING, told["url"].rpartition("/")[2], now_s)
        assert (link.id, link.to, link.actions, link.once) == (
            told["id"],
            ("user:alice", "group:finance"),
            ("reject",),
            True,
        )
        assert 3590 < link.expires_at - now_s <= 3601
        row = await host.engine.inputs.get("r1", "approve:0")
        assert link.asked_at == row["asked_at"]
        answer = {"submission_id": "s", "action": "reject", "value": {"approved": False}, "seen_offset": row["revised"]}
        assert (await host.post(told["url"], answer)).status_code == 200
        decided = await host.engine.inputs.get("r1", "approve:0")
        assert (decided["action"], decided["decided_by"]["id"]) == ("reject", "user:alice")


async def test_a_link_lasts_a_week_and_may_be_for_one_person(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(to=("user:alice",))
        before = await host.everything()
        made = (await minted(host, **{"for": "user:alice"})).json()
        link = read(KEYRING, made["url"].rpartition("/")[2], 0)
        assert abs(link.expires_at - host.engine.clock.now_ms() / 1000 - 7 * 86_400) < 60
        assert (link.to, link.actions, link.once) == (("user:alice",), None, False)
        assert await host.everything() == before


async def test_a_link_leads_to_where_others_reach_the_server() -> None:
    for public, base in (
        (None, "http://127.0.0.1:"),
        ("https://app.example/sub/", "https://app.example/sub/v1/answer/"),
    ):
        async with hosting("memory:", replace(KEYED, public_url=public)) as host:
            await host.ask()
            assert (await minted(host)).json()["url"].startswith(base)
            unnamed = await host.http.post(PATH, json={"for": "user:alice"}, headers={**SENDER, "host": "a/b"})
            assert unnamed.status_code == 400


async def test_a_link_is_made_by_whom_the_grant_names_alone() -> None:
    async with hosting("memory:", KEYED) as host:
        await host.ask()
        body = {"for": ["user:alice", "group:finance"]}
        problem(await host.post(PATH, body), 401, "unauthorized")
        for who in (
            bearer("alice", groups=("finance",)),
            bearer("mailer", "run:link:r2"),
            bearer("mailer", "run:read:r1", "run:cancel:r1"),
        ):
            here, nowhere = [await host.post(path, body, **who) for path in (PATH, PATH.replace("approve:0", "none:0"))]
            assert problem(here, 403, "forbidden")["detail"] == problem(nowhere, 403, "forbidden")["detail"]
        for who in (bearer("mailer", "run:link:*"), bearer("boss", "operator")):
            assert (await host.post(PATH, body, **who)).status_code == 201


async def test_a_link_that_nobody_could_answer_with_is_not_made(store: str) -> None:
    async with hosting(store, KEYED) as host:
        problem(await host.post(PATH, {"for": "user:alice"}, **SENDER), 404, "run_not_found")
        await host.ask(spec={"actions": ["approve", "reject"]}, forbid=("user:carol",))
        nowhere = await host.post(PATH.replace("approve:0", "approve:1"), {"for": "user:alice"}, **SENDER)
        problem(nowhere, 404, "input_not_found")

        async def faults(**body: Any) -> list[tuple[str, str]]:
            told = problem(await minted(host, **body), 400, "bad_request")
            assert "No link was made" in told["detail"]
            return [(one["pointer"], one["message"]) for one in told["errors"]]

        [(at, words)] = await faults(**{"for": "user:bob"})
        assert at == "/for"
        assert "user:bob was not asked approve:0; those who were: group:finance" in words
        [(at, words)] = await faults(**{"for": ["group:finance", "user:carol"]})
        assert (at, words) == ("/for", "user:carol may not decide approve:0")
        [(at, words)] = await faults(actions=["approve", "submit"])
        assert (at, words) == ("/actions/1", "approve:0 does not offer 'submit', but: approve, reject")
        at_ms = host.engine.clock.now_ms()
        await host.ask(name="late:0", deadline=at_ms - 1)
        late = await host.post(PATH.replace("approve", "late"), {"for": ["user:alice", "group:finance"]}, **SENDER)
        assert problem(late, 409, "expired")["row"]["id"] == "late:0"


async def test_a_link_to_what_is_decided_is_not_made(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask()
        answer = {"submission_id": "s", "action": "submit", "value": {"approved": True}, "seen_offset": row["revised"]}
        await host.post("/v1/runs/r1/inputs/approve:0/answer", answer, **bearer("alice", groups=("finance",)))
        told = problem(await minted(host), 409, "already_decided")
        assert told["row"]["status"] == "answered"
        at = host.engine.clock.now_ms()
        for name, code, entry in (
            ("other:0", "withdrawn", InputWithdrawn(at=at, id="other:0", reason="no need")),
            ("third:0", "expired", InputExpired(at=at, id="third:0")),
        ):
            await host.ask(name=name)
            await host.record("r1", entry)
            path = PATH.replace("approve:0", name)
            problem(await host.post(path, {"for": ["user:alice", "group:finance"]}, **SENDER), 409, code)


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, "/for"),
        ({"for": "group:finance"}, "/for"),
        ({"for": []}, "/for"),
        ({"for": 7}, "/for"),
        ({"for": ["user:alice", "user:bob"]}, "/for"),
        ({"for": ["user:alice", "finance"]}, "/for/1"),
        ({"for": "user:alice", "actions": []}, "/actions"),
        ({"for": "user:alice", "expires_in": 0}, "/expires_in"),
        ({"for": "user:alice", "expires_in": 1 << 40}, "/expires_in"),
        ({"for": "user:alice", "expires_in": "2d"}, "/expires_in"),
        ({"for": "user:alice", "once": "yes"}, "/once"),
        ({"for": "user:alice", "to": "user:bob"}, "/to"),
    ],
)
async def test_what_says_no_link_is_refused_where_it_is_wrong(body: dict[str, Any], at: str) -> None:
    async with hosting("memory:", KEYED) as host:
        told = problem(await host.post(PATH, body, **SENDER), 400, "bad_request")
        assert [one["pointer"] for one in told["errors"]] == [at]


async def test_a_link_that_mail_programs_would_cut_is_not_made() -> None:
    async with hosting("memory:", KEYED) as host:
        names = [f"{'x' * 100}{number}" for number in range(12)]
        await host.ask(spec={"actions": names})
        assert "name fewer actions" in problem(await minted(host, actions=names), 400, "bad_request")["detail"]


async def test_the_client_makes_links_and_takes_them_back(store: str) -> None:
    async with hosting(store) as host, SignoffClient(host.url) as client:
        await host.ask(to=("user:alice",))
        made = await client.mint_link("r1", "approve:0", "user:alice", actions=["submit"], expires_in=60, once=True)
        assert (await host.http.get(made["url"])).status_code == 200
        assert await client.revoke_tokens(link=made["id"]) == {"revoked": f"link:{made['id']}"}
        assert (await host.http.get(made["url"])).status_code == 410
        with pytest.raises(BadRequest, match="was not asked"):
            await client.mint_link("r1", "approve:0", ["user:bob", "group:sales"])
