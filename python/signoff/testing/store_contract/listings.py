"""Laws of listings: by terms, in either order, with stable pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from signoff.errors import BadRequest
from signoff.stores.base import Listing, OwnedPart, Page, WorkflowStore
from signoff.stores.change import Change, Name, Part, PartName, Subject
from signoff.testing.store_contract.laws import Laws, change, delete, done, part, run, together

RUNS = Listing("run")


async def pages(
    ask: Callable[..., Awaitable[Page[Any]]], where: Listing, limit: int, cursor: str | None = None
) -> list[list[Any]]:
    """Page through a listing."""
    found = []
    while True:
        page = await ask(where, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found.append(list(page.items))
        if (cursor := page.cursor) is None:
            return found


async def ids(store: WorkflowStore, where: Listing, limit: int = 100, cursor: str | None = None) -> list[str]:
    """List subjects; return their ids."""
    found: list[list[Subject]] = await pages(store.list_subjects, where, limit, cursor)
    return [one.name.id for page in found for one in page]


async def keys(store: WorkflowStore, where: Listing, limit: int = 100) -> list[str]:
    """List parts; return their keys."""
    found: list[list[OwnedPart]] = await pages(store.list_parts, where, limit)
    return [one.part.key for page in found for one in page]


def fits(one: Subject | Part, where: Listing) -> bool:
    """Tell whether a listing has to show this, whose kind is right."""
    return (
        (where.any_of is None or bool(set(where.any_of) & set(one.terms)))
        and set(where.all_of) <= set(one.terms)
        and (where.after is None or one.sort > where.after)
        and (where.before is None or one.sort < where.before)
    )


LISTINGS = [
    Listing("k", *choice)
    for choice in product(
        (None, (), ("order",), ("waiting", "completed"), ("waiting", "waiting", "absent"), ("order", "big", "eu")),
        ((), ("eu",), ("absent",), ("big", "eu")),
        (None, 4),
        (None, 9),
        (False, True),
    )
]


class ListingLaws(Laws):
    """What is true of every listing."""

    def test_pages_are_in_order_and_miss_nothing(self, tmp_path: Path) -> None:
        """Newest first or oldest first, also where many are of one `sort`, and where a page ends exactly at the end."""

        async def scenario(store: WorkflowStore) -> None:
            assert await pages(store.list_subjects, RUNS, 5) == [[]]
            await together(store, [change(run(f"r{n}", sort=n // 4)) for n in range(20)])
            oldest = [f"r{n}" for n in range(20)]
            for limit in (1, 3, 5, 20, 50):
                assert await ids(store, RUNS, limit) == oldest[::-1]
                assert await ids(store, replace(RUNS, oldest_first=True), limit) == oldest
                assert len(await pages(store.list_subjects, RUNS, limit)) == -(-20 // limit)

        self.hold(tmp_path, scenario)

    def test_what_is_listed_equals_what_is_loaded(self, tmp_path: Path) -> None:
        """With lease, streams and all."""

        async def scenario(store: WorkflowStore) -> None:
            asked = part(open=True, terms=("t",), state=b"\xff")
            await done(store, change(run(ready=True, terms=("a", "b")), parts=(asked,)))
            [claimed] = await store.claim("w1", ["expense"], now=0, lease_ms=10, limit=1)
            assert (await store.list_subjects(RUNS, limit=9)).items == (claimed,)
            found = await store.list_parts(Listing("request", ("t",)), limit=9)
            assert found == Page((OwnedPart(Name("run", "r1"), asked),), None)

        self.hold(tmp_path, scenario)

    @pytest.mark.parametrize("oldest_first", [False, True])
    def test_pages_are_stable(self, tmp_path: Path, oldest_first: bool) -> None:
        """What comes, changes or goes while somebody pages neither repeats nor hides others."""
        where = replace(RUNS, any_of=("t", "u"), oldest_first=oldest_first)

        async def scenario(store: WorkflowStore) -> None:
            await together(store, [change(run(f"r{n}", sort=n, terms=("t",))) for n in range(10)])
            first = await store.list_subjects(where, limit=4)
            order = [f"r{n}" for n in range(10)][:: 1 if oldest_first else -1]
            assert [one.name.id for one in first.items] == order[:4]
            news = [change(run("new", sort=-1 if oldest_first else 99, terms=("t",)))]
            news += [change(run(order[5], sort=55, version=2, terms=("u", "t"))), delete(order[3], 1)]
            news += [change(run(order[7], version=2, terms=("other",)))]
            await done(store, *news)
            assert await ids(store, where, 2, first.cursor) == [*order[4:7], *order[8:]]

        self.hold(tmp_path, scenario)

    def test_filters_agree_with_what_is_there(self, tmp_path: Path) -> None:
        """Every combination lists exactly what a look at everything would, each once, of subjects as of parts."""
        terms = [
            (
                ("expense", "order")[n % 2],
                ("running", "waiting", "completed")[n % 3],
                *((), ("big",), ("big", "eu"))[n % 5 % 3],
            )
            for n in range(40)
        ]

        async def scenario(store: WorkflowStore) -> None:
            subjects = [replace(run(terms=some, sort=n // 3), name=Name("k", f"i{n}")) for n, some in enumerate(terms)]
            parts = [part(f"i{n}", kind="k", terms=some, sort=n // 3) for n, some in enumerate(terms)]
            await together(store, [change(one) for one in subjects])
            await together(store, [change(run(f"r{n}"), parts=tuple(parts[n::3])) for n in range(3)])
            assert sorted(await keys(store, Listing("k"))) == sorted(one.key for one in parts)
            put = {key: at for at, key in enumerate(one.key for n in range(3) for one in parts[n::3])}
            sorted_parts = sorted(parts, key=lambda one: (one.sort, put[one.key]))
            for where in LISTINGS:
                step = 1 if where.oldest_first else -1
                assert await ids(store, where, 3) == [o.name.id for o in subjects if fits(o, where)][::step], where
                assert await keys(store, where, 3) == [o.key for o in sorted_parts if fits(o, where)][::step], where

        self.hold(tmp_path, scenario)

    def test_listings_follow_changes(self, tmp_path: Path) -> None:
        """A subject is listed under the terms it has now, and no more once it is deleted."""

        async def scenario(store: WorkflowStore) -> None:
            async def listed() -> list[str]:
                terms = ("a", "b", "c", "d")
                return [term for term in terms if await ids(store, replace(RUNS, any_of=(term,))) == ["r1"]]

            await done(store, change(run(terms=("a", "b"))))
            assert await listed() == ["a", "b"]
            await done(store, change(run(version=2, terms=("c", "b", "c"))))
            assert await listed() == ["b", "c"]
            await done(store, change(run(version=3, terms=())))
            assert await listed() == []
            assert await ids(store, RUNS) == ["r1"]
            await done(store, change(run(version=4, terms=("d",))), delete("r1", 4))
            assert await listed() == await ids(store, RUNS) == []
            await done(store, change(run(version=9, terms=("a",)), 0))
            assert await listed() == ["a"]

        self.hold(tmp_path, scenario)

    def test_listings_of_parts_follow_changes(self, tmp_path: Path) -> None:
        """Replaced, dropped, put again, and gone with the subject."""

        async def scenario(store: WorkflowStore) -> None:
            def put(version: int, *parts: Part, dropped: tuple[PartName, ...] = ()) -> Change:
                return change(run(version=version), parts=parts, dropped=dropped)

            async def listed(term: str) -> list[str]:
                return await keys(store, Listing("request", (term,), oldest_first=True))

            await done(store, put(1, part("a", terms=("x", "y")), part("b", terms=("y",)), part("c", sort=3)))
            assert (await listed("x"), await listed("y")) == (["a"], ["a", "b"])
            await done(store, put(2, part("a", terms=("y", "z"), sort=99)))
            assert (await listed("x"), await listed("y"), await listed("z")) == ([], ["a", "b"], ["a"])
            await done(store, put(3, part("a", terms=("y",)), dropped=(PartName("request", "a"),)))
            assert (await listed("y"), await listed("z")) == (["b", "a"], [])
            assert await keys(store, Listing("request")) == ["a", "b", "c"]
            await done(store, put(4, dropped=(PartName("request", "b"), PartName("request", "none"))))
            assert await listed("y") == ["a"]
            await done(store, delete("r1", 4), change(run(version=9), 0))
            assert await keys(store, Listing("request")) == await listed("y") == []

        self.hold(tmp_path, scenario)

    def test_kinds_and_terms_do_not_meet(self, tmp_path: Path) -> None:
        """A part is no subject, a term is the whole text, and a kind is its own."""

        async def scenario(store: WorkflowStore) -> None:
            alike = ["a", "a/b", "A", "a ", "ä", "a" * 512, "%", "_"]
            await together(
                store,
                [
                    change(run(f"r{n}", terms=(term,)), parts=(part(f"p{n}", terms=(term,)),))
                    for n, term in enumerate(alike)
                ],
            )
            await done(store, change(replace(run(terms=("a",)), name=Name("key", "k1"))))
            for number, term in enumerate(alike):
                assert await ids(store, Listing("run", (term,))) == [f"r{number}"]
                assert await keys(store, Listing("request", (term,))) == [f"p{number}"]
            assert await ids(store, Listing("key", ("a",))) == ["k1"]
            assert await ids(store, Listing("request", ("a",))) == await keys(store, Listing("run", ("a",))) == []

        self.hold(tmp_path, scenario)

    @pytest.mark.parametrize(
        "cursor", ["", "x", "1", "1.", "1.2.3", "1.2 ", "9" * 40 + ".1", "9" * 19 + ".1", "\u0661.\u0662", "-1.-1"]
    )
    def test_foreign_cursors_are_refused(self, tmp_path: Path, cursor: str) -> None:
        """A cursor is ours or it is a bad request."""

        async def scenario(store: WorkflowStore) -> None:
            for where in (Listing("k"), Listing("k", ("a", "b")), Listing("k", oldest_first=True), Listing("k", ())):
                for ask in (store.list_subjects, store.list_parts):
                    with pytest.raises(BadRequest, match="cursor"):
                        await ask(where, limit=1, cursor=cursor)

        self.hold(tmp_path, scenario)

    def test_sort_is_any_integer(self, tmp_path: Path) -> None:
        """Of 64 bits, negative ones too; a bound may be one as well."""
        sorts = [-(2**62), -1, 0, 1, 2**53 + 1, 2**62]

        async def scenario(store: WorkflowStore) -> None:
            await together(store, [change(run(f"r{n}", sort=sort)) for n, sort in enumerate(sorts)])
            for limit in (1, 9):
                assert await ids(store, RUNS, limit) == ["r5", "r4", "r3", "r2", "r1", "r0"]
                assert await ids(store, replace(RUNS, oldest_first=True), limit) == ["r0", "r1", "r2", "r3", "r4", "r5"]
            assert await ids(store, replace(RUNS, after=-1, before=2**53 + 1)) == ["r3", "r2"]
            assert await ids(store, replace(RUNS, after=5, before=5)) == []

        self.hold(tmp_path, scenario)
