"""What `dev` and `server` are told, and how they end."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest

from signoff.cli.command import command as signoff_command
from signoff.cli.misuse import Misuse
from signoff.cli.serving import Serving
from signoff.server.config import ServerConfig
from tests.cli.commands import Running, running

GIVEN = {
    "max_append": 11,
    "max_readers": 12,
    "max_connections": 13,
    "max_headers": 1400,
    "header_timeout": 0.15,
    "body_timeout": 0.16,
    "keep_alive": 0.17,
    "write_timeout": 0.175,
    "long_poll": 0.18,
    "sse_keep_alive": 0.19,
    "sse_max_age": 0.2,
}


def test_dev_and_server_take_the_same_options() -> None:
    group: Any = signoff_command()
    taken = {
        name: {(parameter.name, str(parameter.default)) for parameter in group.commands[name].params}
        for name in ("dev", "server")
    }
    assert {name for name, _ in taken["dev"] & taken["server"]} >= {one.name for one in fields(Serving)}
    apart = {"app", "data", "reload", "activation_limit", "max_output", "workers"}
    assert {name for name, _ in taken["dev"] ^ taken["server"]} == apart


def test_each_option_reaches_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "SIGNOFF_SECRET",
        "SIGNOFF_AUDIENCE",
        "SIGNOFF_PUBLIC_URL",
        "SIGNOFF_WEBHOOK_TARGETS",
        "SIGNOFF_NOTIFY",
    ):
        monkeypatch.delenv(name, raising=False)
    assert Serving().config() == ServerConfig()
    pages = Serving(allow_origin=["https://app.example"], allow_header=["x-request-id"]).config()
    assert (pages.origins, pages.allow_headers) == (("https://app.example",), ("x-request-id",))
    config = Serving(**GIVEN).config()  # type: ignore[arg-type]
    limits, http = config.stream_limits, config.http
    reached = (
        (limits.max_body, limits.max_readers, http.connections, http.header_bytes, http.header_s, http.body_s),
        (http.keep_alive_s, http.write_s, limits.long_poll_s, limits.keep_alive_s, limits.max_age_s),
    )
    told = ServerConfig(chunk=7, sse_stuck_s=8.5).stream_limits
    assert (told.chunk, told.stuck_s) == (7, 8.5)
    assert [value for group in reached for value in group] == list(GIVEN.values())


async def test_a_reader_sees_the_end_of_the_server_as_the_end_of_the_response(tmp_path: Path) -> None:
    with running(tmp_path, "server", "--store", "memory:", "--port", "0") as server:
        answers = await _stop_while_reading(server)
        code, errors = server.process.wait(timeout=30), server.process.stderr
        assert errors is not None
        assert (code, errors.read()) == (0, "")
    sse, long_poll = answers
    assert sse.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sse.endswith(b"\r\n0\r\n\r\n"), "complete, not broken off"
    assert long_poll.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert b"stream-next-offset: 0000000000000000\r\n" in long_poll


async def _stop_while_reading(server: Running) -> list[bytes]:
    """Read in both ways, send SIGTERM once SSE has begun, and read to the end of the connections."""
    url = httpx.URL(server.url)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        assert (await http.put("/v1/stream/a", headers={"content-type": "application/json"})).status_code == 201
    lines = []
    for live in ("long-poll", "sse"):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(f"GET /v1/stream/a?offset=-1&live={live} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        lines.append((reader, writer))
    async with asyncio.timeout(15):  # less than a long-poll waits
        (waiting, _), (events, _) = lines
        got = await events.readuntil(b"upToDate")
        server.process.send_signal(signal.SIGTERM)
        answers = [got + await events.read(), await waiting.read()]
    for _, writer in lines:
        writer.close()
    return answers


def test_messages_to_people_need_a_public_address_and_a_file_that_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIGNOFF_PUBLIC_URL", raising=False)
    path = tmp_path / "notify.toml"
    path.write_text('[chat]\nurl = "json://sesame/{to}"\n[chat.people]\n"user:alice" = "alice"\n')
    with pytest.raises(Misuse, match="SIGNOFF_PUBLIC_URL"):
        Serving(notify=str(path)).config()
    with pytest.raises(Misuse, match="No such file"):
        Serving(notify=f"{path}x", public_url="https://app.example").config()
    monkeypatch.setenv("SIGNOFF_NOTIFY", str(path))
    assert [one.id for one in Serving(public_url="https://app.example").config().notify] == ["chat"]
    path.write_text('[chat]\nurl = "jsno://sesame/{to}"\n[chat.people]\n"user:alice" = "alice"\n')
    with pytest.raises(Misuse, match="apprise does not understand") as refused:
        Serving(public_url="https://app.example").config()
    assert "sesame" not in str(refused.value)
