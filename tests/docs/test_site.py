"""What `make docs` finds wrong with a site, and what it makes of links and of the list of pages."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def docs() -> Any:
    loader = SourceFileLoader("site_of_docs", str(ROOT / ".ci" / "docs"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def source(docs: Any, tmp_path: Path) -> Path:
    """The pages, as they are handed to the builder."""
    docs.gather(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('<a href="b.html#x">', None),
        ('<a href="b.html#y">', "a.html links to b.html#y, which has no such place"),
        ('<a href="c.html">', "a.html links to c.html"),
        ('<img src="c.png">', "a.html links to c.png"),
        ('<a href="https://elsewhere.example">', None),
        ('<script src="https://cdn.example/x.js">', "a.html fetches https://cdn.example/x.js"),
        ('<link rel="stylesheet" href="//fonts.example/x.css">', "a.html fetches //fonts.example/x.css"),
    ],
)
def test_what_is_wrong_with_a_site_is_told(docs: Any, tmp_path: Path, body: str, told: str | None) -> None:
    (tmp_path / "a.html").write_text(body)
    (tmp_path / "b.html").write_text('<h1 id="x">')
    assert docs.wrong(tmp_path) == ([told] if told else [])


def test_a_link_to_a_folder_leads_to_what_is_in_it(source: Path) -> None:
    protocol = (source / "protocol" / "README.md").read_text()
    assert "(schemas/index.md)" in protocol
    assert "(run-row.json)" in (source / "protocol" / "schemas" / "index.md").read_text()
    assert (source / "protocol" / "schemas" / "run-row.json").is_file()
    assert "(examples/react-approval/README.md)" in (source / "README.md").read_text()


def test_the_navigation_is_the_list_of_pages(docs: Any, source: Path) -> None:
    sections = {title: entries for section in docs.navigation(source) for title, entries in section.items()}
    assert list(sections) == ["Signoff", "Guide", "Reference", "Operations", "Background", "API"]
    assert {"React": "docs/guide/react.md"} in sections["Guide"]
    assert {"The protocol": "protocol/README.md"} in sections["Reference"]


def test_the_api_of_every_public_module_is_in_it(docs: Any, source: Path) -> None:
    docs.navigation(source)
    assert {page.stem for page in (source / "api").glob("*.md")} == {*docs.MODULES, "typescript"}
