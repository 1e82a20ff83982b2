"""The shape of the code: who may import whom, and how large things may grow."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "signoff"
MODULES = sorted(PACKAGE.rglob("*.py"))


def test_layers() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    found = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
    assert " 0 broken." in found.stdout


def test_only_the_loop_and_what_runs_on_it_import_asyncio_in_the_replay_core() -> None:
    allowed = {"aio.py", "futures.py", "loop.py"}
    importing = {
        module.name
        for module in MODULES
        if module.parent.name == "workflow"
        for node in ast.walk(ast.parse(module.read_text()))
        if (isinstance(node, ast.Import) and any(name.name.split(".")[0] == "asyncio" for name in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "asyncio")
    }
    assert importing <= allowed


def test_modules_and_functions_stay_small() -> None:
    too_long = [f"{module.relative_to(ROOT)}" for module in MODULES if len(module.read_text().splitlines()) > 600]
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if length > 60:
                    too_long.append(f"{module.relative_to(ROOT)}:{node.name} has {length} lines")
    assert too_long == []


def test_public_names_have_docstrings() -> None:
    missing = []
    for module in MODULES:
        tree = ast.parse(module.read_text())
        if not ast.get_docstring(tree):
            missing.append(f"{module.relative_to(ROOT)}")
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                overload = any(isinstance(one, ast.Name) and one.id == "overload" for one in node.decorator_list)
                if not node.name.startswith("_") and not ast.get_docstring(node) and not overload:
                    missing.append(f"{module.relative_to(ROOT)}:{node.name}")
    assert missing == []
