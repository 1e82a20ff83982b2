"""The reference names what is there: error codes, paths, commands, options, public names; and links lead somewhere."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import signoff
import signoff.testing
from signoff.cli.command import command as signoff_command
from signoff.client import SignoffClient
from signoff.errors import SignoffError
from signoff.server.api.routes import OPERATIONS
from signoff.server.config import ServerConfig
from signoff.server.http11.limits import HttpLimits
from signoff.server.streams import wire
from signoff.server.streams.read import Limits
from signoff.service.runs import Runs
from signoff.stores.base import Posts, Streams, Subjects, Work, WorkflowStore
from signoff.stores.copies import Copies
from signoff.streams.subscriptions.limits import SubscriptionLimits

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "protocol").glob("*.md")),
]

LAWS = [
    path
    for path in sorted((ROOT / "python" / "signoff" / "testing" / "store_contract").glob("*.py"))
    if "Laws(Laws)" in path.read_text()
]


def _page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text()


def _errors(kind: type[SignoffError] = SignoffError) -> Iterator[type[SignoffError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == "signoff.errors":
            yield from _errors(below)


@pytest.mark.parametrize("kind", list(_errors()), ids=lambda kind: kind.code)
def test_every_error_is_listed(kind: type[SignoffError]) -> None:
    row = next((line for line in _page("errors.md").splitlines() if line.startswith(f"| `{kind.code}` |")), "")
    assert f"`{kind.__name__}`" in row
    if not issubclass(kind, signoff.WorkflowError):
        assert f"| {kind.status} |" in row


@pytest.mark.parametrize("path", {operation.path: None for operation in OPERATIONS})
def test_every_path_is_listed(path: str) -> None:
    for operation in OPERATIONS:
        assert operation.path != path or f"`{operation.method} {path}`" in _page("http.md")


@pytest.mark.parametrize("method", wire.METHODS.split(", "))
def test_every_method_of_streams_is_described(method: str) -> None:
    assert f"### `{method}`" in _page("streams.md")


@pytest.mark.parametrize("section", ["requests", "responses"])
def test_every_header_of_streams_is_listed(section: str) -> None:
    names = {"requests": wire.REQUEST_HEADERS, "responses": wire.RESPONSE_HEADERS}[section]
    table = _page("streams.md").partition(f"## Headers of {section}\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1].lower() for line in table.splitlines() if line.startswith("| ")]
    for name in names.split(", "):
        assert any(f"`{name}`" in row for row in rows), name


@pytest.mark.parametrize(
    "status", [200, 201, 204, 304, 400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 431, 501, 503]
)
def test_every_status_of_streams_is_explained(status: int) -> None:
    assert re.search(rf"\b{status}\b", _page("streams.md"))


@pytest.mark.parametrize("value", ["SHARED_CACHE", "PRIVATE_CACHE", "SENSITIVE", "SHARED_ROWS", "PRIVATE_ROWS"])
def test_what_caches_are_told_is_written(value: str) -> None:
    assert f"`{getattr(wire, value).decode()}`" in _page("streams.md")


@pytest.mark.parametrize("kind", [ServerConfig, Limits, HttpLimits, SubscriptionLimits], ids=lambda kind: kind.__name__)
def test_every_member_of_the_configuration_is_listed(kind: type[Any]) -> None:
    section = _page("configuration.md").partition(f"## `{kind.__name__}`\n")[2].partition("\n## ")[0]
    for member in fields(kind):
        assert f"| `{member.name}` |" in section


def test_every_limit_is_told_to_operators() -> None:
    page = (ROOT / "docs" / "operations" / "limits.md").read_text()
    of_streams = {
        member.name
        for member in fields(ServerConfig)
        if member.name.startswith("sse_") or member.name.startswith("max_")
    }
    parts = {"http": HttpLimits, "subscriptions": SubscriptionLimits}
    of_parts = {f"{part}.{member.name}" for part, kind in parts.items() for member in fields(kind)}
    for name in {"chunk", "long_poll_s", *of_streams, *of_parts}:
        assert f"| `{name}` |" in page, name


def test_the_documented_settings_for_uvicorn_are_its_own() -> None:
    text = (ROOT / "docs" / "guide" / "embedding.md").read_text()
    options = {option for parameter in uvicorn.main.params for option in parameter.opts}
    assert set(re.findall(r"`(--[a-z-]+)", text)) <= options


def _commands() -> dict[str, Any]:
    group: Any = signoff_command()
    commands: dict[str, Any] = group.commands
    return commands


@pytest.mark.parametrize("name", _commands())
def test_every_command_and_option_is_listed(name: str) -> None:
    page = _page("cli.md")
    assert f"`signoff {name}" in page
    for parameter in _commands()[name].params:
        for option in parameter.opts:
            if option.startswith("--") and option != "--help":
                assert option in page


@pytest.mark.parametrize("name", [name for name in signoff.__all__ if not name.startswith("_")])
def test_every_public_name_is_listed(name: str) -> None:
    assert f"`{name}`" in _page("python.md")


@pytest.mark.parametrize("name", signoff.testing.__all__)
def test_every_name_for_tests_of_workflows_is_there_and_listed(name: str) -> None:
    assert getattr(signoff.testing, name).__name__ == name
    assert re.search(rf"`(?:[^`]*`, `)?{name}[`(]", _page("python.md").partition("## `signoff.testing`")[2])


@pytest.mark.parametrize(
    "facet", [Subjects, Streams, Work, Posts, Copies, WorkflowStore], ids=lambda facet: facet.__name__
)
def test_every_method_of_the_store_port_is_listed(facet: type[Any]) -> None:
    table = _page("stores.md").partition("## The port\n")[2].partition("\n\nWhat is written")[0]
    members = [name for name in (*vars(facet), *facet.__annotations__) if not name.startswith("_")]
    assert [name for name in members if f"`{name}`" not in table] == []


@pytest.mark.parametrize("laws", [path.stem for path in LAWS])
def test_every_group_of_laws_is_listed(laws: str) -> None:
    assert f"`{laws}`" in _page("stores.md").partition("## What the laws are about\n")[2]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if there.suffix == ".png" or there.name == "performance.md":
            continue  # made by other commands
        assert there.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in _anchors(there), f"{page.name} links to {target}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_what_the_page_says_of_services_and_clients_is_there() -> None:
    page = _page("python.md")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `engine.runs.")]
    methods = set(re.findall(r"[`.](\w+)\(", " ".join(rows)))
    assert methods <= {"RunFilter", *vars(Runs)}
    public = {name for name in vars(SignoffClient) if not name.startswith("_")} - {"close", "on_stream"}
    listed = page.partition("`signoff.client.SignoffClient(")[2].partition(" has ")[2].partition(". Each")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == public


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("0*.md")), ids=lambda page: page.stem)
def test_every_decision_is_in_the_index_under_its_own_number(page: Path) -> None:
    number, title = page.name[:4], page.read_text().partition("\n")[0]
    assert title.startswith(f"# {number}")
    assert f"| [{number}]({page.name}) |" in (page.parent / "README.md").read_text()


@pytest.mark.parametrize("version", (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1:], ids=lambda text: text[:7])
def test_each_version_has_each_heading_of_the_changelog_once(version: str) -> None:
    order = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    headings = re.findall(r"^### (.+)$", version, flags=re.MULTILINE)
    assert headings == [heading for heading in order if heading in headings]


def test_the_glossary_is_sorted() -> None:
    words = re.findall(r"^\| ([^|]+?) \|", (ROOT / "docs" / "glossary.md").read_text(), flags=re.MULTILINE)[1:]
    plain = [re.sub(r"[`\-]", "", word).lower() for word in words if not word.startswith("--")]
    assert plain == sorted(plain)


@pytest.mark.parametrize(
    "place",
    [
        "signoff.server.access.Identity",
        "signoff.server.app.create_app",
        "signoff.server.config.ServerConfig",
        "signoff.server.connection.Listener",
        "signoff.server.limits.HttpLimits",
        "signoff.server.stream_live.Limits",
        "signoff.server.streams.Limits",
        "signoff.server.streams.StreamEndpoints",
    ],
)
def test_what_was_documented_is_still_there(place: str) -> None:
    module, _, name = place.rpartition(".")
    assert getattr(importlib.import_module(module), name).__name__ == name
