from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from signoff.errors import BadRequest
from signoff.server.config import ServerConfig
from signoff.server.web_page import WebPage
from tests.server.hosting import hosting, problem

HTML = "<!doctype html><script type=module src=/assets/index-BzY3kq1x.js></script>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A built page, with a secret beside it."""
    (tmp_path / "secret.txt").write_text("secret")
    page = tmp_path / "dist"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text(HTML)
    (page / "favicon.svg").write_text("<svg/>")
    (page / ".env").write_text("secret")
    (page / "assets" / "index-BzY3kq1x.js").write_text("export {}")
    (page / "assets" / "index-C0ffee12.css").write_text("a{}")
    (page / "link.txt").symlink_to(tmp_path / "secret.txt")
    return page


async def test_a_page_is_served_with_types_and_caching(folder: Path) -> None:
    async with hosting(config=ServerConfig(page=folder)) as host:
        index = await host.http.get("/")
        assert (index.status_code, index.text) == (200, HTML)
        assert index.headers["content-type"].startswith("text/html")
        assert index.headers["cache-control"] == "no-cache"
        assert "script-src 'self'" in index.headers["content-security-policy"]
        assert index.headers["x-content-type-options"] == "nosniff"
        known = await host.http.get("/", headers={"if-none-match": index.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")

        script = await host.http.get("/assets/index-BzY3kq1x.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        style = await host.http.get("/assets/index-C0ffee12.css")
        assert style.headers["content-type"].startswith("text/css")
        picture = await host.http.get("/favicon.svg")
        assert picture.headers["content-type"].startswith("image/svg+xml")
        assert picture.headers["cache-control"] == "no-cache"
        head = await host.http.head("/")
        assert (head.status_code, head.content) == (200, b"")


async def test_addresses_of_the_page_itself_get_the_page(folder: Path) -> None:
    async with hosting(config=ServerConfig(page=folder)) as host:
        browser = {"accept": "text/html,*/*;q=0.8"}
        assert (await host.http.get("/runs/r1", headers=browser)).text == HTML
        problem(await host.http.get("/runs/r1"), 404, "not_found")
        problem(await host.http.get("/missing.js", headers=browser), 404, "not_found")
        problem(await host.http.get("/v1/missing", headers=browser), 404, "not_found")
        assert (await host.http.get("/v1/runs")).json() == {"runs": [], "cursor": None}
        assert (await host.http.get("/health")).json()["status"] == "ok"


TRICKS = [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/assets/../../secret.txt",
    "/assets/..%5c..%5csecret.txt",
    "//etc/passwd",
    "/%2fetc/passwd",
    "/.env",
    "/%2eenv",
    "/link.txt",
    "/assets/",
    "/assets",
    "/index.html%00.js",
    "/%ff",
    "/" + "a" * 5_000,
]


async def test_nothing_but_the_folder_is_served(folder: Path) -> None:
    async with hosting(config=ServerConfig(page=folder)) as host:
        for path in TRICKS:
            url = httpx.URL(host.url).copy_with(raw_path=path.encode("latin-1"))
            reply = await host.http.send(httpx.Request("GET", url))
            assert reply.status_code in {400, 404}, path
            assert "secret" not in reply.text.replace(path.strip("/"), "").replace("secret.txt", ""), path
            assert "root:" not in reply.text


async def test_the_page_is_only_read(folder: Path) -> None:
    async with hosting(config=ServerConfig(page=folder)) as host:
        for method in ("POST", "PUT", "DELETE"):
            reply = await host.http.request(method, "/index.html")
            problem(reply, 405, "method_not_allowed")
            assert reply.headers["allow"] == "GET, HEAD"


def test_a_folder_without_a_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"index\.html"):
        WebPage(tmp_path, "")
