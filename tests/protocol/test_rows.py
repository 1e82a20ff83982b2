"""Entries project to the messages the vectors say, however they are batched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from signoff.streams import state
from signoff.workflow import journal
from signoff.workflow.entry import Entry
from signoff.workflow.projection import project
from signoff.workflow.view import Past, RunFold, View
from tests.protocol.material import cases, complaints

CASES = cases("rows.json")
Streams = dict[str, list[dict[str, Any]]]


def _feed(batches: Iterable[list[Entry]], tail: int) -> tuple[Streams, bool]:
    """Project batch after batch, each into its own commit; return the messages of each stream."""
    view, streams, closed = View(past=Past()), Streams(), False
    for batch in batches:
        delta = project(view, batch, tail)
        tail += len(delta.public)
        assert view.run is not None
        run, workflow = view.run.row["id"], view.run.row["workflow"]
        for path, message in [
            *((f"runs/{run}", message) for message in delta.public),
            *((f"inbox/{principal}", message) for principal, message in delta.inboxes),
            *((f"workflows/{workflow}", message) for message in delta.listing),
        ]:
            streams.setdefault(path, []).append(orjson.loads(message))
        closed = closed or delta.close
    return streams, closed


@pytest.mark.parametrize("case", CASES)
def test_all_at_once(case: dict[str, Any]) -> None:
    entries = [journal.from_json(entry) for entry in case["entries"]]
    streams, closed = _feed([entries], case["public_tail"])
    assert streams == case["streams"]
    assert closed == case["closed"]
    for messages in streams.values():
        for message in messages:
            assert complaints("state-message.json", message) == []


@pytest.mark.parametrize("case", CASES)
def test_one_entry_a_commit(case: dict[str, Any]) -> None:
    entries = [journal.from_json(entry) for entry in case["entries"]]
    streams, closed = _feed([[entry] for entry in entries], case["public_tail"])
    assert streams == case["streams"]
    assert closed == case["closed"]


@pytest.mark.parametrize("case", CASES)
def test_folding_gives_the_final_rows(case: dict[str, Any]) -> None:
    for path, messages in case["streams"].items():
        final = {(row["type"], row["key"]): row["value"] for row in case["final"][path]}
        assert state.fold(messages) == final


@pytest.mark.parametrize("case", CASES)
def test_entries_are_read_and_written_alike(case: dict[str, Any]) -> None:
    entries = [journal.from_json(entry) for entry in case["entries"]]
    written = [journal.to_json(entry) for entry in entries]
    assert journal.loads(journal.dumps(entries)) == entries
    for entry in written:
        assert complaints("journal-entry.json", entry) == []


@pytest.mark.parametrize("case", CASES)
def test_the_fold_survives_storage_between_commits(case: dict[str, Any]) -> None:
    view, tail, public = View(past=Past()), case["public_tail"], []
    for written in case["entries"]:
        if view.run is not None:
            view.run = RunFold.loads(view.run.dumps())
        delta = project(view, [journal.from_json(written)], tail)
        tail += len(delta.public)
        public += [orjson.loads(message) for message in delta.public]
    run = case["entries"][0]["run_id"]
    assert public == case["streams"][f"runs/{run}"]
