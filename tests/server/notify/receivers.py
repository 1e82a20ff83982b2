"""What plays the receivers of messages: a mail server, and whatever takes JSON over HTTP."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

Mails = list[tuple[list[str], EmailMessage]]
"""The recipients of each mail, and the mail."""


@asynccontextmanager
async def mail_server(mails: Mails) -> AsyncIterator[int]:
    """Serve SMTP, keeping what comes; yield the port."""

    class Keep:
        async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
            assert isinstance(envelope.content, bytes)
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            mails.append((envelope.rcpt_tos, message))
            return "250 OK"

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Keep(), loop=loop, hostname="localhost"), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def text_of(mail: EmailMessage) -> str:
    """Return what a mail says as plain text."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


@asynccontextmanager
async def chat(told: list[dict[str, Any]], statuses: list[int] | None = None) -> AsyncIterator[int]:
    """Serve what takes JSON by POST, keeping what comes; yield the port.

    Args:
        statuses: to answer with, one after the other, before 200.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        [length] = [int(line.split(":")[1]) for line in head.lower().split("\r\n") if line.startswith("content-length")]
        body = await reader.readexactly(length)
        status = statuses.pop(0) if statuses else 200
        told.append({"path": head.split(" ")[1], "status": status, **json.loads(body)})
        writer.write(b"HTTP/1.1 %d -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
