"""Serve built pages from folders: safe paths, correct types, caching by what a name promises.

The console is such a page and comes with the package, in the folder `console/` beside this module, where the build of
`js-client/console` puts it. It lies below `/console/`, so that it takes no address from the page of an application;
where there is no such page, whoever comes to `/` with a browser is sent there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from signoff.errors import BadRequest, MethodNotAllowed, NotFound
from signoff.server.http.address import path_below
from signoff.server.http.reply import ASGI, Receive, Reply, Scope, Send, header
from signoff.signing import without_tokens

_HASHED = re.compile(r"assets/(?:.*/)?[^/]+[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+\Z")
"""What a bundler names after its content, e.g. `assets/index-BzY3kq1x.js`."""

CONSOLE: Final = Path(__file__).with_name("console")
"""Where the built console is; a checkout has it once `make setup` has built it."""

CONSOLE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the console: nothing inline, nothing foreign."""

_FOREVER = "public, max-age=31536000, immutable"
_CHECK = "no-cache"
_API = ("v1/", "health/")


class WebPage:
    """The files of one folder, served at `/`; a path without a file is the page's own, and gets `index.html`.

    Args:
        folder: with an `index.html`.
        policy: the Content-Security-Policy of everything served.
        below: the path of the page, without a slash at its beginning, e.g. `console/`.

    Raises:
        BadRequest: the folder has no `index.html`.
    """

    def __init__(self, folder: Path, policy: str, *, below: str = "") -> None:
        if not (folder / "index.html").is_file():
            raise BadRequest(f"The page folder {str(folder)!r} has no index.html; build the page first.")
        self._files = StaticFiles(directory=folder)
        self._policy = policy
        self._below = below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_below(scope).lstrip("/").removeprefix(self._below)
        if path.startswith(_API) or not _plain(path):
            raise NotFound(f"There is nothing at {without_tokens(scope['path'])[:140]!r}.")
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
        raise NotFound(f"There is nothing at {without_tokens(scope['path'])[:140]!r}.")


class Pages:
    """All pages of a server: the console below `/console/`, and at every other address the application's own page.

    Args:
        page: the application's page; None: there is none, and the console is where visitors of `/` are sent.
        console: the folder of the built console; None: it is not served.
    """

    def __init__(self, page: ASGI | None, console: Path | None) -> None:
        self._page = page
        built = console is not None and (console / "index.html").is_file()
        self._console = WebPage(console, CONSOLE_POLICY, below="console/") if console and built else None
        self._offered = console is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_below(scope)
        if self._offered and path in {"/console", *(() if self._page else ("", "/"))} and _is_visit(scope):
            await _to_console(scope).send(send, head=scope["method"] == "HEAD")
        elif self._offered and path.startswith("/console/"):
            if self._console is None:
                raise NotFound("The console is not built in this checkout: run `make setup`. Packages have it.")
            await self._console(scope, receive, send)
        elif self._page is not None:
            await self._page(scope, receive, send)
        else:
            raise NotFound(f"There is nothing at {without_tokens(scope['path'])[:140]!r}.")


def _to_console(scope: Scope) -> Reply:
    """Send a browser to the console, by a relative address: what lies before this one, a proxy's prefix say, stays."""
    last = scope["path"].rsplit("/", 1)[-1]
    address = f"{quote(last)}/console/" if last not in {"", "console"} else "console/"
    return Reply(307, b"", ((b"location", address.encode("ascii")), (b"cache-control", b"no-store")))


def _candidates(path: str, scope: Scope) -> list[str]:
    if path == "":
        return ["index.html"]
    return [path, "index.html"] if _is_visit(scope) and "." not in path.rsplit("/", 1)[-1] else [path]


def _is_visit(scope: Scope) -> bool:
    """Tell whether a browser comes to see a page."""
    return "text/html" in (header(scope, b"accept") or "")


def _plain(path: str) -> bool:
    """Tell whether a path names a file below the folder and nothing hidden."""
    return path.isprintable() and "\\" not in path and not any(part.startswith(".") for part in path.split("/"))
