from __future__ import annotations

import gzip
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from signoff.embed import Signoff
from signoff.errors import BadRequest
from signoff.server.config import ServerConfig
from signoff.server.web_page import CONSOLE, WebPage
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


BROWSER = {"accept": "text/html,*/*;q=0.8"}
BUDGET = 150 * 1024
"""Bytes that the console's scripts and styles may have, gzipped."""


async def test_the_console_is_where_a_browser_is_sent() -> None:
    async with hosting() as host:
        sent = await host.http.get("/", headers=BROWSER)
        assert (sent.status_code, sent.headers["location"]) == (307, "console/")
        sent = await host.http.get("/console", headers=BROWSER)
        assert (sent.status_code, sent.headers["location"]) == (307, "console/")
        problem(await host.http.get("/"), 404, "not_found")
        problem(await host.http.get("/other", headers=BROWSER), 404, "not_found")


async def test_the_console_brings_nothing_inline_and_nothing_foreign() -> None:
    async with hosting() as host:
        page = await host.http.get("/console/", headers=BROWSER)
        assert page.status_code == 200
        policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
        assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
        assert "unsafe" not in page.headers["content-security-policy"]
        assert re.findall(r"<style|\son\w+=|javascript:|//", page.text) == []
        assert all(script for script in re.findall(r"<script([^>]*)>", page.text) if "src=" in script)
        assert page.headers["cache-control"] == "no-cache"
        for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            assert address.startswith("./"), address
            part = await host.http.get(f"/console/{address.removeprefix('./')}")
            assert part.status_code == 200
            assert (part.headers["cache-control"] == "public, max-age=31536000, immutable") == ("assets/" in address)
            known = await host.http.get(f"/console/{address[2:]}", headers={"if-none-match": part.headers["etag"]})
            assert known.status_code == 304


async def test_the_console_stands_beside_a_page_and_can_be_left_out(folder: Path) -> None:
    async with hosting(config=ServerConfig(page=folder)) as host:
        assert (await host.http.get("/", headers=BROWSER)).text == HTML
        assert "<title>Signoff</title>" in (await host.http.get("/console/", headers=BROWSER)).text
    async with hosting(config=ServerConfig(console=False)) as host:
        problem(await host.http.get("/", headers=BROWSER), 404, "not_found")
        problem(await host.http.get("/console/", headers=BROWSER), 404, "not_found")
    async with hosting(config=ServerConfig(page=folder, console=False)) as host:
        assert (await host.http.get("/console/", headers=BROWSER)).text == HTML


async def test_below_a_prefix_the_way_to_the_console_is_relative() -> None:
    signoff = Signoff("memory:")
    host = Starlette(routes=[Mount("/tools/signoff", signoff)], lifespan=signoff.lifespan)
    async with signoff.lifespan():
        transport = httpx.ASGITransport(host)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=BROWSER) as http:
            found = [await http.get(path) for path in ("/tools/signoff/", "/tools/signoff/console")]
            assert [reply.url.join(reply.headers["location"]).path for reply in found] == [
                "/tools/signoff/console/"
            ] * 2
            assert "<title>Signoff</title>" in (await http.get("/tools/signoff/console/")).text


def test_the_console_is_no_larger_than_it_may_be() -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in (CONSOLE / "assets").iterdir()}
    assert sum(sizes.values()) <= BUDGET, sizes


def test_a_wheel_has_the_console(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=CONSOLE.parents[3], check=True, capture_output=True, timeout=240)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("signoff/server/console/")}
    built = {f"signoff/server/console/{path.relative_to(CONSOLE)}" for path in CONSOLE.rglob("*") if path.is_file()}
    assert packed == built
    assert "signoff/server/console/index.html" in packed
