"""Laws of listings: newest first, stable pages, filters that agree with what is kept."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from signoff.errors import BadRequest
from signoff.stores.base import Change, InputRecord, RunFilter, WorkflowStore
from signoff.testing.store_contract.laws import Laws, advance, done, start


async def run_pages(store: WorkflowStore, where: RunFilter, limit: int) -> list[list[str]]:
    """Page through a listing of runs."""
    pages = []
    cursor = None
    while True:
        page = await store.list_runs(where, limit=limit, cursor=cursor)
        pages.append([run.run_id for run in page.items])
        if (cursor := page.cursor) is None:
            return pages


class ListingLaws(Laws):
    """Hold what is true of every listing."""

    def test_pages_are_newest_first_and_miss_nothing(self, tmp_path: Path) -> None:
        """Also where many runs are of one millisecond, and where a page ends exactly at the end."""

        async def scenario(store: WorkflowStore) -> None:
            assert await run_pages(store, RunFilter(), 5) == [[]]
            await store.commit([start(f"r{n}", created_at=n // 4) for n in range(20)])
            newest = [f"r{n}" for n in reversed(range(20))]
            for limit in (1, 3, 5, 20, 50):
                pages = await run_pages(store, RunFilter(), limit)
                assert [run_id for page in pages for run_id in page] == newest
                assert len(pages) == -(-20 // limit)

        self.hold(tmp_path, scenario)

    def test_pages_are_stable(self, tmp_path: Path) -> None:
        """Runs that come or change while somebody pages neither repeat nor hide others."""

        async def scenario(store: WorkflowStore) -> None:
            await store.commit([start(f"r{n}", created_at=n) for n in range(10)])
            first = await store.list_runs(RunFilter(), limit=4)
            await done(store, start("new", created_at=99), advance("r3", 1, status="completed"))
            second = await store.list_runs(RunFilter(), limit=9, cursor=first.cursor)
            assert [run.run_id for run in first.items + second.items] == [f"r{n}" for n in reversed(range(10))]
            assert second.cursor is None

        self.hold(tmp_path, scenario)

    def test_filters_agree_with_the_records(self, tmp_path: Path) -> None:
        """Every combination of filters lists exactly what a look at every record would."""

        async def scenario(store: WorkflowStore) -> None:
            await store.commit(
                [
                    start(
                        f"r{n}",
                        workflow=("expense", "order")[n % 2],
                        status=("running", "waiting", "completed")[n % 3],
                        tags=((), ("big",), ("big", "eu"))[n % 5 % 3],
                        created_at=n // 3,
                    )
                    for n in range(40)
                ]
            )
            everything = (await store.list_runs(RunFilter(), limit=100)).items
            for workflow, statuses, tags, after, before in product(
                (None, "order", "absent"),
                ((), ("waiting",), ("waiting", "completed"), ("waiting", "waiting")),
                ((), ("eu",), ("absent",), ("big", "eu"), ("eu", "absent")),
                (None, 4),
                (None, 9),
            ):
                where = RunFilter(workflow, statuses, tags, after, before)
                expected = [
                    run.run_id
                    for run in everything
                    if workflow in (None, run.workflow)
                    and (not statuses or run.status in statuses)
                    and set(tags) <= set(run.tags)
                    and (after is None or run.created_at > after)
                    and (before is None or run.created_at < before)
                ]
                pages = await run_pages(store, where, 3)
                assert [run_id for page in pages for run_id in page] == expected, where

        self.hold(tmp_path, scenario)

    def test_listings_follow_changes(self, tmp_path: Path) -> None:
        """A run is listed under the status and the tags it has now."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1", tags=("a", "b")))
            await done(store, advance("r1", 1, status="waiting", tags=("b", "c")))
            for where, found in (
                (RunFilter(statuses=("running",)), []),
                (RunFilter(statuses=("waiting",)), [["r1"]]),
                (RunFilter(tags=("a",)), []),
                (RunFilter(tags=("b",)), [["r1"]]),
                (RunFilter(tags=("c",), statuses=("waiting",)), [["r1"]]),
            ):
                assert await run_pages(store, where, 9) == (found or [[]])

        self.hold(tmp_path, scenario)

    @pytest.mark.parametrize("cursor", ["", "x", "1", "1.", "1.2.3", "1.2 ", "9" * 40 + ".1", "\u0661.\u0662", "-1.-1"])
    def test_foreign_cursors_are_refused(self, tmp_path: Path, cursor: str) -> None:
        """A cursor is ours or it is a bad request."""

        async def scenario(store: WorkflowStore) -> None:
            with pytest.raises(BadRequest, match="cursor"):
                await store.list_runs(RunFilter(), limit=1, cursor=cursor)
            for audience in (None, ["user:a"]):
                with pytest.raises(BadRequest, match="cursor"):
                    await store.list_inputs(audience=audience, status=None, limit=1, cursor=cursor)

        self.hold(tmp_path, scenario)

    def test_requests_are_listed_by_audience_and_status(self, tmp_path: Path) -> None:
        """A request asked of two principals is listed once for who is both; nobody else sees it."""
        audiences = [("group:finance",), ("user:a", "group:finance"), ("user:b",), (), ("user:a",)]

        async def scenario(store: WorkflowStore) -> None:
            inputs = [
                InputRecord("r1", f"i:{n}", ("pending", "answered")[n % 2], audiences[n % 5], n // 3, None, b"{}")
                for n in range(30)
            ]
            await done(store, start("r1")._replace(inputs=tuple(inputs)))
            for audience, status, limit in product(
                (None, (), ("user:a",), ("user:a", "group:finance"), ["user:b", "user:b", "nobody"]),
                (None, "pending", "expired"),
                (1, 4, 100),
            ):
                expected = [
                    one.key
                    for one in reversed(inputs)
                    if status in (None, one.status) and (audience is None or set(audience) & set(one.audience))
                ]
                found: list[str] = []
                cursor = None
                while True:
                    page = await store.list_inputs(audience=audience, status=status, limit=limit, cursor=cursor)
                    found += [one.key for one in page.items]
                    assert len(page.items) <= limit
                    if (cursor := page.cursor) is None:
                        break
                assert found == expected, (audience, status, limit)

        self.hold(tmp_path, scenario)

    def test_a_decided_request_leaves_the_list_of_pending_ones(self, tmp_path: Path) -> None:
        """And one whose audience changed is asked of the new one alone."""
        asked = InputRecord("r1", "a:0", "pending", ("user:a", "user:b"), 1, None, b"{}")

        async def scenario(store: WorkflowStore) -> None:
            async def listed(principal: str, status: str | None) -> list[InputRecord]:
                page = await store.list_inputs(audience=[principal], status=status, limit=9)
                return list(page.items)

            await done(store, start("r1")._replace(inputs=(asked,)))
            moved = replace(asked, audience=("user:b", "user:c"))
            await done(store, Change(inputs=(moved,)))
            assert await listed("user:a", None) == []
            assert await listed("user:c", "pending") == await listed("user:b", "pending") == [moved]
            answered = replace(moved, status="answered")
            await done(store, Change(inputs=(answered,)))
            assert await listed("user:b", "pending") == []
            assert await listed("user:b", None) == await listed("user:c", "answered") == [answered]

        self.hold(tmp_path, scenario)
