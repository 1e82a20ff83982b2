"""The page on access: what it shows runs, its numbers are those of the server."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jwt
import pytest

from signoff import links
from signoff.server.app import FAILURES, FAILURES_AT_ONCE
from signoff.server.config import ServerConfig
from signoff.tokens import DEFAULT_TTL_S, mint
from tests.docs.test_snippets import ROOT, blocks
from tests.server.hosting import SECRET, hosting

PAGE = "docs/guide/access.md"


def _space(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("SIGNOFF_SECRET", SECRET.decode())
    space: dict[str, Any] = {}
    exec(compile("\n".join(blocks(PAGE)), PAGE, "exec", dont_inherit=True), space)
    return space


def _shown(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_the_page_on_access_makes_tokens_for_pages_and_takes_them_back(monkeypatch: pytest.MonkeyPatch) -> None:
    space = _space(monkeypatch)
    token = space["token_for"]("alice", {"finance"})
    claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    assert claims["exp"] - claims["iat"] in {600, 601}
    async with hosting(config=ServerConfig(secret=SECRET)) as host:
        await host.ask("r1")
        listed = await host.http.get("/v1/inputs", headers=_shown(token))
        assert [row["id"] for row in listed.json()["inputs"]] == ["approve:0"]
        assert (await host.http.get("/v1/runs/r1", headers=_shown(token))).status_code == 403
        await space["signed_out"](host.url, mint(SECRET, "boss", operator=True), "alice")
        assert (await host.http.get("/v1/inputs", headers=_shown(token))).status_code == 401


async def test_the_page_on_access_rotates_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = b"o" * 40, b"n" * 40
    steps = [ServerConfig(secret=old), *_space(monkeypatch)["rotated"](new, old)]
    for signs, takes in pairwise(steps):
        for one, other in ((signs, takes), (takes, signs)):
            keys = one.keyring
            assert keys is not None
            async with hosting(config=other) as host:
                await host.ask("r1", to=("user:alice",))
                bearer = _shown(mint(keys, "alice"))
                link = links.PATH + links.make(keys, "r1", "approve:0", "user:alice").token
                statuses = [(await host.http.get(path, headers=bearer)).status_code for path in ("/v1/inputs", link)]
                assert statuses == [200, 200], (one.old_secrets, other.old_secrets)


def test_the_page_on_access_says_the_numbers_of_the_server() -> None:
    page, told = (ROOT / PAGE).read_text(), ServerConfig()
    assert f"`--rate 0` for no bound) | {told.rate:g} | {told.burst:,} |" in page
    assert f"| nobody, by address | {told.rate:g} | {told.burst:,} |" in page
    assert f"not valid, by address | {FAILURES:g} | {FAILURES_AT_ONCE:,} |" in page
    assert f"({DEFAULT_TTL_S / 60:g} minutes unless said)" in page
