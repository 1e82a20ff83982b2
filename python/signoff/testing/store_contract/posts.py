"""Laws of posts: recorded with their Change, and placed once, whole, in the order of their sender."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from signoff.stores.base import WorkflowStore
from signoff.stores.change import Change, Committed, Conflict, FamilyWrite, Post, Rejected, RowsWrite, new_mark
from signoff.streams.compaction import LiveRow, RowChanges
from signoff.streams.stream import JSON, Fork, Write
from signoff.testing.store_contract.laws import (
    Laws,
    change,
    delete,
    done,
    family,
    head,
    known,
    own,
    run,
    send,
    settle,
    start,
    tails,
    text,
    together,
)


async def messages(store: WorkflowStore, path: str) -> list[object]:
    """Read the messages of a stream; none where it is not there yet."""
    if not await store.find_streams([path]):
        return []
    found: list[object] = json.loads(b"[%s]" % await text(store, path))
    return found


class PostLaws(Laws):
    """What is true of every post."""

    def test_the_outcome_tells_where_a_post_was_placed(self, tmp_path: Path) -> None:
        """If it was in the same commit; otherwise it waits, and is counted, until somebody places it."""

        async def scenario(store: WorkflowStore) -> None:
            posts = (Post("inbox/a", b"1,2", 2), Post("inbox/b", b"3", 1), Post("inbox/a", b"4", 1))
            [committed] = await done(store, change(run(), 0, *posts, appends=(own("runs/r1", b"0"),)))
            assert set(committed.batches) <= {"runs/r1", "inbox/a", "inbox/b"}
            assert "runs/r1" in committed.batches
            if "inbox/a" in committed.batches:
                batch = committed.batches["inbox/a"]
                assert (batch.start, batch.end, batch.data) == (0, 3, b"1,2,4")
            else:
                assert await store.unplaced() > 0
            await settle(store)
            assert await store.place() == 0
            assert await text(store, "inbox/a") == b"1,2,4"
            assert await text(store, "inbox/b") == b"3"

        self.hold(tmp_path, scenario)

    def test_the_stream_is_made_by_the_first_post(self, tmp_path: Path) -> None:
        """It is the engine's and holds JSON; what is placed moves its tail and not its version."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, send("r1", 0, "inbox/a", b"1"))
            await settle(store)
            made = await known(store, "inbox/a")
            assert (made.tail, made.content_type, made.engine, made.closed) == (1, JSON, True, False)
            await done(store, send("r1", 1, "inbox/a", b"2", b"3"), send("r2", 0, "inbox/a", b"4"))
            await settle(store)
            assert await known(store, "inbox/a") == made.changed(tail=4)
            assert [one.tail for one in await store.list_streams("inbox/", limit=9)] == [4]

        self.hold(tmp_path, scenario)

    def test_every_sort_of_change_may_send(self, tmp_path: Path) -> None:
        """Also one that deletes its subject, and one about applications' streams."""
        rows = RowChanges(clear=False, gone=(), rows=(LiveRow("t", "k", 0, b"{}"),), at=0)

        async def scenario(store: WorkflowStore) -> None:
            def post(number: int) -> tuple[Post, ...]:
                return (Post("workflows/expense", b"%d" % number, 1),)

            made = FamilyWrite((Write(head(), 0, 0),))
            for number, one in enumerate((start("r1").write, delete("r1", 1).write, made)):
                await done(store, Change(one, post(number), new_mark()))
            await done(store, Change(RowsWrite("notes", "i1", 0, rows), post(3), new_mark()))
            await settle(store)
            assert sorted(map(str, await messages(store, "workflows/expense"))) == ["0", "1", "2", "3"]

        self.hold(tmp_path, scenario)

    def test_nothing_is_sent_by_what_was_not_committed(self, tmp_path: Path) -> None:
        """Neither by a Change that conflicts nor by one that is rejected."""

        async def scenario(store: WorkflowStore) -> None:
            bad = send("\ud800", 0, "inbox/a", b"1")
            outcomes = await together(store, [send("r1", 4, "inbox/a", b"0"), bad, send("r1", 0, "inbox/b", b"2")])
            assert [type(one) for one in outcomes] == [Conflict, Rejected, Committed]
            await settle(store)
            assert await tails(store, "inbox/a", "inbox/b") == {"inbox/b": (1, False)}

        self.hold(tmp_path, scenario)

    def test_each_is_placed_once_in_the_order_of_its_sender(self, tmp_path: Path) -> None:
        """Several at once who place, while others still send, lose and double none."""
        senders, rounds = [f"s{number}" for number in range(8)], 12

        async def scenario(store: WorkflowStore) -> None:
            sent = asyncio.Event()

            async def send_all(sender: str) -> None:
                for number in range(rounds):
                    data = [json.dumps([sender, number, part]).encode() for part in range(3)]
                    await done(store, send(sender, number, "inbox/a", *data))

            async def place_all() -> None:
                while await store.place(limit=3) or not sent.is_set():  # noqa: ASYNC110 - they place all along
                    await asyncio.sleep(0)

            placing = [asyncio.ensure_future(place_all()) for _ in range(4)]
            await asyncio.gather(*map(send_all, senders))
            sent.set()
            await asyncio.gather(*placing)
            await settle(store)
            found = await messages(store, "inbox/a")
            assert len(found) == len(senders) * rounds * 3
            for sender in senders:
                mine = [one for one in found if isinstance(one, list) and one[0] == sender]
                assert mine == [[sender, number, part] for number in range(rounds) for part in range(3)]
            for first in range(0, len(found), 3):
                assert [one[2] for one in found[first : first + 3] if isinstance(one, list)] == [0, 1, 2]
            stored = await store.read("inbox/a", 0, 1 << 30)
            assert stored is not None
            assert [batch.start for batch in stored[1]] == [0, *(batch.end for batch in stored[1][:-1])]
            assert stored[1][-1].end == stored[0].tail == len(found)

        self.hold(tmp_path, scenario)

    def test_nothing_is_half_visible(self, tmp_path: Path) -> None:
        """While posts wait, a stream has all of a post or nothing of it, and its tail says how much."""

        async def scenario(store: WorkflowStore) -> None:
            await together(store, [send(f"s{n}", 0, "inbox/a", b"1", b"2", b"3") for n in range(20)])
            waiting = await store.unplaced()
            assert 0 <= waiting <= 20
            while True:
                found = await messages(store, "inbox/a")
                assert found == [1, 2, 3] * (len(found) // 3)
                assert len(found) == 3 * (20 - waiting)
                assert (await tails(store, "inbox/a")).get("inbox/a", (0, False)) == (len(found), False)
                if not await store.place(limit=1):
                    break
                before, waiting = waiting, await store.unplaced()
                assert waiting == before - 1
            assert waiting == 0

        self.hold(tmp_path, scenario)

    def test_a_stream_that_posts_go_to_can_be_forked_and_compacted(self, tmp_path: Path) -> None:
        """Meanwhile posts are placed."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, send("r1", 0, "inbox/a", b"1"))
            await settle(store)
            source = await known(store, "inbox/a")
            await done(store, send("r1", 1, "inbox/a", b"2"))
            await settle(store)
            fork = head("fork", tail=1, fork=Fork("inbox/a", source.incarnation, 1))
            counted = Write(source.changed(version=source.version + 3, refs=1), source.version, source.tail)
            await done(store, family(Write(fork, 0, 1), counted))
            rows = RowChanges(clear=False, gone=(), rows=(LiveRow("t", "k", 0, b"{}"),), at=2)
            await done(store, Change(RowsWrite("inbox/a", source.incarnation, 0, rows), mark=new_mark()))
            await done(store, send("r1", 2, "inbox/a", b"3"))
            await settle(store)
            assert await known(store, "inbox/a") == counted.head.changed(tail=3, rows_at=2)
            assert await messages(store, "inbox/a") == [1, 2, 3]

        self.hold(tmp_path, scenario)
