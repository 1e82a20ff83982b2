"""The files for deployments are valid, and every command in them is one of ours."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from signoff.cli import main

FOLDER = Path(__file__).parents[2] / "docs" / "operations" / "deploy"
MANIFESTS = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
UNITS = sorted(FOLDER.glob("*.service"))


def containers() -> Iterator[dict[str, Any]]:
    for manifest in MANIFESTS:
        spec = manifest.get("spec", {}).get("template", {}).get("spec", {})
        yield from spec.get("containers", [])


def commands() -> Iterator[list[str]]:
    """Yield every command line in the files, without the program's path."""
    for container in containers():
        yield container["args"]
    for service in COMPOSE["services"].values():
        if "command" in service:
            yield shlex.split(service["command"])
    for unit in UNITS:
        [line] = re.findall(r"^ExecStart=\S+/(signoff .+)$", unit.read_text(), re.MULTILINE)
        yield shlex.split(line)
    [line] = re.findall(r"^CMD (\[.+\])$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    yield yaml.safe_load(line)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_kubernetes_would_take_the_manifest(manifest: dict[str, Any]) -> None:
    assert kubernetes_validate.validate(manifest, "1.34", strict=True) == "1.34"


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_the_command_line_is_understood(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    program, *arguments = command
    assert program == "signoff"
    assert main([*arguments, "--help"]) == 0, "an option that is not known is refused before help is given"
    assert f"signoff {arguments[0]}" in capsys.readouterr().out


def test_a_stop_has_the_time_that_draining_takes() -> None:
    drains_s = 15
    graces = [
        spec["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30)
        for spec in MANIFESTS
        if spec["kind"] == "Deployment"
    ]
    units = [int(re.findall(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.MULTILINE)[0]) for unit in UNITS]
    compose = int(COMPOSE["x-signoff"]["stop_grace_period"].removesuffix("s"))
    assert min([*graces, *units, compose]) > drains_s


def test_what_the_schema_needs_comes_before_what_needs_the_schema() -> None:
    for name in ("server", "worker"):
        waits = COMPOSE["services"][name]["depends_on"]
        assert waits == {"schema": {"condition": "service_completed_successfully"}}
