"""Laws of subjects: records compared by version, whatever their kind, and what the store keeps in them itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from signoff.stores.base import LoadedSubject, PartsWanted, WorkflowStore
from signoff.stores.change import Change, Conflict, Name, Outcome, Rejected, SubjectDelete, SubjectWrite
from signoff.testing.store_contract.laws import (
    Laws,
    advance,
    bare,
    change,
    commit,
    delete,
    done,
    load,
    part,
    record,
    run,
    start,
    together,
)

AWKWARD: tuple[Any, ...] = (
    [],
    {},
    None,
    "",
    0,
    2**53 + 1,
    -(2**63),
    10**40,
    0.1,
    "\U0001f642 é שלום",
    "\x00",
    [[], {}],
    {"": [None]},
)
"""Values that lose something in careless hands."""

NAMES = ("", " ", "NULL", "0", "1e3", "א", "é", "e\u0301", "🙂", "a'b\"c;--", "%_*")
"""Texts that are only texts: empty, right-to-left, astral, or looking like something else."""


class SubjectLaws(Laws):
    """What is true of every subject's record."""

    def test_a_record_comes_back_as_written(self, tmp_path: Path) -> None:
        """Every member of it; what is the store's own in it is the store's."""
        full = run(
            version=2**62,
            state=b"\x00\xff",
            terms=("b", "a", "b", ""),
            sort=-5,
            queue="",
            ready=True,
            wake_at=0,
            quiet=True,
            updated_at=9,
        )

        async def scenario(store: WorkflowStore) -> None:
            await done(store, change(full, 0), change(run("r2", queue=None), 0))
            assert await store.load(full.name) == LoadedSubject(full)
            assert await store.load(Name("run", "r2")) == LoadedSubject(run("r2", queue=None))
            assert await store.load(Name("run", "r3")) is None
            assert await store.load(Name("other", "r1")) is None

        self.hold(tmp_path, scenario)

    def test_a_record_is_written_on_its_version(self, tmp_path: Path) -> None:
        """Whoever decided on another version is refused and changes nothing; kinds do not meet."""
        other = replace(run("a"), name=Name("other", "a"), state=b"o")

        async def scenario(store: WorkflowStore) -> None:
            await done(store, change(run("a")), change(other), change(run("a", version=2, state=b"2", wake_at=7)))
            refused = [change(run("a")), change(run("a", version=2)), change(run("a", version=4))]
            for one in (*refused, change(run("b", version=2)), delete("a", 1), delete("b", 0)):
                assert isinstance(await commit(store, one), Conflict)
            assert await record(store, "a") == run("a", version=2, state=b"2", wake_at=7)
            assert await store.load(other.name) == LoadedSubject(other)
            assert await load(store, "b") is None

        self.hold(tmp_path, scenario)

    def test_versions_are_compared_not_counted(self, tmp_path: Path) -> None:
        """The next one is whatever its writer says, smaller ones too."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, change(run(version=2**61), 0), change(run(version=3), 2**61), change(run(version=77), 3))
            assert await commit(store, change(run(version=4), 3)) == Conflict("version", "r1")
            assert (await record(store)).version == 77

        self.hold(tmp_path, scenario)

    def test_of_two_writes_in_one_commit_one_wins(self, tmp_path: Path) -> None:
        """Later Changes see earlier ones, and a refused one takes its parts along."""

        async def scenario(store: WorkflowStore) -> None:
            late = change(run("a", state=b"2"), parts=(part(),))
            outcomes: list[Outcome | Rejected] = await together(
                store, [change(run("a", state=b"1")), late, change(run("a", version=2, state=b"3"))]
            )
            assert outcomes[1] == Conflict("version", "a")
            assert await load(store, "a") == LoadedSubject(run("a", version=2, state=b"3"))

        self.hold(tmp_path, scenario)

    def test_a_deleted_subject_leaves_nothing_to_what_takes_its_place(self, tmp_path: Path) -> None:
        """Neither parts nor lease; it is due no more, and can be made anew in the same commit."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, change(run(ready=True), parts=(part(open=True),)), start("beside"))
            await store.claim("w1", ["expense"], now=0, lease_ms=10, limit=9)
            assert await commit(store, delete("r1", 2)) == Conflict("version", "r1")
            await done(store, delete("r1", 1))
            assert await load(store) is None
            assert await store.next_due(["expense"]) is None
            assert await store.claim("w2", ["expense"], now=99, lease_ms=10, limit=9) == []
            assert await store.renew("w1", {Name("run", "r1"): 1}, until=99) == {Name("run", "r1")}
            await store.release("w1", {Name("run", "r1"): 1})
            assert await commit(store, advance("r1", 1, epoch=1)) == Conflict("epoch", "r1")
            await done(store, change(run(version=8, state=b"new"), 0))
            assert await load(store) == LoadedSubject(run(version=8, state=b"new"))
            outcomes = await together(store, [delete("r1", 8), change(run(version=9), 0), delete("r1", 8)])
            assert outcomes[2] == Conflict("version", "r1")
            assert await load(store) == LoadedSubject(run(version=9))
            assert (await record(store, "beside")).version == 1

        self.hold(tmp_path, scenario)

    def test_a_record_is_replaced_but_for_what_is_the_store_s(self, tmp_path: Path) -> None:
        """Leases change by claim, renew and release alone, and `sort` never, whatever a written record says."""

        async def scenario(store: WorkflowStore) -> None:
            own: dict[str, Any] = {"epoch": 5, "lease_owner": "me", "lease_until": 99, "lost": 7}
            await done(store, change(run(ready=True, **own)))
            assert await record(store) == run(ready=True)
            [claimed] = await store.claim("w1", ["expense"], now=0, lease_ms=10, limit=1)
            new = run(version=2, queue="other", wake_at=50, quiet=True, terms=("t",), state=b"[1]", updated_at=3)
            await done(store, change(replace(new, sort=9_999, **own)))
            kept = replace(new, epoch=claimed.epoch, lease_owner="w1", lease_until=10)
            assert await record(store) == kept
            await done(store, change(replace(new, version=3), release=True))
            assert await record(store) == replace(new, version=3, epoch=claimed.epoch)

        self.hold(tmp_path, scenario)

    def test_awkward_values_survive(self, tmp_path: Path) -> None:
        """What went in as JSON comes out byte by byte: `[]` is not `{}`, and 2^53+1 is not 2^53."""

        async def scenario(store: WorkflowStore) -> None:
            for number, value in enumerate(AWKWARD):
                data = json.dumps(value, ensure_ascii=bool(number % 2)).encode()
                subject, one = run(f"r{number}", state=data), part(state=data)
                await done(store, change(subject, parts=(one,)))
                assert await load(store, f"r{number}") == LoadedSubject(subject, (one,))

        self.hold(tmp_path, scenario)

    def test_awkward_names_survive(self, tmp_path: Path) -> None:
        """As kinds, ids, queues and terms, of subjects and of parts."""

        async def scenario(store: WorkflowStore) -> None:
            for name in NAMES:
                one = part(name, kind=name, terms=(name,))
                subject = replace(run(terms=(name,), queue=name, state=b""), name=Name(name, name))
                await done(store, Change(SubjectWrite(subject, 0, parts=(one,))))
            for name in NAMES:
                loaded = await store.load(Name(name, name), PartsWanted(name))
                assert loaded is not None
                assert (loaded.subject.terms, loaded.subject.queue) == ((name,), name)
                assert loaded.parts == (part(name, kind=name, terms=(name,)),)
            await done(store, *(Change(SubjectDelete(Name(name, name), 1)) for name in NAMES))
            for name in NAMES:
                assert await store.load(Name(name, name)) is None

        self.hold(tmp_path, scenario)

    def test_a_write_without_appends_moves_the_version_alone(self, tmp_path: Path) -> None:
        """Its streams stay as they are in the record."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"))
            before = await record(store)
            await done(store, change(run(version=2)))
            after = await record(store)
            assert bare(after) == run(version=2)
            assert after.streams == before.streams

        self.hold(tmp_path, scenario)
