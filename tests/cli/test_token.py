"""`signoff token`: tokens from a shell, narrow and soon over, and taken back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from signoff import tokens
from signoff.cli import main
from signoff.server.config import ServerConfig
from tests.cli.commands import run
from tests.server.hosting import hosting

SECRET = "a secret for tokens of shells, 40 bytes!"
REFUSED, USAGE = 1, 2


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORE", "SERVER", "TOKEN", "AUDIENCE", "ISSUER", "DEBUG"):
        monkeypatch.delenv(f"SIGNOFF_{name}", raising=False)
    monkeypatch.setenv("SIGNOFF_SECRET", SECRET)


def _claims(token: str, **checks: Any) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token.strip(), SECRET, algorithms=["HS256"], **checks)
    return claims


def test_a_token_of_a_shell_is_as_narrow_as_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    asked = ["--group", "finance", "--group", "legal", "--grant", "run:read:mine", "--grant", "stream:read:chat/*"]
    assert main(["token", "--as", "alice", *asked, "--ttl", "10m"]) == 0
    said = capfd.readouterr()
    claims = _claims(said.out)
    assert said.out.count("\n") == 1
    assert said.err == ""
    assert (claims["sub"], claims["groups"]) == ("alice", ["finance", "legal"])
    assert claims["grants"] == ["run:read:mine", "stream:read:chat/*"]
    assert claims["exp"] - claims["iat"] in {600, 601}
    assert abs(claims["iat"] - time.time()) < 60


def test_a_token_lasts_a_quarter_of_an_hour_and_allows_nothing_unless_more_is_said(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNOFF_AUDIENCE", "app")
    monkeypatch.setenv("SIGNOFF_ISSUER", "https://id.example")
    named = set()
    for _ in range(2):
        assert main(["token", "--as", "alice"]) == 0
        claims = _claims(capfd.readouterr().out, audience="app", issuer="https://id.example")
        assert claims["exp"] - claims["iat"] in {900, 901}
        assert (claims["groups"], claims["grants"]) == ([], [])
        named.add(claims["jti"])
    assert len(named) == 2


@pytest.mark.parametrize(
    ("arguments", "secret", "code", "word"),
    [
        ([], SECRET, USAGE, "--as PERSON"),
        (["--as", "alice"], "", USAGE, "SIGNOFF_SECRET is not set"),
        (["--as", "alice"], "short", REFUSED, "needs at least 32"),
        (["--as", "a/b"], SECRET, USAGE, "cannot stand in a principal"),
        (["--as", "alice", "--group", "a%b"], SECRET, USAGE, "cannot stand in a principal"),
        (["--as", "alice", "--grant", "run:raed:r1"], SECRET, USAGE, "There is no grant 'run:raed:r1'"),
        (["--as", "alice", "--grant", "run:read"], SECRET, USAGE, "There is no grant 'run:read'"),
        (["--as", "alice", "--grant", "run:read:"], SECRET, USAGE, "There is no grant 'run:read:'"),
        (["--as", "alice", "--grant", "*"], SECRET, USAGE, "There is no grant '*'"),
        (["--as", "alice", "--grant", ""], SECRET, USAGE, "There is no grant ''"),
        (["--as", "alice", "--ttl", "soon"], SECRET, USAGE, "--ttl"),
        (["--as", "alice", "--ttl", "0s"], SECRET, USAGE, "more than 0 seconds"),
        (["--as", "alice", "--ttl", "10000d"], SECRET, USAGE, "a year at most"),
        (["revoke"], SECRET, USAGE, "Name a token, or --of PERSON"),
        (["revoke", "t1", "--of", "alice"], SECRET, USAGE, "Name a token, or --of PERSON"),
        (["revoke", "a.b.c"], SECRET, USAGE, "no token with a `jti`"),
        (["revoke", jwt.encode({"sub": "alice"}, SECRET, "HS256")], SECRET, USAGE, "no token with a `jti`"),
        (["revoke", "t1", "--server", "http://127.0.0.1:1"], SECRET, REFUSED, "No Signoff server answers"),
    ],
    ids=str,
)
def test_what_is_no_token_is_said_in_one_line(
    arguments: list[str],
    secret: str,
    code: int,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SIGNOFF_SECRET", secret)
    assert main(["token", *arguments]) == code
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("signoff: ")
    assert said.err.count("\n") == 1
    assert word in said.err


async def test_a_token_of_a_shell_is_good_until_it_is_revoked_from_one(tmp_path: Path) -> None:
    async with hosting(config=ServerConfig(secret=SECRET.encode())) as host:

        async def shell(*arguments: str) -> tuple[int, str]:
            done = await asyncio.to_thread(run, tmp_path, "token", *arguments, SIGNOFF_SECRET=SECRET)
            return done.returncode, (done.stdout + done.stderr).strip()

        async def status(token: str) -> int:
            return (await host.http.get("/v1/inputs", headers={"authorization": f"Bearer {token}"})).status_code

        _, boss = await shell("--as", "boss", "--grant", "operator")
        _, alice = await shell("--as", "alice")
        assert await status(alice) == 200
        there = ("--server", host.url, "--token")
        code, said = await shell("revoke", alice, *there, alice)
        assert (code, said.count("\n")) == (REFUSED, 0)
        assert said.startswith("signoff: This is for operators")
        jti = jwt.decode(alice, options={"verify_signature": False})["jti"]
        assert await shell("revoke", alice, *there, boss) == (0, f"Revoked jti:{jti}.")
        assert await status(alice) == 401
        another = tokens.mint(SECRET.encode(), "alice")
        assert await status(another) == 200
        assert await shell("revoke", "--of", "alice", *there, boss) == (0, "Revoked sub:alice.")
        assert await status(another) == 401
        assert await status(boss) == 200
