"""A store with something of everything in it, and ways to dump it, to copy it and to look at all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from signoff.stores.base import Listing, PartsWanted, WorkflowStore
from signoff.stores.change import PartName
from signoff.stores.copies import PartCopy, Record, StreamCopy, SubjectCopy
from signoff.streams.stream import Fork, ProducerMark, Write
from signoff.testing.store_contract.compaction import NONE, row, rows
from signoff.testing.store_contract.laws import (
    advance,
    change,
    delete,
    done,
    family,
    grow,
    head,
    known,
    own,
    part,
    run,
    send,
    settle,
    start,
    write,
)
from signoff.testing.store_contract.leases import claim

ALL: Final = 1 << 30

PRODUCERS: Final = (ProducerMark("p", 1, 7), ProducerMark("q", 0, 0))


async def fill(store: WorkflowStore) -> None:
    """Write something of everything a store can hold."""
    await done(store, start("r1", ready=True, terms=("a", "b"), state=b"\x00\xff"), advance("r1", 1, terms=("b",)))
    await done(store, start("r2", sort=500, wake_at=70, quiet=True), start("r3", queue=None, sort=1_000))
    asked = (part("b:0", sort=3, terms=("x",)), part("a:0", open=True), part("c:0", sort=3, terms=("x", "y")))
    await done(store, change(run("p", ready=True), parts=asked))
    again = (part("b:0", sort=9, terms=("x",), state=b"again"),)
    await done(store, change(run("p", version=2, ready=True), parts=again, dropped=(PartName("request", "c:0"),)))
    await done(store, change(run("p", version=3, ready=True), parts=(part("c:0", sort=3, open=True, terms=("x",)),)))
    closing = (own("runs/closed", b"1"), own("runs/closed/journal"))
    await done(store, change(run("closed"), appends=closing))
    await done(store, change(run("closed", version=2), appends=(own("runs/closed", close=True),)))
    await done(store, send("sender", 0, "inbox/a", b"1", b"2"), send("sender", 1, "inbox/a", b"3"))
    await settle(store)
    await claim(store, "w", 5, 40)
    await _fill_streams(store)


async def _fill_streams(store: WorkflowStore) -> None:
    await done(store, write(head(tail=2, compacted=True), b"1,2"))
    for number, producer in enumerate(PRODUCERS, 2):
        at = (await known(store)).changed(version=number, tail=number + 1, last_seq=f"s{number}", touched_at=number)
        await done(store, family(Write(at, number - 1, number, b"%d" % number, producer)))
    raw = head("raw", content_type="text/plain", tail=3, ttl_s=9, touched_at=1_000, closed=True)
    await done(store, write(raw.changed(closed_by=PRODUCERS[0]), b"abc"))
    await done(store, write(head("until", tail=0, expires_at="2030-01-01T00:00:00Z", created_at=44)))
    # One that is deleted and kept for its fork, and a fork of a fork.
    await done(store, write(head("gone", tail=2, incarnation="ig"), b"1,2"))
    fork = head("fork", tail=3, incarnation="if", fork=Fork("gone", "ig", 2))
    counted = head("gone", tail=2, incarnation="ig", version=2, refs=1)
    await done(store, family(Write(fork, 0, 2, b"3"), Write(counted, 1, 2)))
    await done(store, family(Write(counted.changed(version=3, deleted=True), 2, 2)))
    second = head("second", tail=1, incarnation="is", fork=Fork("fork", "if", 1, 2))
    await done(store, family(Write(second, 0, 1), Write(fork.changed(version=2, refs=1), 1, 3)))
    # A stream of a subject's own whose history is dropped behind its rows, and one that a deleted subject left.
    await done(store, *(grow("folded", version, b"1", b"2") for version in range(3)))
    live = replace(NONE, rows=(row("b", 1, b"b1"), row("a", 3, b"a3")), at=5)
    await done(store, rows(await known(store, "folded"), live, base=3))
    await done(store, start("left"))
    left = await known(store, "runs/left")
    made = head("of/left", tail=1, incarnation="il", fork=Fork("runs/left", left.incarnation, 1))
    await done(store, family(Write(made, 0, 1), Write(left.changed(version=left.version + 1, refs=1), left.version, 1)))
    await done(store, delete("left", 1))


# -- dumping, restoring, looking ---------------------------------------------------------------------------------------


async def in_pieces(store: WorkflowStore, *, max_bytes: int) -> list[tuple[Record, ...]]:
    """Dump a store piece by piece."""
    pieces = []
    cursor: str | None = ""
    while cursor is not None:
        piece = await store.dump(after=cursor, max_bytes=max_bytes)
        assert piece.records or piece.cursor is None, "a piece is not empty, unless it is the last one"
        cursor = piece.cursor
        if piece.records:
            pieces.append(piece.records)
    return pieces


async def dumped(store: WorkflowStore, *, max_bytes: int = ALL) -> list[Record]:
    """Dump a store."""
    return [one for piece in await in_pieces(store, max_bytes=max_bytes) for one in piece]


async def copy(source: WorkflowStore, target: WorkflowStore, *, max_bytes: int = ALL) -> None:
    """Restore a store's dump to another."""
    for piece in await in_pieces(source, max_bytes=max_bytes):
        await target.restore(piece)


def comparable(records: Sequence[Record]) -> Counter[str]:
    """Return records without their ranks, which differ between stores, in no order."""
    return Counter(repr(replace(one, rank=0) if isinstance(one, SubjectCopy | PartCopy) else one) for one in records)


async def everything(store: WorkflowStore) -> object:
    """Ask a store everything that can be asked."""
    records = await dumped(store)
    names = sorted(one.subject.name for one in records if isinstance(one, SubjectCopy))
    paths = sorted(one.head.path for one in records if isinstance(one, StreamCopy))
    loaded = [await store.load(each, PartsWanted("request"), PartsWanted("vote")) for each in names]
    listings = [
        Listing(kind, any_of, oldest_first=oldest_first)
        for kind in ("run", "request")
        for any_of in (None, ("a",), ("b",), ("x",), ("x", "y"))
        for oldest_first in (False, True)
    ]
    listed = [(await store.list_subjects(where, limit=99)).items for where in listings]
    parts = [(await store.list_parts(where, limit=99)).items for where in listings]
    streams = [await _all_of(store, path) for path in paths]
    ended = [await store.ended_streams(now=now, limit=99) for now in (0, 10_500, 10_563, 1 << 45)]
    tails = await store.list_streams("", limit=99), await store.find_streams(paths)
    due = [await store.due("expense", now=now, limit=99) for now in (0, 45, 70)], await store.next_due(["expense"])
    return loaded, listed, parts, streams, ended, tails, due


async def _all_of(store: WorkflowStore, path: str) -> object:
    states = [await store.load_stream(path, one.producer_id) for one in PRODUCERS]
    read = [await store.read(path, position, ALL) for position in range(6)]
    return states, read, await store.read_start(path, ALL), await store.rows_bytes(path)
