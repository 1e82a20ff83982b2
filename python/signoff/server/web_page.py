"""Serve a built page from a folder: safe paths, correct types, caching by what a name promises."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from signoff.errors import BadRequest, MethodNotAllowed, NotFound
from signoff.server.http.address import path_below
from signoff.server.http.reply import Receive, Scope, Send, header

_HASHED = re.compile(r"assets/(?:.*/)?[^/]+[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+\Z")
"""What a bundler names after its content, e.g. `assets/index-BzY3kq1x.js`."""

_FOREVER = "public, max-age=31536000, immutable"
_CHECK = "no-cache"
_API = ("v1/", "health/")


class WebPage:
    """The files of one folder, served at `/`; a path without a file is the page's own, and gets `index.html`.

    Args:
        folder: with an `index.html`.
        policy: the Content-Security-Policy of everything served.

    Raises:
        BadRequest: the folder has no `index.html`.
    """

    def __init__(self, folder: Path, policy: str) -> None:
        if not (folder / "index.html").is_file():
            raise BadRequest(f"The page folder {str(folder)!r} has no index.html; build the page first.")
        self._files = StaticFiles(directory=folder)
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_below(scope).lstrip("/")
        if path.startswith(_API) or not _plain(path):
            raise NotFound(f"There is nothing at {scope['path'][:140]!r}.")
        if scope["method"] not in {"GET", "HEAD"}:
            raise MethodNotAllowed("This address takes GET and HEAD.", allow="GET, HEAD")
        response = await self._find(path, scope)
        response.headers["content-security-policy"] = self._policy
        response.headers["cache-control"] = _FOREVER if _HASHED.fullmatch(path) else _CHECK
        await response(scope, receive, send)

    async def _find(self, path: str, scope: Scope) -> Response:
        for candidate in _candidates(path, scope):
            try:
                return await self._files.get_response(candidate, scope)
            except HTTPException:
                continue
        raise NotFound(f"There is nothing at {scope['path'][:140]!r}.")


def _candidates(path: str, scope: Scope) -> list[str]:
    if path == "":
        return ["index.html"]
    navigation = "text/html" in (header(scope, b"accept") or "") and "." not in path.rsplit("/", 1)[-1]
    return [path, "index.html"] if navigation else [path]


def _plain(path: str) -> bool:
    """Tell whether a path names a file below the folder and nothing hidden."""
    return path.isprintable() and "\\" not in path and not any(part.startswith(".") for part in path.split("/"))
