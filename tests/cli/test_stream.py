"""`signoff stream …` as people and scripts use it: over a store, and over a server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from tests.cli.commands import environment, run, running

STORE = ("--store", "sqlite:///streams.db")


def said(folder: Path, *arguments: str, stdin: bytes = b"") -> Any:
    """Run a command with `--json` that must succeed; return what it printed."""
    done = run(folder, "stream", *arguments, "--json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_life_of_a_stream(tmp_path: Path) -> None:
    made = said(tmp_path, "create", "chat/1", "--ttl", "3600", *STORE)
    assert made["created"] is True
    assert made["ttl"] == 3600
    assert made["content_type"] == "application/json"
    assert said(tmp_path, "create", "chat/1", "--ttl", "3600", *STORE)["created"] is False
    assert said(tmp_path, "append", "chat/1", '[{"n":1},{"n":2}]', *STORE)["offset"] == "0000000000000002"
    assert said(tmp_path, "append", "chat/1", "-", *STORE, stdin=b"3")["offset"] == "0000000000000003"
    (tmp_path / "four.json").write_text("4")
    assert said(tmp_path, "append", "chat/1", "@four.json", "--close", *STORE)["closed"] is True
    assert said(tmp_path, "read", "chat/1", *STORE) == {
        "offset": "0000000000000004",
        "closed": True,
        "messages": [{"n": 1}, {"n": 2}, 3, 4],
    }
    assert said(tmp_path, "head", "chat/1", *STORE)["closed"] is True
    assert said(tmp_path, "delete", "chat/1", *STORE) == {"path": "chat/1", "deleted": True}
    gone = run(tmp_path, "stream", "read", "chat/1", *STORE)
    assert gone.returncode == 1
    assert "no stream" in gone.stderr


def test_what_people_see(tmp_path: Path) -> None:
    assert run(tmp_path, "stream", "create", "s", *STORE).stdout == "Created s.\n"
    assert run(tmp_path, "stream", "create", "s", *STORE).stdout == "s was there already, with this configuration.\n"
    assert (
        run(tmp_path, "stream", "append", "s", "[1,2]", *STORE).stdout == "Appended; s goes on at 0000000000000002.\n"
    )
    assert run(tmp_path, "stream", "read", "s", "--offset", "0000000000000001", *STORE).stdout == "2\n"
    assert "application/json" in run(tmp_path, "stream", "head", "s", *STORE).stdout
    assert run(tmp_path, "stream", "close", "s", *STORE).stdout == "s is closed at 0000000000000002.\n"
    assert run(tmp_path, "stream", "tail", "s", *STORE).stdout == "1\n2\n"
    assert run(tmp_path, "stream", "delete", "s", *STORE).stdout == "s is deleted.\n"


def test_a_producer_may_repeat_itself(tmp_path: Path) -> None:
    said(tmp_path, "create", "s", *STORE)
    first, again = (said(tmp_path, "append", "s", "1", "--producer", "a:b:0:0", *STORE) for _ in range(2))
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert "already" in run(tmp_path, "stream", "append", "s", "1", "--producer", "a:b:0:0", *STORE).stdout
    gap = run(tmp_path, "stream", "append", "s", "1", "--producer", "a:b:0:5", *STORE)
    assert gap.returncode == 1
    assert said(tmp_path, "read", "s", *STORE)["messages"] == [1]


def test_a_fork_begins_with_what_its_source_holds(tmp_path: Path) -> None:
    said(tmp_path, "create", "source/1", "[1,2,3]", *STORE)
    assert said(tmp_path, "fork", "source/1", "whole", *STORE)["offset"] == "0000000000000003"
    part = said(tmp_path, "fork", "source/1", "part", "--at", "0000000000000001", "--plus", "1", *STORE)
    assert part["offset"] == "0000000000000002"
    said(tmp_path, "append", "part", "9", *STORE)
    assert said(tmp_path, "read", "part", *STORE)["messages"] == [1, 2, 9]


def test_text_and_bytes_come_as_they_are(tmp_path: Path) -> None:
    said(tmp_path, "create", "text", "grüße\n", "--content-type", "text/plain", *STORE)
    assert run(tmp_path, "stream", "read", "text", *STORE).stdout == "grüße\n"
    assert said(tmp_path, "read", "text", *STORE)["text"] == "grüße\n"
    said(tmp_path, "create", "bytes", "--content-type", "application/octet-stream", *STORE)
    said(tmp_path, "append", "bytes", "-", *STORE, stdin=b"\x00\xff")
    raw = subprocess.run(
        [sys.executable, "-m", "signoff.cli", "stream", "read", "bytes", *STORE],
        cwd=tmp_path, env=environment(), capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert raw.stdout == b"\x00\xff"
    assert said(tmp_path, "read", "bytes", *STORE)["base64"] == "AP8="


def test_a_compacted_stream_can_be_asked_for(tmp_path: Path) -> None:
    row = {"type": "user", "key": "1", "value": {"name": "Ada"}, "headers": {"operation": "insert"}}
    said(tmp_path, "create", "rows", "--compact", *STORE)
    said(tmp_path, "append", "rows", json.dumps(row), *STORE)
    refused = run(tmp_path, "stream", "append", "rows", "1", *STORE)
    assert refused.returncode == 1
    assert [message["key"] for message in said(tmp_path, "read", "rows", *STORE)["messages"]] == ["1"]


def test_following_over_a_server_until_the_stream_is_closed(tmp_path: Path) -> None:
    with running(tmp_path, "server", "--store", "memory:", "--port", "0") as server:
        at = ("--server", server.url)
        said(tmp_path, "create", "s", "[1]", *at)
        with subprocess.Popen(
            [sys.executable, "-m", "signoff.cli", "stream", "tail", "s", *at],
            cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True,
        ) as tail:  # fmt: skip
            assert tail.stdout is not None
            assert tail.stdout.readline() == "1\n"
            said(tmp_path, "append", "s", "2", *at)
            assert tail.stdout.readline() == "2\n"
            said(tmp_path, "close", "s", *at)
            assert tail.stdout.read() == ""
            assert tail.wait(10) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("append", "nothing", "1"), 1, "no stream"),
        (("head", "nothing"), 1, "no stream"),
        (("tail", "nothing"), 1, "no stream"),
        (("create", "runs/r1"), 1, "engine"),
        (("create", "a//b"), 1, "address"),
        (("create", "../x"), 1, "address"),
        (("create", "s", "{", "--content-type", "application/json"), 1, "JSON"),
        (("create", "s", "--expires-at", "tomorrow"), 1, "RFC 3339"),
        (("append", "s", "1", "--producer", "x"), 2, "ID:EPOCH:SEQ"),
        (("append", "s", "@nothing.json"), 2, "nothing.json"),
        (("read", "s", "--offset", "7"), 1, "offset"),
        (("fork", "nothing", "f"), 1, "stream"),
    ],
)
def test_misuse_is_explained_in_one_line(tmp_path: Path, arguments: tuple[str, ...], code: int, word: str) -> None:
    assert run(tmp_path, "stream", "create", "s", *STORE).returncode == 0
    done = run(tmp_path, "stream", *arguments, *STORE)
    assert done.returncode == code
    assert word in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [("head", "s"), ("append", "s", "1")], ids=" ".join)
def test_a_refusal_is_explained_although_it_has_no_body(tmp_path: Path, command: tuple[str, ...]) -> None:
    secret = "a key for tests, long enough for HS256"

    def token(grant: str) -> str:
        return jwt.encode({"sub": "alice", "groups": [], "grants": [grant]}, secret, "HS256")

    with running(tmp_path, "server", "--store", "memory:", "--port", "0", SIGNOFF_SECRET=secret) as server:
        at, operator = ("--server", server.url), token("operator")
        said(tmp_path, "create", "s", *at, "--token", operator)

        def refused(*more: str) -> str:
            done = run(tmp_path, "stream", *command, *at, *more)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
            assert "is it a Signoff server" not in done.stderr
            return done.stderr

        assert "--token" in refused()
        assert "expired" in refused("--token", "nonsense")
        writer = token("stream:write:s")
        told = refused("--token", writer)
        assert "grant to read" in told
        assert ("--content-type" in told) is (command[0] == "append")
        said(tmp_path, "append", "s", "1", "--content-type", "application/json", *at, "--token", writer)
        said(tmp_path, "fork", "s", "f", *at, "--token", operator)
        said(tmp_path, "delete", "s", *at, "--token", operator)
        assert "was deleted" in refused("--token", operator)


def test_the_servers_limits_are_options(tmp_path: Path) -> None:
    limits = ("--max-append", "100", "--max-readers", "1", "--max-headers", "1024", "--max-connections", "9")
    with running(tmp_path, "server", "--store", "memory:", "--port", "0", *limits) as server:
        url = f"{server.url}/v1/stream/s"
        kind = {"content-type": "text/plain"}
        assert httpx.put(url, headers=kind).status_code == 201
        assert httpx.post(url, headers=kind, content=b"x" * 101).status_code == 413
        assert httpx.post(url, headers={**kind, "x": "y" * 2000}, content=b"x").status_code == 431
        with httpx.stream("GET", url, params={"offset": "now", "live": "sse"}) as live:
            assert live.status_code == 200
            refused = httpx.get(url, params={"offset": "now", "live": "sse"})
            assert (refused.status_code, refused.json()["code"]) == (503, "server_busy")
            assert refused.headers["retry-after"] == "1"
