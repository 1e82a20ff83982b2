"""Operators see who is told of requests and what fails why, without URLs and secrets, and do something about it."""

from __future__ import annotations

import base64

from tests.protocol.material import complaints
from tests.server.hosting import KEYED, bearer, hosting, problem

ROOT = bearer("root", "operator")
SECRET = "whsec_" + base64.b64encode(b"n" * 32).decode()
HOOK = "https://crm.example/hooks/sesame"


async def test_a_webhook_is_added_listed_paused_signed_and_removed(store: str) -> None:
    async with hosting(store, KEYED) as host:
        added = await host.post("/v1/notifications", {"id": "crm", "url": HOOK, "events": ["asked"]}, **ROOT)
        assert (added.status_code, complaints("target-added.json", added.json())) == (201, [])
        assert added.json()["secrets"][0].startswith("whsec_")
        problem(await host.post("/v1/notifications", {"id": "crm", "url": HOOK}, **ROOT), 409, "conflict")
        await host.ask()
        listed = await host.http.get("/v1/notifications", headers=ROOT)
        assert (listed.status_code, complaints("target-list.json", listed.json())) == (200, [])
        [target] = listed.json()["targets"]
        assert (target["id"], target["events"], target["backlog"], target["paused"]) == ("crm", ["asked"], 1, False)
        assert "sesame" not in listed.text
        assert "whsec" not in listed.text
        doctor = (await host.http.get("/v1/doctor", headers=ROOT)).json()["findings"]
        assert [one["level"] for one in doctor if one["check"] == "notifications"] == ["ok"]
        for verb, body, paused, count in (
            ("pause", {}, True, None),
            ("resume", {}, False, None),
            ("sign", {"secrets": [SECRET]}, False, None),
            ("retry", {}, False, 0),
            ("skip", {"event": "evt_1"}, False, 0),
            ("remove", {}, False, None),
        ):
            reply = await host.post(f"/v1/notifications/crm/{verb}", body, **ROOT)
            assert (reply.status_code, complaints("target-reply.json", reply.json())) == (200, [])
            assert (reply.json()["target"]["paused"], reply.json()["count"]) == (paused, count)
            assert "sesame" not in reply.text
        problem(await host.post("/v1/notifications/crm/pause", {}, **ROOT), 404, "not_found")
        assert (await host.http.get("/v1/notifications", headers=ROOT)).json() == {"targets": []}


async def test_what_cannot_be_added_or_done_is_refused_and_secrets_are_not_repeated() -> None:
    async with hosting("memory:", KEYED) as host:
        await host.engine.targets.add("app.tell", "function")
        for path, body, code in (
            ("", {"id": "a", "url": "http://127.0.0.1/sesame"}, "webhook_url_rejected"),
            ("", {"id": "a", "url": "ftp://crm.example/sesame"}, "webhook_url_rejected"),
            ("", {"id": "a", "url": HOOK, "secrets": ["whsec_sesame"]}, "bad_request"),
            ("", {"id": "a", "url": HOOK, "events": ["sold"]}, "bad_request"),
            ("", {"id": "a/b", "url": HOOK}, "bad_request"),
            ("/app.tell/sign", {"secrets": [SECRET]}, "bad_request"),
            ("/app.tell/sign", {"secrets": []}, "bad_request"),
            ("/app.tell/sign", {}, "bad_request"),
            ("/app.tell/skip", {"all": True}, "bad_request"),
        ):
            reply = await host.post(f"/v1/notifications{path}", body, **ROOT)
            problem(reply, 400, code)
            assert "sesame" not in reply.text
            assert SECRET not in reply.text
        assert [one["id"] for one in await host.engine.targets.list()] == ["app.tell"]
