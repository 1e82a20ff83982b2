"""People get mail and messages in chats, with a link by which the one who gets it decides, and nobody else reads it."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from signoff import App, Context
from signoff.server.app import notifier_over
from signoff.server.config import ServerConfig
from signoff.server.notify.people import PeopleTarget
from signoff.server.notify.people_messenger import check_people, masked, send
from signoff.service.notify import notifier as module
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who
from tests.runtime.scene import Scene, stage
from tests.server.api.test_answer_links import Page
from tests.server.hosting import SECRET, Host, serving
from tests.server.notify.receivers import Mails, chat, mail_server, text_of
from tests.service.notify.test_notifier import all_told, failing, until

BOSS = Who(frozenset(), DecidedBy("operator", "boss"), operator=True)


def application() -> App:
    app = App()

    @app.workflow
    async def expense(ctx: Context, title: str) -> bool:
        answer = await ctx.await_input(
            "approval",
            bool,
            title=title,
            description="Two people, 40 EUR.",
            to=["user:alice", "group:finance"],
            deadline="2d",
        )
        return answer.value

    return app


@asynccontextmanager
async def telling(
    url: str, template: str, people: Mapping[str, str | Sequence[str]], **how: Any
) -> AsyncIterator[tuple[Scene, Host]]:
    """Run a worker, a server, and the telling of one target."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = ServerConfig(
        secret=SECRET,
        public_url=f"http://127.0.0.1:{listening.getsockname()[1]}",
        notify=(PeopleTarget("people", template, people, **how),),
    )
    async with stage(application(), url) as on, serving(on.engine, config, listening) as host:
        notifier = notifier_over(on.engine, config)
        notifier.start()
        try:
            await until(on.engine.targets.list)
            yield on, host
        finally:
            await notifier.close()


def link_in(text: str) -> str:
    [link] = re.findall(r"http://127\S+/v1/answer/\S+", text)
    return str(link)


async def decide(host: Host, link: str) -> httpx.Response:
    """Open a link as a scanner and as a person, see that this changes nothing, and send the form."""
    before = await host.everything()
    for method in ("HEAD", "OPTIONS", "GET"):
        page = await host.http.request(method, link)
    assert page.status_code == 200
    assert await host.everything() == before
    return await host.http.post(link, data=Page(page.text).hidden() | {"action": "submit", "v": "1"})


async def test_a_mail_has_a_link_that_decides_and_the_run_goes_on(url: str) -> None:
    mails: Mails = []
    async with mail_server(mails) as port:
        template = f"mailto://127.0.0.1:{port}?from=signoff@b.example&to={{to}}"
        people = {"user:alice": "alice@b.example", "user:bora": "bora@b.example", "group:finance": ["user:bora"]}
        async with telling(url, template, people) as (on, host):
            run_id = await on.start("expense", "Lunch?\r\nBcc: x@evil.example")
            await until(lambda: len(mails) == 2)
            await until(lambda: all_told(on))
            (_, mail), [other] = (
                next(one for one in mails if one[0] == ["alice@b.example"]),
                [one for one in mails if one[0] == ["bora@b.example"]],
            )
            assert mail["subject"] == "Lunch? Bcc: x@evil.example"
            assert mail["bcc"] is None
            text = text_of(mail)
            row = await on.engine.inputs.get(run_id, "approval:0")
            for said in ("Two people, 40 EUR.", f"Due: {row['deadline'][:10]} {row['deadline'][11:16]} UTC"):
                assert said in text
            assert link_in(text) != link_in(text_of(other[1]))
            answered = await decide(host, link_in(text_of(other[1])))
            assert (answered.status_code, "Your answer is recorded" in answered.text) == (200, True)
            await on.reaches(run_id, "completed")
            decided = await on.engine.inputs.get(run_id, "approval:0")
            assert decided["decided_by"] == {"kind": "person", "id": "user:bora"}
            assert "Already decided" in (await host.http.get(link_in(text))).text
        assert len(mails) == 2


async def test_a_chat_that_fails_gets_each_message_once_and_nobody_else_waits(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signoff.service.notify.target.FIRST_PAUSE_MS", 1)
    monkeypatch.setattr(module, "POLL_S", 0.05)
    told: list[dict[str, Any]] = []
    async with chat(told, [500, 200, 200]) as port:
        people = {
            "user:alice": f"json://hook:sesame@127.0.0.1:{port}/alice",
            "group:finance": f"json://127.0.0.1:{port}/channel",
        }
        events = ("asked", "decided")
        async with telling(url, "json://127.0.0.1:1", people, events=events) as (on, host):
            run_id = await on.start("expense", "Lunch?")
            await until(lambda: len([one for one in told if one["status"] == 200]) == 2)
            by_path = {one["path"].strip("/"): one for one in told if one["status"] == 200}
            assert (by_path["alice"]["title"], len(told)) == ("Lunch?", 3)
            assert "/v1/answer/" not in by_path["channel"]["message"]
            assert host.url in by_path["channel"]["message"]
            assert (await decide(host, link_in(by_path["alice"]["message"]))).status_code == 200
            await on.reaches(run_id, "completed")
            await until(lambda: len(told) == 5)
            assert {one["title"] for one in told[3:]} == {"Decided: Lunch?"}
            assert "Nothing is left to do" in told[3]["message"]
            await until(lambda: all_told(on))


async def test_what_cannot_be_done_any_more_is_not_asked_for(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.05)
    told: list[dict[str, Any]] = []
    async with chat(told) as port:
        people = {f"user:{name}": f"json://127.0.0.1:{port}/{name}" for name in ("alice", "bora", "carl")}
        async with telling(url, "json://127.0.0.1:1", people) as (on, _):
            await on.engine.targets.pause("people")
            decided = await on.start("expense", "decided")
            await on.answer(await on.asks(decided, "approval:0"), value=True)
            await on.reaches(decided, "completed")
            moved = await on.start("expense", "moved")
            await on.asks(moved, "approval:0")
            for who in ("user:bora", "user:carl"):
                await on.engine.inputs.act("reassign", moved, "approval:0", {"to": [who], "reason": "away"}, BOSS)
            gone = await on.start("expense", "gone")
            await on.answer(await on.asks(gone, "approval:0"), value=True)
            await on.reaches(gone, "completed")
            await on.engine.runs.act("delete", gone, DecidedBy("operator", "test"))
            await on.placed()
            await on.engine.targets.pause("people", paused=False)
            await until(lambda: told)
            await until(lambda: all_told(on))
    assert [(one["path"].strip("/"), one["title"]) for one in told] == [("carl", "moved")]


async def test_a_mail_server_that_hangs_holds_up_neither_others_nor_the_run(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    told: list[dict[str, Any]] = []
    over = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        over.set()

    silent = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with silent, chat(told) as port:
        address = f"mailto://u:sesame@127.0.0.1:{silent.sockets[0].getsockname()[1]}?from=a@b.example&to=x@y.example"
        people = {"user:alice": f"{address}&cto=0.4", "group:finance": f"json://127.0.0.1:{port}/channel"}
        async with telling(url, "json://127.0.0.1:1", people) as (on, _):
            run_id = await on.start("expense", "Lunch?")
            await until(lambda: told)
            await on.answer(await on.asks(run_id, "approval:0"), value=True)
            await on.reaches(run_id, "completed")
            [target] = await until(lambda: failing(on))
            assert "sesame" not in str(target)
            assert target["last_error"] == "it did not take it within 0.2 s"
        await over.wait()


def test_nothing_of_an_address_or_a_link_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for logger in ("apprise", "urllib3.connectionpool"):
        caplog.set_level(logging.DEBUG, logger)
    url = "json://user:sesame123@127.0.0.1:1/T0KEN-0F-IT?+X-Key=opener"
    why = send(url, "Lunch?", "https://app.example/v1/answer/eyJ")
    target = PeopleTarget("chat", url, {"user:alice": "json://127.0.0.1/T0KEN-0F-IT"})
    assert why == "A Connection error occurred sending JSON notification to 127.0.0.1."
    config = ServerConfig(public_url="https://app.example", notify=(target,))
    for word in ("sesame", "T0KEN", "opener", "eyJ", "Lunch"):
        assert word not in f"{caplog.text}{why}{target!r}{config!r}"
    assert masked("T1JJ3T3L2 of A1BRTD4JD%20 said no", "slack://T1JJ3T3L2/A1BRTD4JD%20/x") == "**** of **** said no"


def test_a_url_that_apprise_does_not_know_is_refused_without_being_repeated() -> None:
    with pytest.raises(ValueError, match="does not understand the URL \\(slcak://") as refused:
        check_people([PeopleTarget("chat", "slcak://T0KEN/{to}", {"user:alice": "alice"})])
    assert "T0KEN" not in str(refused.value)


def test_without_a_public_address_there_are_no_links() -> None:
    with pytest.raises(ValueError, match="SIGNOFF_PUBLIC_URL"):
        ServerConfig(notify=(PeopleTarget("chat", "json://127.0.0.1", {}),))


def test_without_the_extra_it_is_said_what_to_install() -> None:
    script = (
        "import sys; sys.modules['apprise'] = None\n"
        "from signoff.server.notify.people_messenger import check_people\n"
        "check_people([])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=240, check=False)
    assert "Messages to people need apprise. Install it: pip install 'signoff[notify]'" in told.stderr
