"""The page on notifications: what it shows runs, and is understood."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from signoff.server.notify.people import read_people
from signoff.server.notify.people_messenger import check_people
from signoff.server.notify.webhook import signed
from tests.docs.test_snippets import _namespace, blocks
from tests.runtime.scene import stage
from tests.service.notify.test_notifier import all_told, telling, until

PAGE = "docs/guide/notifications.md"
ASKING, RECEIVING, EMBEDDED = blocks(PAGE)
SECRET = "whsec_" + "n" * 44


async def test_a_function_is_told_of_what_people_are_asked() -> None:
    space = _namespace(ASKING)
    async with stage(space["app"], "memory:") as on, telling(space["app"], on):
        run_id = await on.start("expense", 40)
        await on.answer(await on.asks(run_id, "approve:0"), value=True)
        await on.reaches(run_id, "completed")
        await until(lambda: all_told(on))
    assert space["sent"] == ["Approve 40 EUR? is for user:alice"]


def test_a_receiver_takes_what_is_signed_and_passes_over_repeats() -> None:
    receive: Any = _namespace(RECEIVING)["receive"]
    body = json.dumps({"data": {"id": "evt_1", "event": "asked", "title": "Lunch?"}}).encode()
    headers = signed("evt_1", _now(), body, [SECRET])
    assert receive(SECRET, body, headers) == "asked: Lunch?"
    assert receive(SECRET, body, headers) is None
    for wrong in (signed("evt_1", _now() - 3_600, body, [SECRET]), signed("evt_1", _now(), b"{}", [SECRET])):
        with pytest.raises(WebhookVerificationError):
            receive(SECRET, body, wrong)


def _now() -> int:
    return int(time.time())


def test_the_file_of_the_page_is_understood_by_us_and_by_apprise(tmp_path: Path) -> None:
    [source] = blocks(PAGE, "toml")
    path = tmp_path / "notify.toml"
    path.write_text(source)
    found = read_people(path, {"SMTP_PASSWORD": "sesame", "SLACK_BOT_TOKEN": "xoxb-1234-1234-abc124"})
    assert [one.id for one in found] == list(tomllib.loads(source))
    assert found[0].recipients(["group:finance"]) == [
        ("user:alice", "group:finance"),
        ("user:bora", "group:finance"),
    ]
    check_people(found)


def test_an_application_says_the_same_by_its_configuration() -> None:
    config = _namespace(EMBEDDED)["config"]
    assert config.notify[0].url_for("user:alice").endswith("&to=alice%40app.example")
    check_people(config.notify)
