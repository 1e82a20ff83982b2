"""What is answered without asking an application, because no request can be made of it, or none served now."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import orjson


class Rejection(Exception):
    """The reason why no application is asked about a request; the connection ends with it.

    Args:
        status: of the answer.
        code, detail: of its problem document.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail

    def response(self, default_lines: bytes) -> bytes:
        """Write the response.

        Args:
            default_lines: the headers of every response.
        """
        title = HTTPStatus(self.status).phrase
        members = {"type": f"urn:signoff:problem:{self.code}", "title": title, "status": self.status}
        body = orjson.dumps({**members, "detail": self.detail, "code": self.code})
        retry = b"retry-after: 1\r\n" if self.status == 503 else b""
        head = (
            b"HTTP/1.1 %d %s\r\n%sconnection: close\r\ncontent-type: application/problem+json\r\n"
            b"cache-control: no-store\r\n%scontent-length: %d\r\n\r\n"
        )
        return head % (self.status, title.encode(), default_lines, retry, len(body)) + body


NOT_HTTP: Final = Rejection(400, "bad_request", "This is not HTTP. Nothing was done.")
BUSY: Final = Rejection(503, "server_busy", "The server has as many connections as it can serve. Try again later.")
SLOW_HEAD: Final = Rejection(408, "request_timeout", "The headers did not arrive in time. Nothing was done.")
SLOW_BODY: Final = Rejection(408, "request_timeout", "The body did not arrive in time. Nothing was done.")


def too_large(most: int) -> Rejection:
    """Return what a head, or what follows a chunked body, of more than `most` bytes is answered."""
    return Rejection(431, "headers_too_large", f"The headers have more than {most} bytes. Nothing was done.")
