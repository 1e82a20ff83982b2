"""Options that several sub-commands share."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

from signoff.cli.grouped import grouped


@dataclass(frozen=True, kw_only=True)
class Place:
    host: Annotated[str, "where"] = "here"
    port: Annotated[int, "which"] = 1


@grouped("place", Place)
def go(run: str, *, json: bool = False, place: Place) -> tuple[str, bool, Place]:
    """Go there."""
    return run, json, place


@grouped("place", Place, lambda host, port: f"{host}:{port}")
def look(*, place: str) -> str:
    return place


def test_a_parameter_stands_for_the_options_of_a_group() -> None:
    parameters = inspect.signature(go).parameters
    assert list(parameters) == ["run", "json", "host", "port"]
    assert (parameters["port"].annotation, parameters["port"].default) == (Annotated[int, "which"], 1)
    assert go.__doc__ == "Go there."
    assert go(run="r1", json=True, host="there", port=2) == ("r1", True, Place(host="there", port=2))


def test_what_the_options_come_to_can_be_made_of_them() -> None:
    assert look(host="there", port=2) == "there:2"
