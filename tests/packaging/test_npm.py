"""The npm package holds what it says, is typed for every resolver, is as small as allowed, and builds the example."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.packaging.installed import ROOT
from tests.packaging.packed import CLIENT, EXAMPLE, Packed, node

ENDS = (".js", ".js.map", ".d.ts", ".d.ts.map")
REST = {"target": "ES2022", "jsx": "react-jsx", "types": list[str]()}
STRICT = {
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "exactOptionalPropertyTypes": True,
    "noEmit": True,
    "skipDefaultLibCheck": True,
}
WITH_REACT = [CLIENT / "node_modules" / name for name in ("react", "@types/react", "csstype")]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return Packed(tmp_path_factory.mktemp("packed"))


def test_it_holds_what_is_built_the_sources_its_maps_lead_to_and_what_a_person_reads(packed: Packed) -> None:
    modules = {path.relative_to(CLIENT / "src") for path in (CLIENT / "src").rglob("*.ts*") if ".d." not in path.name}
    built = {f"dist/{module.with_suffix(end)}" for module in modules for end in ENDS}
    sources = {f"src/{path.relative_to(CLIENT / 'src')}" for path in (CLIENT / "src").rglob("*") if path.is_file()}
    assert packed.files == {"package.json", "README.md", "LICENSE"} | built | sources


def test_its_source_maps_lead_to_files_in_it(packed: Packed, tmp_path: Path) -> None:
    home = packed.into(tmp_path) / "@signoff" / "client"
    maps = list(home.rglob("*.map"))
    assert maps
    for file in maps:
        for source in json.loads(file.read_text())["sources"]:
            assert (file.parent / source).is_file(), (file.name, source)


def test_it_has_the_licence_of_the_repository() -> None:
    assert (CLIENT / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize(
    "linter", [("publint", "--strict"), ("attw", "--profile", "esm-only", "--quiet")], ids=lambda it: it[0]
)
def test_linters_of_packages_find_nothing(packed: Packed, linter: tuple[str, ...]) -> None:
    command, *options = linter
    told = node(CLIENT, f"node_modules/.bin/{command}", str(packed.archive), *options)
    assert "error" not in told.lower()


def test_node_imports_the_core_with_nothing_but_what_it_asks_for(packed: Packed, tmp_path: Path) -> None:
    packed.into(tmp_path)
    program = (
        'import { createSignoff } from "@signoff/client"; console.log(typeof createSignoff({ url: "http://x" }).run);'
    )
    assert node(tmp_path, "node", "--input-type=module", "-e", program).strip() == "function"


@pytest.mark.parametrize(
    ("module", "resolution"), [("ESNext", "Bundler"), ("Node16", "Node16")], ids=["bundler", "node16"]
)
def test_a_typed_sample_is_strictly_right(packed: Packed, tmp_path: Path, module: str, resolution: str) -> None:
    packed.into(tmp_path, *WITH_REACT)
    for file in (Path(__file__).parent / "consumer").iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    options = {
        **STRICT,
        "module": module,
        "moduleResolution": resolution,
        "target": "ES2022",
        "jsx": "react-jsx",
        "types": [],
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["core.ts", "page.tsx"]}))
    assert node(tmp_path, str(CLIENT / "node_modules/.bin/tsc"), "-p", ".") == ""


def test_the_example_is_built_of_it_alone(packed: Packed, tmp_path: Path) -> None:
    kept = shutil.ignore_patterns("node_modules", "dist", "*.py", "__pycache__", "*.jsonl")
    shutil.copytree(EXAMPLE, tmp_path / "app", ignore=kept)
    installed = EXAMPLE / "node_modules"
    scopes = [path for path in installed.glob("@*/*") if path.parent.name != "@signoff"]
    packages = packed.into(tmp_path / "app", *scopes, *installed.glob("[!@.]*"), installed / ".bin")
    assert not (packages / "@signoff" / "client").is_symlink()
    node(tmp_path / "app", "npm", "run", "--silent", "build")
    assert (tmp_path / "app" / "dist" / "index.html").is_file()


def test_a_page_pays_no_more_for_it_than_is_allowed() -> None:
    told = node(CLIENT, "node", "scripts/sizes.mjs", "--check")
    performance = (ROOT / "docs" / "performance.md").read_text()
    sizes = re.findall(r"^(.+): ([\d.]+) KiB of", told, re.MULTILINE)
    assert sizes
    for name, size in sizes:
        shown = re.sub(r"@\S+|AutoForm", r"`\g<0>`", name)
        written = re.search(rf"^\| {shown} \| ([\d.]+) KiB \|", performance, re.MULTILINE)
        assert written, f"docs/performance.md has no row for {name}"
        assert abs(float(written[1]) - float(size)) < 0.05 * float(size), f"{name} now weighs {size} KiB"
