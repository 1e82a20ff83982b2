"""Laws of parts: small documents of a subject, put, replaced and dropped with its record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from signoff.stores.base import LoadedSubject, PartsWanted, WorkflowStore
from signoff.stores.change import Committed, Conflict, Name, PartName
from signoff.testing.store_contract.laws import Laws, change, commit, delete, done, load, part, run

R1 = Name("run", "r1")


class PartLaws(Laws):
    """What is true of every part."""

    def test_one_look_brings_what_was_asked_for(self, tmp_path: Path) -> None:
        """Parts of a kind: one by key, those that are open, or all; and of several kinds at once."""
        z, a, m = part("z:0", open=True), part("a:0"), part("m:0", open=True, state=b"[]", terms=("t",))
        entry = part("s1", kind="answer", state=b'{"n":1}')
        subject = run()

        async def scenario(store: WorkflowStore) -> None:
            await done(store, change(subject, parts=(z, entry, a, m)), change(run("r2"), parts=(part("z:0"),)))
            for wanted, parts in (
                ((), ()),
                ((PartsWanted("request"),), (z, a, m)),
                ((PartsWanted("request", open=True),), (z, m)),
                ((PartsWanted("request", "a:0"),), (a,)),
                ((PartsWanted("request", "a:0", open=True),), ()),
                ((PartsWanted("request", "b:0"),), ()),
                ((PartsWanted("answer", "z:0"),), ()),
                ((PartsWanted("none"),), ()),
                ((PartsWanted("request", "m:0"), PartsWanted("request", "z:0")), (z, m)),
                ((PartsWanted("request", open=True), PartsWanted("request", "z:0")), (z, m)),
            ):
                assert await store.load(R1, *wanted) == LoadedSubject(subject, parts), wanted
            loaded = await store.load(R1, PartsWanted("answer", "s1"), PartsWanted("request", open=True))
            assert loaded is not None
            assert (loaded.of("answer"), loaded.of("request"), loaded.of("none")) == ((entry,), (z, m), ())
            assert await store.load(Name("run", "absent"), PartsWanted("request")) is None

        self.hold(tmp_path, scenario)

    def test_order_is_of_first_putting_never_of_names(self, tmp_path: Path) -> None:
        """Part #2 stays before #10, z before a; a later write does not move one, being dropped in between does."""
        keys = ["z:0", "a:0", *(f"loop:{n}" for n in range(12)), "Z:0"]

        async def scenario(store: WorkflowStore) -> None:
            await done(store, change(run(), parts=tuple(map(part, keys[:2]))))
            for number, key in enumerate(keys[2:]):
                await done(store, change(run(version=number + 2), parts=(part(key),)))
            last = len(keys)
            await done(store, change(run(version=last), last - 1, parts=(part("a:0"), part("new"))))
            loaded = await load(store)
            assert loaded is not None
            assert [one.key for one in loaded.parts] == [*keys, "new"]
            gone = (PartName("request", "z:0"), PartName("request", "loop:3"))
            await done(store, change(run(version=last + 1), dropped=gone))
            await done(store, change(run(version=last + 2), parts=(part("z:0"),)))
            loaded = await load(store)
            assert loaded is not None
            kept = [key for key in keys if key not in {"z:0", "loop:3"}]
            assert [one.key for one in loaded.parts] == [*kept, "new", "z:0"]

        self.hold(tmp_path, scenario)

    def test_a_part_is_replaced_by_name(self, tmp_path: Path) -> None:
        """Its state, terms and openness change; its sort does not, until it was dropped."""

        async def scenario(store: WorkflowStore) -> None:
            first, other = part(open=True, terms=("x", "y")), part(kind="other", state=b"o")
            await done(store, change(run(), parts=(first, other)))
            new = part(terms=("y", "z"), state=b"[1]", sort=8)
            await done(store, change(run(version=2), parts=(new,)))
            both = await store.load(R1, PartsWanted("request"), PartsWanted("other"))
            assert both is not None
            assert (both.of("request"), both.of("other")) == ((replace(new, sort=7),), (other,))
            await done(store, change(run(version=3), dropped=(PartName("request", "a:0"),)))
            await done(store, change(run(version=4), parts=(new,)))
            assert await load(store) == LoadedSubject(run(version=4), (new,))

        self.hold(tmp_path, scenario)

    def test_what_is_dropped_is_dropped_first(self, tmp_path: Path) -> None:
        """What is not there can be dropped, and a part that is dropped and put in one Change is a new one."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, change(run(), parts=(part("a"), part("b")), dropped=(PartName("request", "x"),)))
            again = part("a", sort=99)
            gone = (PartName("request", "a"), PartName("other", "b"), PartName("request", "a"))
            await done(store, change(run(version=2), parts=(again,), dropped=gone))
            assert await load(store) == LoadedSubject(run(version=2), (part("b"), again))

        self.hold(tmp_path, scenario)

    def test_a_part_put_twice_is_the_second(self, tmp_path: Path) -> None:
        """In one Change the later one replaces the earlier, as if it had come after it."""

        async def scenario(store: WorkflowStore) -> None:
            twice = (part("a", terms=("x",), sort=3), part("b"), part("a", state=b"2", terms=("y",), open=True, sort=9))
            await done(store, change(run(), parts=twice))
            assert await load(store) == LoadedSubject(run(), (replace(twice[2], sort=3), twice[1]))

        self.hold(tmp_path, scenario)

    def test_of_two_who_put_the_same_part_one_wins(self, tmp_path: Path) -> None:
        """Since both write the record on one version: what is accepted under an id is accepted once."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, change(run()))
            racers = [change(run(version=2), parts=(part("s1", state=b"%d" % number),)) for number in range(20)]
            outcomes = await asyncio.gather(*(commit(store, racer) for racer in racers))
            assert sum(isinstance(one, Committed) for one in outcomes) == 1
            assert outcomes.count(Conflict("version", "r1")) == 19
            loaded = await load(store)
            assert loaded is not None
            assert [one.state for one in loaded.parts] == [
                b"%d" % number for number, one in enumerate(outcomes) if isinstance(one, Committed)
            ]

        self.hold(tmp_path, scenario)

    def test_parts_go_with_their_subject(self, tmp_path: Path) -> None:
        """Those of others of the same names stay."""

        async def scenario(store: WorkflowStore) -> None:
            many = tuple(part(f"p{number}", open=bool(number % 2)) for number in range(300))
            await done(store, change(run(), parts=many), change(run("r2"), parts=many[:2]))
            await done(store, delete("r1", 1), change(run(version=5), 0))
            assert await load(store) == LoadedSubject(run(version=5))
            assert await load(store, "r2") == LoadedSubject(run("r2"), many[:2])

        self.hold(tmp_path, scenario)

    def test_a_look_is_of_one_moment(self, tmp_path: Path) -> None:
        """Record and parts belong together, whoever writes meanwhile."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, change(run(), parts=(part("a", state=b"1"), part("b", state=b"1"))))

            async def write_all() -> None:
                for version in range(2, 100):
                    state = b"%d" % version
                    await done(
                        store, change(run(version=version), parts=(part("b", state=state), part("a", state=state)))
                    )

            writing = asyncio.ensure_future(write_all())
            looks = 0
            while not writing.done():
                loaded = await load(store)
                assert loaded is not None
                assert {one.state for one in loaded.parts} == {b"%d" % loaded.subject.version}
                looks += 1
                await asyncio.sleep(0)
            await writing
            assert looks > 0

        self.hold(tmp_path, scenario)
