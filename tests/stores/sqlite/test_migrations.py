"""A file that an older version wrote: what was in it is there when this version has opened it.

`files/schema-9.db.gz` was written by the version before subjects: runs in every status, with requests, events, waits
and leases; streams of applications and of the engine, forked, compacted, deleted; subscriptions and workers.
`files/schema-9.json` says what was in it, as that version's store answered.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from signoff.stores.base import Listing, Page, PartsWanted, WorkflowStore
from signoff.stores.change import Change, Committed, Name, OwnAppend, OwnStream, Part, Subject, SubjectWrite
from signoff.stores.open import open_store
from signoff.stores.sqlite.connection import statements
from signoff.stores.sqlite.statements import migrations, schema
from signoff.streams.stream import Fork, Head, ProducerMark

FILES: Final = Path(__file__).parent / "files"
THERE: Final[dict[str, Any]] = json.loads((FILES / "schema-9.json").read_text(encoding="utf-8"))
ENDED: Final = {"completed", "cancelled", "failed"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An older file."""
    path = tmp_path / "old.db"
    with gzip.open(FILES / "schema-9.db.gz") as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)
    return path


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[WorkflowStore]:
    store = open_store(f"sqlite:///{path}")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def run_subject(run: dict[str, Any]) -> Subject:
    """Return the record that a run's row of old has become."""
    workflow, status = run["workflow"], run["status"]
    led = (f"workflow/{workflow}", f"status/{status}", f"workflow/{workflow}/status/{status}")
    public, journal = f"runs/{run['run_id']}", f"runs/{run['run_id']}/journal"
    closed = {one["path"]: one["closed"] for one in THERE["streams"]}
    return Subject(
        name=Name("run", run["run_id"]),
        version=run["journal_tail"],
        state=run["state"].encode(),
        terms=(*led, *(f"tag/{tag}" for tag in run["tags"])),
        sort=run["created_at"],
        queue=None if status in ENDED else workflow,
        ready=run["ready"],
        wake_at=run["wake_at"],
        quiet=status == "blocked",
        updated_at=run["updated_at"],
        streams=(
            OwnStream(journal, run["journal_tail"], closed[journal]),
            OwnStream(public, run["public_tail"], closed[public]),
        ),
        epoch=run["epoch"],
        lease_owner=run["lease_owner"],
        lease_until=run["lease_until"],
        lost=run["lost"],
    )


def input_part(one: dict[str, Any]) -> Part:
    terms = [f"status/{one['status']}"]
    for principal in one["audience"]:
        terms += [f"to/{principal}", f"to/{principal}/status/{one['status']}"]
    state = one["state"].encode()
    return Part("input", one["key"], state, one["status"] == "pending", tuple(terms), one["created_at"])


def ledger_part(one: dict[str, Any]) -> Part:
    return Part("ledger", f"{one['scope']} {one['id']}", f"{one['digest']}\n{one['outcome']}".encode())


def record_subject(one: dict[str, Any]) -> Subject:
    kind = one["kind"]
    name, state = Name(kind, one["id"]), one["state"].encode()
    return Subject(name, one["version"], state, queue=f"due/{kind}", wake_at=one["due_at"])


async def everything(store: WorkflowStore, where: Listing) -> list[Subject]:
    """Read a listing to its end, in small pages."""
    found: list[Subject] = []
    cursor = None
    while True:
        page: Page[Subject] = await store.list_subjects(where, limit=4, cursor=cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


async def test_runs_are_records_with_their_leases(path: Path) -> None:
    expected = [run_subject(run) for run in THERE["runs"]]
    assert {run["status"] for run in THERE["runs"]} == {
        "running", "waiting", "sleeping", "blocked", "failed", "completed", "cancelled",
    }  # fmt: skip
    async with opened(path) as store:
        assert await everything(store, Listing("run")) == expected
        for one in expected:
            loaded = await store.load(one.name)
            assert loaded is not None
            assert loaded.subject == one


async def test_runs_are_found_by_workflow_status_and_tags(path: Path) -> None:
    runs = [run_subject(run) for run in THERE["runs"]]
    terms = sorted({term for one in runs for term in one.terms})
    assert len(terms) > 15
    async with opened(path) as store:
        for term in terms:
            found = await everything(store, Listing("run", (term,)))
            assert [one.name for one in found] == [one.name for one in runs if term in one.terms], term
        found = await everything(store, Listing("run", ("workflow/expense", "workflow/order"), ("tag/eu",)))
        assert {one.name.id for one in found} == {"exp-1", "exp-2", "ord-1", "new-1"}


async def test_requests_ledger_and_waits_are_parts(path: Path) -> None:
    async with opened(path) as store:
        for run in THERE["runs"]:
            wanted = [PartsWanted(kind) for kind in ("input", "ledger", "wait")]
            loaded = await store.load(Name("run", run["run_id"]), *wanted)
            assert loaded is not None
            mine = {name: [one for one in THERE[name] if one["run_id"] == run["run_id"]] for name in THERE_PARTS}
            by_key = {part.key: part for part in loaded.of("input")}
            assert by_key == {one["key"]: input_part(one) for one in mine["inputs"]}
            assert set(loaded.of("ledger")) == {ledger_part(one) for one in mine["ledger"]}
            for wait, part in zip(mine["waits"], loaded.of("wait"), strict=True):
                assert part.key == wait["wait_id"]
                assert json.loads(part.state) == {"topic": wait["topic"], "key": wait["key"]}
                key = wait["key"]
                assert part.terms == (f"topic/{wait['topic']}" + ("" if key is None else f"/{key.encode().hex()}"),)
            pending = await store.load(Name("run", run["run_id"]), PartsWanted("input", open=True))
            assert pending is not None
            assert {part.key for part in pending.parts} == {
                one["key"] for one in mine["inputs"] if one["status"] == "pending"
            }


THERE_PARTS: Final = ("inputs", "ledger", "waits")


async def test_requests_are_found_by_who_is_asked(path: Path) -> None:
    async with opened(path) as store:
        for audience, status in (("group:finance", "pending"), ("user:alice", "answered"), ("user:bob", "expired")):
            page = await store.list_parts(Listing("input", (f"to/{audience}/status/{status}",)), limit=50)
            assert [(one.owner.id, one.part.key) for one in page.items] == [
                (one["run_id"], one["key"])
                for one in THERE["inputs"]
                if audience in one["audience"] and one["status"] == status
            ]
            assert page.items
        page = await store.list_parts(Listing("input"), limit=50)
        assert [(one.owner.id, one.part.key) for one in page.items] == [
            (one["run_id"], one["key"]) for one in THERE["inputs"]
        ]
        waits = await store.list_parts(
            Listing("wait", ("topic/paid", "topic/paid/" + b"o-1".hex()), oldest_first=True), limit=9
        )
        assert [one.owner.id for one in waits.items] == [one["run_id"] for one in THERE["waits"]]


async def test_records_are_subjects_in_a_queue_of_their_kind(path: Path) -> None:
    async with opened(path) as store:
        for one in THERE["records"]:
            loaded = await store.load(Name(one["kind"], one["id"]))
            assert loaded is not None
            assert loaded.subject == record_subject(one)
        assert [one.name.id for one in await store.due("due/worker", now=2**60, limit=9)] == [
            one["id"] for one in THERE["records"] if one["due_at"] is not None
        ]


async def test_every_stream_reads_as_it_did(path: Path) -> None:
    async with opened(path) as store:
        for one in THERE["streams"]:
            loaded = await store.load_stream(one["path"])
            assert loaded is not None
            assert loaded.head == head(one), one["path"]
            found = await store.read(one["path"], 0, 1 << 30)
            assert found is not None
            _, batches = found
            assert [[batch.start, batch.end] for batch in batches] == one["batches"]
            joint = b"," if loaded.head.json else b""
            data = joint.join(batch.data for batch in batches)
            assert (len(data), hashlib.sha256(data).hexdigest()) == (one["size"], one["sha256"]), one["path"]
            begun = await store.read_start(one["path"], 1 << 30)
            assert begun is not None
            assert [row.decode() for row in begun.rows] == one["rows"]
            assert [[batch.start, batch.end] for batch in begun.batches] == one["after_rows"]
            for producer in one["producers"]:
                known = await store.load_stream(one["path"], producer[0])
                assert known is not None
                assert known.producer == ProducerMark(*producer)
        listed = await store.list_streams("", limit=1_000)
        assert [(tail.path, tail.incarnation, tail.tail, tail.closed) for tail in listed] == [
            (one["path"], one["incarnation"], one["tail"], one["closed"])
            for one in THERE["streams"]
            if not one["deleted"]
        ]


def head(one: dict[str, Any]) -> Head:
    members = {name: value for name, value in one.items() if name not in NOT_OF_HEAD}
    if members["closed_by"] is not None:
        members["closed_by"] = ProducerMark(*members["closed_by"])
    if members["fork"] is not None:
        members["fork"] = Fork(**members["fork"])
    return Head.of(**members)


NOT_OF_HEAD: Final = {"batches", "sha256", "size", "rows", "after_rows", "producers"}


async def test_what_was_deleted_and_not_dropped_yet_is_dropped(path: Path) -> None:
    assert THERE["doomed"] == 1
    async with opened(path) as store:
        pieces = 1
        while await store.purge():
            pieces += 1
        assert pieces > 0
        assert not await store.purge()
        assert await store.load_stream("app/doomed") is None


async def test_leases_are_what_they_were(path: Path) -> None:
    runs = {run["run_id"]: run for run in THERE["runs"]}
    until = {name: runs[name]["lease_until"] for name in ("live-1", "lost-1", "over-1")}
    live = max(until.values())
    async with opened(path) as store:
        now = until["over-1"] + 1
        claimed = await store.claim("new", ["leased"], now=now, lease_ms=3_600_000, limit=9)
        # `lost-1` and `live-1` are held by others for an hour yet; the lease of `over-1` has ended.
        assert [(one.name.id, one.epoch, one.lost) for one in claimed] == [
            ("over-1", runs["over-1"]["epoch"] + 1, runs["over-1"]["lost"] + 1)
        ]
        held = {Name("run", "live-1"): runs["live-1"]["epoch"]}
        assert await store.renew(runs["live-1"]["lease_owner"], held, until=live + 1_000) == set()
        assert await store.next_due(["nap"]) == min(
            run["wake_at"] for run in THERE["runs"] if run["workflow"] == "nap" and run["wake_at"]
        )


async def test_a_run_goes_on_where_it_was(path: Path) -> None:
    [run] = [run for run in THERE["runs"] if run["run_id"] == "exp-1"]
    before = run_subject(run)
    journal = f"runs/{run['run_id']}/journal"
    async with opened(path) as store:
        subject = Subject(before.name, before.version + 1, b"{}", before.terms, before.sort, before.queue)
        write = SubjectWrite(subject, before.version, appends=(OwnAppend(journal, b'{"more":1}', 1),))
        [outcome] = await store.commit([Change(write)])
        assert isinstance(outcome, Committed)
        assert outcome.batches[journal].start == run["journal_tail"]
        loaded = await store.load(before.name)
        assert loaded is not None
        assert loaded.subject.tail(journal) == run["journal_tail"] + 1
        found = await store.read(journal, run["journal_tail"], 1)
        assert found is not None
        assert found[1][-1].data == b'{"more":1}'


def tables(scripts: list[str]) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(":memory:")
    for script in scripts:
        for statement in statements(script):
            connection.execute(statement)
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()
    connection.close()
    return [(*names, sql and _without_layout(sql)) for *names, sql in found]


def _without_layout(sql: str) -> str:
    """Return a statement without its line breaks: columns that were added later stand on the last one's line."""
    return re.sub(r"\s*([(),])\s*", r"\1", re.sub(r"\s+", " ", sql))


def test_migrations_lead_to_the_schema() -> None:
    assert tables(migrations()) == tables([schema()])
    assert len(tables([schema()])) > 10
