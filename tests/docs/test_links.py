"""The page on links: its code makes links that work, its commands print and revoke them."""

from __future__ import annotations

import asyncio
import re
import shlex
from typing import Any

import httpx
import pytest

from signoff.cli.command import run
from signoff.client import SignoffClient
from tests.docs.test_snippets import blocks
from tests.server.hosting import KEYED, SECRET, Host, bearer, hosting

PAGE = "docs/guide/links.md"


async def asked(host: Host) -> None:
    await host.ask("claim-7", spec={"actions": ["approve", "reject"]})


async def test_its_code_makes_links_that_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNOFF_SECRET", SECRET.decode())
    space: dict[str, Any] = {}
    for source in blocks(PAGE):
        exec(compile(source, PAGE, "exec", dont_inherit=True), space)
    async with hosting("memory:", KEYED) as host:
        await asked(host)
        made = httpx.URL(space["link_for_alice"]())
        assert made.host == "app.example"
        assert (await host.http.get(made.raw_path.decode())).status_code == 200
        token = bearer("mailer", "run:link:claim-7")["authorization"].removeprefix("Bearer ")
        monkeypatch.setenv("SIGNOFF_TOKEN", token)
        space["SignoffClient"] = lambda _, **how: SignoffClient(host.url, **how)
        words = await space["told"]("claim-7", "approve:0")
        assert (await host.http.get(words.rpartition(" ")[2])).status_code == 200


async def test_its_commands_print_links_and_take_them_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [make, revoke] = [re.findall(r"^\$ signoff (.*)$", block, re.MULTILINE)[0] for block in blocks(PAGE, "console")]
    async with hosting("memory:") as host:
        await asked(host)
        monkeypatch.setenv("SIGNOFF_SERVER", host.url)
        assert await asyncio.to_thread(run, shlex.split(make)) == 0
        printed = capsys.readouterr()
        url = printed.out.strip()
        assert (await host.http.get(url)).status_code == 200
        said = printed.err.strip()
        assert re.fullmatch(r"It ends \S+ \S+ \(in [12] d\)\. To take it back: signoff link revoke \S+", said)
        arguments = shlex.split(revoke)
        assert arguments[:2] == ["link", "revoke"]
        assert await asyncio.to_thread(run, [*arguments[:2], said.rpartition(" ")[2]]) == 0
        assert (await host.http.get(url)).status_code == 410
