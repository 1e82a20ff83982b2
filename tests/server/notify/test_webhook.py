"""Webhooks are told of requests, signed so that the scheme's own library takes them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from standardwebhooks import Webhook

from signoff.clock import SystemClock
from signoff.errors import BadRequest, Conflict409, NotFound
from signoff.server.app import notifier_over
from signoff.server.config import ServerConfig
from signoff.server.notify.webhook import WebhookMessenger
from signoff.server.subscriptions.webhook import HttpWebhooks
from signoff.service.notify.target import NotifyTarget
from signoff.streams.subscriptions.target import Targets as Allowed
from signoff.workflow.notice import RequestEvent
from tests.runtime.scene import stage
from tests.service.notify.test_notifier import all_told, application, failing, until

Told = list[tuple[dict[str, str], bytes]]


@asynccontextmanager
async def receiver(told: Told, status: int = 204) -> AsyncIterator[str]:
    """Serve a webhook that keeps what it is told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head if line)}
        told.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(b"HTTP/1.1 %d -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


async def test_a_webhook_is_told_with_signatures_by_old_and_new_secret(url: str) -> None:
    told: Told = []
    config = ServerConfig(webhooks=Allowed.LOOPBACK)
    app = application()
    async with stage(app, url) as on, receiver(told) as hook:
        secrets = (await on.engine.targets.add("crm", "webhook", hook))["secrets"]
        new = "whsec_" + base64.b64encode(b"n" * 32).decode()
        await on.engine.targets.sign_with("crm", [new, *secrets])
        notifier = notifier_over(on.engine, config)
        notifier.start()
        run_id = await on.start("expense", "Lunch?")
        await on.answer(await on.asks(run_id, "approval:0"), value=True)
        await until(lambda: len(told) == 2)
        await until(lambda: all_told(on))
        await notifier.close()
    for headers, body in told:
        for secret in (new, *secrets):
            Webhook(secret).verify(body, headers)
    asked, decided = (json.loads(body) for _, body in told)
    assert (asked["type"], decided["type"]) == ("request.asked", "request.decided")
    assert [headers["webhook-id"] for headers, _ in told] == [asked["data"]["id"], decided["data"]["id"]]


async def test_one_that_refuses_or_is_gone_holds_up_no_other_and_operators_see_why(url: str) -> None:
    told: Told = []
    refused: Told = []
    config = ServerConfig(webhooks=Allowed.LOOPBACK)
    app = application()
    async with stage(app, url) as on, receiver(told) as good, receiver(refused, 500) as bad:
        await on.engine.targets.add("good", "webhook", good)
        await on.engine.targets.add("refuses", "webhook", bad)
        await on.engine.targets.add("gone", "webhook", "http://127.0.0.1:1/")
        notifier = notifier_over(on.engine, config)
        notifier.start()
        run_id = await on.start("expense", "Lunch?")
        await on.answer(await on.asks(run_id, "approval:0"), value=True)
        await on.reaches(run_id, "completed")
        await until(lambda: len(told) == 2)

        async def both() -> bool:
            return len(await failing(on)) == 2

        await until(both)
        gone, refuses = await failing(on)
        await notifier.close()
        assert refuses["last_error"] == "the receiver answered 500"
        assert (gone["id"], gone["backlog"], refuses["backlog"]) == ("gone", 2, 2)
        await on.engine.targets.remove("gone")
        assert [one["id"] for one in await on.engine.targets.list()] == ["good", "refuses"]


async def test_addresses_that_webhooks_may_not_be_sent_to_are_not_called() -> None:
    told: Told = []
    event = RequestEvent("evt_1", "asked", "r1", "expense", "approval:0", (), "?", None, None, None, 1)
    clock = SystemClock()
    messenger = WebhookMessenger(HttpWebhooks(clock, Allowed.PUBLIC), clock)
    async with receiver(told) as hook:
        why = await messenger.tell(NotifyTarget("crm", "webhook", hook, ("whsec_" + "A" * 44,)), event)
    assert why == "127.0.0.1 is this machine."
    assert told == []


async def test_targets_that_cannot_be_are_refused(url: str) -> None:
    async with stage(application(), url) as on:
        targets = on.engine.targets
        for secret in ("whsec_short", "A" * 44, "whsec_é"):
            with pytest.raises(BadRequest) as refused:
                await targets.add("crm", "webhook", "https://crm.example/", secrets=[secret])
            assert secret not in refused.value.detail
        await targets.add("crm", "webhook", "https://crm.example/")
        with pytest.raises(Conflict409):
            await targets.add("crm", "webhook", "https://crm.example/")
        with pytest.raises(BadRequest):
            await targets.add("other", "webhook", "https://crm.example/", events=["sold"])
        with pytest.raises(NotFound):
            await targets.remove("nobody")
        assert "example" not in str(await targets.list())
