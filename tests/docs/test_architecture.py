"""What the page about the architecture names is there, and the layout it shows is whole."""

from __future__ import annotations

import ast
import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from signoff.workflow.nouns import NOUNS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "signoff"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()

FUNCTIONS = sorted(set(re.findall(r"`([\w/]+\.py):([\w.]+)`", PAGE)))
PLACES = sorted(set(re.findall(r"`([\w.]+(?:/[\w.]*)+)`", PAGE + CONTRIBUTING)))


def _layout() -> str:
    return PAGE.partition("## Layout")[2].partition("```\n")[2].partition("```")[0]


def _shown() -> dict[str, str]:
    """Return what the layout says of each folder and module, by its path in the package."""
    shown, above = {}, [""]
    for line in _layout().splitlines()[1:]:
        depth = (len(line) - len(line.lstrip())) // 2
        for name in line.split("  ")[depth].split():
            path = "".join(above[1:depth]) + name
            shown[path] = " ".join(line.split()[1:])
            if name.endswith("/"):
                above[depth:] = [name]
    return shown


def _finds(path: str, name: str) -> bool:
    found: list[ast.stmt] = ast.parse((PACKAGE / path).read_text()).body
    for part in name.split("."):
        here = [one for one in found if getattr(one, "name", None) == part or part in _assigned(one)]
        if not here:
            return False
        found = getattr(here[0], "body", [])
    return True


def _assigned(statement: ast.stmt) -> set[str]:
    targets: list[Any] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def test_the_page_names_functions() -> None:
    assert len(FUNCTIONS) > 60


@pytest.mark.parametrize(("path", "name"), FUNCTIONS)
def test_every_function_is_where_the_page_says(path: str, name: str) -> None:
    assert _finds(path, name)


@pytest.mark.parametrize("place", PLACES)
def test_every_file_and_folder_is_there(place: str) -> None:
    roots = (PACKAGE, ROOT, PACKAGE / "workflow" / NOUNS[0])
    assert any((root / place).exists() for root in roots), place


def test_every_folder_of_the_package_is_in_the_layout() -> None:
    folders = {
        f"{path.relative_to(PACKAGE)}/"
        for path in PACKAGE.rglob("*")
        if path.is_dir() and path.name != "__pycache__" and any(one.is_file() for one in path.iterdir())
    }
    assert folders - {"server/console/assets/"} <= _shown().keys()  # named by the build


def test_what_the_layout_shows_is_there() -> None:
    assert [path for path in _shown() if not (PACKAGE / path).exists()] == []


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_is_in_the_layout(noun: str) -> None:
    assert f"workflow/{noun}/" in _shown()


def test_the_table_of_layers_is_the_one_that_is_enforced() -> None:
    linter = ConfigParser()
    linter.read(ROOT / ".importlinter")
    layers = linter["importlinter:contract:layers"]["layers"].split("\n")
    enforced = [[name.strip().removeprefix("signoff.") for name in layer.split("|")] for layer in layers if layer]
    table = PAGE.partition("| layer, highest first |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`([\w]+)`", line.split("|")[1]) for line in table.splitlines()[2:]]
    assert rows == enforced


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"`make (\w+)`", CONTRIBUTING))))
def test_every_verb_of_make_is_one(verb: str) -> None:
    assert f"\n{verb}: " in (ROOT / "Makefile").read_text()


def test_every_verb_of_make_is_explained() -> None:
    listed = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert [verb for verb in listed if f"`make {verb}`" not in CONTRIBUTING] == []
